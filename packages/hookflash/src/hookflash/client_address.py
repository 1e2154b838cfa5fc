"""Find the address of a client, also behind proxies, and whether it is this machine.

    client  -->  proxy ...  -->  trusted proxy  -->  this server
                                 it adds the address that has connected to it

Everybody can send `X-Forwarded-For` and `Forwarded` (RFC 7239). So they count only if the peer of
the connection is a proxy that the owner trusts (`HOOKFLASH_TRUSTED_PROXIES`). They are read from
the right, because each proxy appends. Trusted proxies are skipped; the first other address is the
client. Whatever stands further left was written by the client or by a stranger, and is not read.

If a proxy does not name its client (`unknown`, an obfuscated identifier, a malformed value), the
result is that proxy's own address. It is also the result if both headers are present and name
different clients: a proxy that writes one of them passes the other on as the client sent it.

A request is local if a program on this machine made it for this machine. A proxy or tunnel may end
on this machine, so the address of the peer is not enough: see `ClientAddresses.is_local`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientConnection(Protocol):
    """What is read of a request: starlette's `HTTPConnection`."""

    @property
    def headers(self) -> Any: ...

    @property
    def client(self) -> Any: ...

    @property
    def scope(self) -> Any: ...


_LOOPBACK: tuple[Network, ...] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)

_MAPPED_BITS = 96
"""How many bits of `::ffff:192.0.2.7` stand before the IPv4 address (RFC 4291, 2.5.5.2)."""

_PROXIED = frozenset(
    {
        "cf-connecting-ip",
        "fastly-client-ip",
        "forwarded",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-forwarded-for",
        "x-real-ip",
    }
)
"""Headers that proxies add, besides all that begin with `x-forwarded`."""

_PORT = r"(?::(?:[0-9]{1,5}|_[\w.-]+))?"
_NODE = re.compile(rf"\[(?P<six>[0-9A-Fa-f:.]+)\]{_PORT}|(?P<four>[0-9.]+){_PORT}", re.ASCII)
"""An address with an optional port, which may be obfuscated (RFC 7239, 6)."""

_PAIR = re.compile(
    r"""(?:([\w!#$%&'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;=\\]+)))?[ \t]*(?:;[ \t]*|\Z)""",
    re.ASCII,
)
"""One `name=value` of an element of `Forwarded`, or nothing, and what ends it (RFC 7239, 4)."""


def trusted_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that addresses and networks such as `10.0.0.0/8` stand for.

    Raises `ValueError`: its text says what was expected and which part is wrong.
    """
    return tuple(map(_network, texts))


def _network(text: str) -> Network:
    expected = "addresses and networks such as 127.0.0.1, 10.0.0.0/8 or fd00::/8"
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError(f"{expected} ({text!r} is neither)") from None
        raise ValueError(f"{expected} (write {meant} for {text!r})") from None
    network = _as_ipv4(network)
    if network.prefixlen == 0:
        raise ValueError(f"{expected} ({text!r} is everybody, who could then name any address)")
    return network


def _as_ipv4(network: Network) -> Network:
    """Return a network of IPv4 within IPv6 as IPv4, as the addresses of clients are compared."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def client_network(address: str) -> str:
    """Return what one client has: an IPv4 address, or the /64 network of an IPv6 address.

    A client may choose any address within its /64, so limits count the network.
    """
    found = _address(address)
    if found is None or found.version == 4:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))


