"""Twilio's signature: the published vector, the official validator as oracle, and refusals."""

from __future__ import annotations

from hashlib import sha256
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import HMAC_SHA256, RequestValidator

from hookflash.carriers.twilio.signature import Signatures
from hookflash.errors import CarrierProtocolError

TOKEN = "12345"
URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
BODY = urlencode(
    {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
).encode()
VECTOR = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
SOCKET = "wss://line.example.com/twilio/media"
KEYED = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"


def sign(url: str, params: dict[str, str] | None = None, token: str = TOKEN) -> str:
    return RequestValidator(token).compute_signature(url, params or {})


def test_the_published_vector_is_good() -> None:
    assert Signatures([TOKEN]).request(URL, BODY, signature=VECTOR)
    assert Signatures([TOKEN]).request(URL, BODY, signature=f" {VECTOR}\r")


@pytest.mark.parametrize(
    ("url", "body", "signature"),
    [
        (URL, BODY, ""),
        (URL, BODY, VECTOR[:-1]),
        (URL, BODY, VECTOR.lower()),
        (URL, BODY, "\u20ac\udcff"),
        (URL, BODY + b"&Extra=", VECTOR),
        (URL, BODY.replace(b"1234&", b"1235&"), VECTOR),
        (URL, b"", VECTOR),
        (URL.replace("https", "http"), BODY, VECTOR),
        (URL.replace("foo=1", "foo=2"), BODY, VECTOR),
        (URL.replace("mycompany", "othercompany"), BODY, VECTOR),
    ],
)
def test_anything_changed_is_refused(url: str, body: bytes, signature: str) -> None:
    assert not Signatures([TOKEN]).request(url, body, signature=signature)


def test_without_a_token_nothing_is_good_not_even_an_empty_secret() -> None:
    signature = sign(URL, dict(parse_qsl(BODY.decode())), token="")
    assert not Signatures([]).request(URL, BODY, signature=signature)
    assert not Signatures(["", ""]).request(URL, BODY, signature=signature)


@pytest.mark.parametrize(
    ("tokens", "keys", "has_secret"),
    [
        ([], None, False),
        (["", ""], {"webhooks_sharedkey_1": ""}, False),
        (["", TOKEN], None, True),
        ([], {"webhooks_sharedkey_1": "secret"}, True),
    ],
)
def test_an_empty_secret_is_none(
    tokens: list[str], keys: dict[str, str] | None, has_secret: bool
) -> None:
    assert Signatures(tokens, keys).has_secret is has_secret


def test_while_a_token_is_rotated_both_are_good() -> None:
    assert Signatures(["new", TOKEN]).request(URL, BODY, signature=VECTOR)
    assert Signatures([TOKEN, "new"]).request(URL, BODY, signature=VECTOR)
    assert not Signatures(["new", "newer"]).request(URL, BODY, signature=VECTOR)


def test_a_get_is_signed_by_its_url() -> None:
    assert Signatures([TOKEN]).request(URL, b"", signature=sign(URL))


def test_blank_and_repeated_values_count() -> None:
    body = b"CallSid=CA1&Empty=&Twice=b&Twice=a"
    signature = sign("https://h/p" + "CallSidCA1" + "Empty" + "TwiceaTwiceb")
    assert Signatures([TOKEN]).request("https://h/p", body, signature=signature)


@pytest.mark.parametrize("changed", [False, True])
def test_a_json_body_is_covered_by_its_hash(changed: bool) -> None:
    body = b'{"a": "\xff"}'
    url = f"https://h/p?x=1&bodySHA256={sha256(body).hexdigest()}"
    told = Signatures([TOKEN]).request(
        url,
        body + b" " * changed,
        signature=sign(url),
        content_type="application/json; charset=utf-8",
    )
    assert told is not changed


def test_a_json_body_without_a_hash_is_refused_though_the_url_is_signed() -> None:
    signature = sign("https://h/p")
    assert not Signatures([TOKEN]).request(
        "https://h/p", b"{}", signature=signature, content_type="application/json"
    )


def test_a_body_is_not_let_in_by_calling_it_something_else() -> None:
    signature = sign("https://h/p")
    for content_type in ("", "text/plain", "multipart/form-data; boundary=x"):
        assert not Signatures([TOKEN]).request(
            "https://h/p", b"CallSid=CA1", signature=signature, content_type=content_type
        )


def test_too_many_fields_are_a_protocol_error() -> None:
    with pytest.raises(CarrierProtocolError):
        Signatures([TOKEN]).request(URL, b"a=1&" * 600 + b"b=1", signature=VECTOR)


def test_the_socket_is_signed_by_its_wss_url_alone() -> None:
    signature = sign(SOCKET)
    assert Signatures([TOKEN]).socket(SOCKET, signature=signature)
    for other in (SOCKET.replace("wss", "https"), SOCKET + "/", SOCKET + "?a=1"):
        assert not Signatures([TOKEN]).socket(other, signature=signature)


@pytest.mark.parametrize(
    ("ours", "signed"),
    [
        ("https://h/p", "https://h:443/p"),
        ("https://h:443/p", "https://h/p"),
        ("https://h:8443/p", "https://h/p"),
        ("http://127.0.0.1/p", "http://127.0.0.1:80/p"),
        ("http://[::1]:80/p", "http://[::1]/p"),
        ("wss://h/p", "wss://h:443/p"),
        ("ws://h/p", "ws://h:80/p"),
    ],
)
def test_a_port_may_be_signed_or_left_out(ours: str, signed: str) -> None:
    assert Signatures([TOKEN]).socket(ours, signature=sign(signed))
    assert Signatures([TOKEN]).socket(ours, signature=sign(ours))
    assert not Signatures([TOKEN]).socket(ours, signature=sign(signed.replace("/p", ":1/p")))


def test_a_shared_key_signs_with_sha256_under_its_own_name() -> None:
    params = dict(parse_qsl(BODY.decode()))
    signature = RequestValidator("secret").compute_signature(URL, params, HMAC_SHA256)
    signatures = Signatures([TOKEN], {"webhooks_sharedkey_1": "secret"})
    assert signatures.request(URL, BODY, signature=signature, settings=KEYED)
    assert signatures.request(URL, BODY, signature=VECTOR)
    for settings in ("", KEYED.replace("_1", "_2"), KEYED.replace("256", "512"), "key=x"):
        assert not signatures.request(URL, BODY, signature=signature, settings=settings)
    assert not Signatures([TOKEN], {"webhooks_sharedkey_1": ""}).request(
        URL, BODY, signature=signature, settings=KEYED
    )


def test_the_auth_token_may_sign_with_sha256_as_well() -> None:
    signature = RequestValidator(TOKEN).compute_signature(SOCKET, {}, HMAC_SHA256)
    signatures = Signatures([TOKEN])
    assert signatures.socket(SOCKET, signature=signature, settings="algorithm=hmac_sha256")
    assert not signatures.socket(SOCKET, signature=signature)


names = st.text(st.characters(codec="utf-8"), max_size=8)


@given(
    st.dictionaries(names, names, max_size=5),
    st.sampled_from(["https://h.example.com/p", "https://h.example.com/p?a=1&b="]),
    st.booleans(),
)
def test_we_agree_with_the_official_validator(
    params: dict[str, str], url: str, honest: bool
) -> None:
    signature = sign(url, params, token=TOKEN if honest else "other")
    body = urlencode(params).encode()
    ours = Signatures([TOKEN]).request(url, body, signature=signature)
    assert ours is RequestValidator(TOKEN).validate(url, params, signature) is honest
