"""SIP URIs as they stand in `<Sip>`, in REST's To and in `<Refer>`. No I/O.

    sip:user@host:port;transport=tls?x-order=42&User-to-User=abc

The URI has fewer than 255 characters, its headers fewer than 1,024; only some header names may be
passed on. Source: Twilio, `<Sip>`; error dictionary 13243, 21227, 21228.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from hookflash_local.carrier import alerts

URI_LETTERS = 255
HEADER_LETTERS = 1024

_URI = re.compile(r"sips?:[^@\s<>\"]+@[^@\s<>\";?]+(;[^\s<>\"?]*)?")
_TRANSPORT = re.compile(r"transport=(udp|tcp|tls)", re.IGNORECASE)
_HEADER = re.compile(
    r"x-.+|user-to-user|remote-party-id|p-preferred-identity|p-called-party-id", re.IGNORECASE
)


def problem(address: str, *, any_header: bool = False) -> tuple[int, str] | None:
    """Say what is wrong with a SIP address, as Twilio's number and a text; None if nothing is.

    `any_header`: `<Refer>` passes every header on.
    """
    uri, _, headers = address.partition("?")
    if not _URI.fullmatch(uri) or len(uri) >= URI_LETTERS:
        return alerts.BAD_SIP_URI, f"not a SIP URI of fewer than 255 characters: {uri[:60]!r}"
    for part in uri.split(";")[1:]:
        if part.startswith("transport=") and not _TRANSPORT.fullmatch(part):
            return alerts.BAD_SIP_URI, f"not a transport: {part!r}"
    if len(headers) >= HEADER_LETTERS:
        return alerts.BAD_SIP_HEADERS, f"the SIP headers have {len(headers)} characters"
    pieces = headers.split("&") if headers else []
    if any("=" not in piece or re.search(r"[\s<>\"]", piece) for piece in pieces):
        return alerts.BAD_SIP_HEADER, f"not name=value: {headers[:60]!r}"
    for name in headers_of(address):
        if not any_header and not _HEADER.fullmatch(name):
            return alerts.BAD_SIP_HEADER, f"the SIP header {name!r} cannot be passed on"
    return None


def headers_of(address: str) -> dict[str, str]:
    """Return the headers in a SIP address, decoded."""
    # In a SIP URI a plus is a plus.
    headers = address.partition("?")[2].replace("+", "%2B")
    return dict(parse_qsl(headers, keep_blank_values=True))