class ClientAddresses:
    """Reads who made a request. `trusted_proxies` are addresses and networks.

    `public_url` is the address under which the line is called. Raises `ValueError`, as
    `trusted_networks` does.
    """

    def __init__(self, trusted_proxies: Iterable[str] = (), *, public_url: str) -> None:
        self._trusted = trusted_networks(trusted_proxies)
        elsewhere = self._trusted and not any(map(_has_loopback, self._trusted))
        self._knows_local = _is_here(urlsplit(public_url).hostname or "") or bool(elsewhere)

    def of(self, connection: ClientConnection) -> str:
        """Return the client's address, or "" if the connection has none.

        An IPv4 address within IPv6 is returned as IPv4, so that one client has one address.
        """
        peer = _peer(connection)
        if peer is None or not self._trusts(peer):
            return _host(connection) if peer is None else str(peer)
        headers = connection.headers
        found = {
            self._last_client(peer, nodes(lines))
            for name, nodes in (("x-forwarded-for", _listed), ("forwarded", _forwarded))
            if (lines := headers.getlist(name))
        }
        return str(found.pop() if len(found) == 1 else peer)

    def is_proxy(self, address: str) -> bool:
        """Return whether many clients may share `address`: a trusted proxy's, or this machine's."""
        found = _address(address.partition("%")[0])
        return found is not None and (found.is_loopback or self._trusts(found))

    def is_local(self, connection: ClientConnection) -> bool:
        """Return whether a program on this machine made the request, for this machine.

        Some proxies add no header that shows them; nginx does not by default. So no request is
        local if a proxy may run on this machine. It cannot if the public URL is of this machine, or
        if the trusted proxies are known and are all elsewhere. HTTP/1.0 is what nginx speaks by
        default, and no browser or monitoring does.
        """
        peer = _peer(connection)
        if peer is None or not peer.is_loopback or not self._knows_local:
            return False
        if connection.scope.get("http_version") == "1.0":
            return False
        if any(name in _PROXIED or name.startswith("x-forwarded") for name in connection.headers):
            return False
        # A name of a web page may resolve to this machine; then Host has that name.
        hosts = connection.headers.getlist("host")
        return bool(hosts) and all(_is_here(_without_port(host)) for host in hosts)

    def is_unknown_proxy(self, connection: ClientConnection) -> bool:
        """Return whether a proxy that is not trusted names the client.

        Only peers on this machine and in private networks count: anybody else can send a header to
        be taken for a proxy.
        """
        peer = _peer(connection)
        if peer is None or not peer.is_private or self._trusts(peer):
            return False
        return any(name in connection.headers for name in ("x-forwarded-for", "forwarded"))

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _last_client(self, peer: Address, nodes: Iterator[str | None]) -> Address:
        """Return the first address from the right that is no trusted proxy's.

        `nodes` come from the right; None is a proxy that names nobody.
        """
        client = peer
        for node in nodes:
            named = _address_of_node(node) if node is not None else None
            if named is None:
                break
            client = named
            if not self._trusts(client):
                break
        return client


# --- addresses ----------------------------------------------------------------------------------


def _host(connection: ClientConnection) -> str:
    return connection.client.host if connection.client is not None else ""


def _peer(connection: ClientConnection) -> Address | None:
    # A link-local address has a zone, which names an interface of this machine.
    return _address(_host(connection).partition("%")[0])


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _address_of_node(text: str) -> Address | None:
    """Return the address of a node such as `192.0.2.7:80`, `[2001:db8::1]:80`, `2001:db8::1`."""
    node = _NODE.fullmatch(text)
    if node is None:
        return _address(text) if "%" not in text else None
    six, four = node["six"], node["four"]
    if six is not None:
        return _address(six) if ":" in six else None
    return _address(four)


def _has_loopback(network: Network) -> bool:
    return any(
        network.version == loopback.version and network.overlaps(loopback) for loopback in _LOOPBACK
    )


def _is_here(host: str) -> bool:
    """Return whether `host` (a name or an address) is this machine."""
    address = _address(host)
    return address.is_loopback if address is not None else host.lower() == "localhost"


def _without_port(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


# --- headers ------------------------------------------------------------------------------------


def _listed(lines: Iterable[str]) -> Iterator[str | None]:
    """Yield the nodes of `X-Forwarded-For` from the right. Empty elements are skipped."""
    for part in reversed(",".join(lines).split(",")):
        if node := part.strip():
            yield node


def _forwarded(lines: Iterable[str]) -> Iterator[str | None]:
    """Yield the `for` of each element of `Forwarded`, from the right; None if it names nobody."""
    for element in _elements(",".join(lines)):
        if element := element.strip(" \t"):
            yield _named_by(element)


def _elements(text: str) -> Iterator[str]:
    """Yield the elements from the right, split at commas outside of quotes.

    Read from the left, a quote of the client could swallow what the proxy has appended.
    """
    end, quoted = len(text), False
    for at in range(len(text) - 1, -1, -1):
        if text[at] == '"':
            quoted ^= not _is_escaped(text, at)
        elif text[at] == "," and not quoted:
            yield text[at + 1 : end]
            end = at
    yield text[:end]


def _is_escaped(text: str, at: int) -> bool:
    start = at
    while start and text[start - 1] == "\\":
        start -= 1
    return (at - start) % 2 == 1


def _named_by(element: str) -> str | None:
    """Return the `for` of an element; None if it has none, has several, or is malformed."""
    at, found = 0, []
    while at < len(element):
        pair = _PAIR.match(element, at)
        if pair is None:
            return None
        name, quoted, token = pair.groups()
        if name is not None and name.lower() == "for":
            found.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else token)
        at = pair.end()
    return found[0] if len(found) == 1 else None
