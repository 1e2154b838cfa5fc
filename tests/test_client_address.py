"""Who has made a request: the peer, or whom the trusted proxies name."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from hookflash.client_address import ClientAddresses, client_network, trusted_networks

PUBLIC = "https://line.example.com"
PROXY = "10.0.0.1"
CLIENT = "203.0.113.7"


def connection(peer: str | None, *headers: tuple[str, str], version: str = "1.1") -> HTTPConnection:
    return HTTPConnection(
        {
            "type": "http",
            "http_version": version,
            "path": "/",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            "client": None if peer is None else (peer, 4711),
        }
    )


def client_of(peer: str | None, *headers: tuple[str, str]) -> str:
    clients = ClientAddresses([PROXY, "192.168.0.0/16", "fd00::/8"], public_url=PUBLIC)
    return clients.of(connection(peer, *headers))


def listed(*values: str) -> list[tuple[str, str]]:
    return [("X-Forwarded-For", value) for value in values]


def forwarded(*values: str) -> list[tuple[str, str]]:
    return [("Forwarded", value) for value in values]


# --- which header counts --------------------------------------------------------------------------


def test_without_trusted_proxies_the_client_is_the_peer() -> None:
    clients = ClientAddresses(public_url=PUBLIC)
    headers = [*listed(CLIENT), *forwarded(f"for={CLIENT}")]
    assert clients.of(connection("127.0.0.1", *headers)) == "127.0.0.1"


def test_a_stranger_names_nobody() -> None:
    assert client_of("198.51.100.9", *listed(CLIENT)) == "198.51.100.9"


@pytest.mark.parametrize(
    ("address", "shared"),
    [
        (PROXY, True),
        ("::ffff:10.0.0.1", True),
        ("192.168.7.7", True),
        ("fd00::5", True),
        ("127.0.0.1", True),
        ("::1", True),
        (CLIENT, False),
        ("2001:db8::1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("localhost", False),
    ],
)
def test_many_clients_share_the_address_of_a_proxy(address: str, shared: bool) -> None:
    clients = ClientAddresses([PROXY, "192.168.0.0/16", "fd00::/8"], public_url=PUBLIC)
    assert clients.is_proxy(address) is shared


def test_a_trusted_proxy_names_its_client() -> None:
    assert client_of(PROXY, *listed(CLIENT)) == CLIENT
    assert client_of(PROXY, *forwarded(f"for={CLIENT};proto=https")) == CLIENT
    assert client_of("fd00::5", *listed("2001:db8::1")) == "2001:db8::1"


def test_a_trusted_proxy_that_sends_no_header_is_the_client_itself() -> None:
    assert client_of(PROXY) == PROXY


def test_what_the_client_has_sent_itself_is_not_read() -> None:
    assert client_of(PROXY, *listed(f"8.8.8.8, 127.0.0.1, {CLIENT}")) == CLIENT
    assert client_of(PROXY, *listed("8.8.8.8", CLIENT)) == CLIENT, "a second header line"
    assert client_of(PROXY, *forwarded(f"for=8.8.8.8, for={CLIENT}")) == CLIENT


def test_trusted_proxies_are_skipped_from_the_right() -> None:
    assert client_of(PROXY, *listed(f"8.8.8.8, {CLIENT}, 192.168.3.4, {PROXY}")) == CLIENT
    mixed = f'for=8.8.8.8, for={CLIENT}, for="[fd00::9]:80";by=x, for=192.168.1.1'
    assert client_of(PROXY, *forwarded(mixed)) == CLIENT


def test_where_all_are_trusted_the_first_is_the_client() -> None:
    assert client_of(PROXY, *listed("192.168.1.1, 192.168.2.2")) == "192.168.1.1"


def test_headers_that_differ_name_nobody() -> None:
    """A proxy passes on the header that it does not write, as the client sent it."""
    assert client_of(PROXY, *listed(CLIENT), *forwarded("for=8.8.8.8")) == PROXY
    assert client_of(PROXY, *listed(CLIENT), *forwarded(f"for={CLIENT}")) == CLIENT


def test_a_connection_without_an_address_has_none() -> None:
    assert client_of(None, *listed(CLIENT)) == ""
    assert client_of("testclient", *listed(CLIENT)) == "testclient"


# --- forms of an address --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("node", "address"),
    [
        ("203.0.113.7", CLIENT),
        ("203.0.113.7:51443", CLIENT),
        ("203.0.113.7:_port", CLIENT),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:DB8:0::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.7", CLIENT),
        ("  203.0.113.7\t", CLIENT),
        ("unknown", PROXY),
        ("_hidden", PROXY),
        ("203.0.113.256", PROXY),
        ("203.0.113.07", PROXY),
        ("203.0.113.7:", PROXY),
        ("203.0.113.7:123456", PROXY),
        ("[203.0.113.7]", PROXY),
        ("[2001:db8::1", PROXY),
        ("[2001:db8::1]443", PROXY),
        ("fe80::1%eth0", PROXY),
        ("line.example.com", PROXY),
        ("\u00b9.2.3.4", PROXY),
    ],
)
def test_an_address_may_have_a_port_and_what_is_none_names_nobody(node: str, address: str) -> None:
    assert client_of(PROXY, *listed(node)) == address
    quoted = node.strip()
    assert client_of(PROXY, *forwarded(f'for="{quoted}"')) == address


def test_beyond_a_proxy_that_names_nobody_nothing_is_believed() -> None:
    assert client_of(PROXY, *listed(f"{CLIENT}, unknown")) == PROXY
    assert client_of(PROXY, *listed(f"{CLIENT}, _gazonk, 192.168.1.1")) == "192.168.1.1"


def test_empty_elements_are_skipped() -> None:
    assert client_of(PROXY, *listed(f", {CLIENT}, ,")) == CLIENT
    assert client_of(PROXY, *listed("")) == PROXY
    assert client_of(PROXY, *forwarded(f"for={CLIENT},,")) == CLIENT


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (f"For={CLIENT}", CLIENT),
        (f"proto=http;by=203.0.113.43;for={CLIENT}", CLIENT),
        (f'host="a,b;for=8.8.8.8";for={CLIENT}', CLIENT),
        (f"for={CLIENT} ; proto=https;", CLIENT),
        (r'for="203.0.113\.7"', CLIENT),
        (f"for={CLIENT};for=8.8.8.8", PROXY),
        ("proto=https", PROXY),
        ("for=", PROXY),
        ("for = 203.0.113.7", PROXY),
        ('for="203.0.113.7', PROXY),
        ("203.0.113.7", PROXY),
        # What the client sends before cannot swallow what the proxy appends.
        (f'for="8.8.8.8, for={CLIENT}', CLIENT),
        (f'for=8.8.8.8;x="\\", for={CLIENT}', CLIENT),
        (f'for=8.8.8.8;x=", for="{CLIENT}"', CLIENT),
        ('for="8.8.8.8, for="[2001:db8::1]:80"', "2001:db8::1"),
    ],
)
def test_the_header_of_rfc_7239(header: str, address: str) -> None:
    assert client_of(PROXY, *forwarded(header)) == address


def test_a_peer_has_one_form() -> None:
    assert client_of("::ffff:198.51.100.9") == "198.51.100.9"
    assert client_of(f"::ffff:{PROXY}", *listed(CLIENT)) == CLIENT
    assert client_of("fe80::1%eth0") == "fe80::1"


@pytest.mark.parametrize(
    "value",
    [
        '"' * 60_000,
        "\\" * 30_000 + '"' * 30_000,
        "for=a;" + " " * 60_000 + "x",
        ";" * 60_000 + "=",
        "a" * 60_000,
        "10.0.0.1," * 6_000,
        "[" * 60_000,
        "9." * 30_000,
    ],
)
def test_long_headers_name_nobody_and_are_read_in_linear_time(value: str) -> None:
    """In quadratic time this test would run for minutes, and so into its time limit."""
    assert client_of(PROXY, *listed(value)) == PROXY
    assert client_of(PROXY, *forwarded(value)) == PROXY


# --- the setting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nginx", "'nginx' is neither"),
        ("10.0.0.1/33", "'10.0.0.1/33' is neither"),
        ("10.0.0.1/8", "write 10.0.0.0/8 for '10.0.0.1/8'"),
        ("0.0.0.0/0", "everybody"),
        ("::/0", "everybody"),
        ("::ffff:0.0.0.0/96", "everybody"),
    ],
)
def test_what_is_no_address_or_network_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        trusted_networks(["127.0.0.1", text])


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104"])
def test_a_trusted_proxy_may_be_written_as_ipv4_within_ipv6(text: str) -> None:
    """A server that listens to both sees its proxy so, and the owner copies what the log shows."""
    assert [str(each) for each in trusted_networks([text])] == [
        "10.0.0.1/32" if text.endswith("1") else "10.0.0.0/8"
    ]
    assert ClientAddresses([text], public_url=PUBLIC).is_proxy("::ffff:10.0.0.1")


# --- local requests -------------------------------------------------------------------------------

HERE = ("Host", "127.0.0.1:8080")


def is_local(
    peer: str,
    *headers: tuple[str, str],
    public: str = "http://127.0.0.1:8080",
    version: str = "1.1",
) -> bool:
    return ClientAddresses(public_url=public).is_local(connection(peer, *headers, version=version))


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_a_program_on_this_machine_is_local(peer: str, host: str) -> None:
    assert is_local(peer, ("Host", host))


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded", "Forwarded", "Via", "X-Real-IP"]
    + ["CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Original-Forwarded-For"],
)
def test_what_carries_a_proxys_header_is_not(name: str) -> None:
    assert not is_local("127.0.0.1", HERE, (name, "127.0.0.1"))


@pytest.mark.parametrize(
    "headers",
    [[], [("Host", "line.example.com")], [("Host", "[")], [HERE, ("Host", "line.example.com")]],
)
def test_what_is_for_another_host_is_not(headers: list[tuple[str, str]]) -> None:
    assert not is_local("127.0.0.1", *headers)


def test_what_comes_from_elsewhere_is_not() -> None:
    assert not is_local("192.0.2.7", HERE)
    assert not is_local("", HERE)


def test_what_speaks_http_1_0_as_nginx_does_by_default_is_not() -> None:
    assert not is_local("127.0.0.1", HERE, version="1.0")


def test_behind_a_proxy_that_may_be_on_this_machine_nothing_is() -> None:
    assert not is_local("127.0.0.1", HERE, public=PUBLIC)
    request = connection("127.0.0.1", HERE)
    for trusted, local in ((["10.0.0.0/8"], True), (["10.0.0.0/8", "127.0.0.1"], False)):
        assert ClientAddresses(trusted, public_url=PUBLIC).is_local(request) is local
    assert not ClientAddresses(["::/1"], public_url=PUBLIC).is_local(request)


def test_a_proxy_of_ones_own_that_is_not_trusted_is_noticed() -> None:
    clients = ClientAddresses([PROXY], public_url=PUBLIC)
    for peer, unknown in (
        ("127.0.0.1", True),
        ("10.0.0.2", True),
        (PROXY, False),
        ("8.8.8.8", False),
    ):
        assert clients.is_unknown_proxy(connection(peer, *listed(CLIENT))) is unknown
        assert clients.is_unknown_proxy(connection(peer, *forwarded("for=_x"))) is unknown
        assert not clients.is_unknown_proxy(connection(peer))
    assert not clients.is_unknown_proxy(connection(None, *listed(CLIENT)))


# --- limits ---------------------------------------------------------------------------------------


def test_a_client_has_the_whole_network_of_its_ipv6_address() -> None:
    assert client_network("203.0.113.7") == "203.0.113.7"
    assert client_network("2001:db8::1") == client_network("2001:db8::ffff") == "2001:db8::/64"
    assert client_network("2001:db8:0:1::1") != client_network("2001:db8::1")
    assert client_network("") == ""
