"""Whether a request was made on this machine, for this machine.

A tunnel ends on this machine too, and a page in its owner's browser may have its own name point
here: what they bring is addressed to another name, or says for whom it comes.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

from hookflash.carriers.twilio.urls import is_loopback

_PROXIED = (
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "via",
    "cf-connecting-ip",
    "true-client-ip",
)


def asked_here(connection: HTTPConnection) -> bool:
    """Return whether the peer is this machine, and speaks for nobody else."""
    if connection.client is None or not is_loopback(connection.client.host):
        return False
    if any(name in connection.headers for name in _PROXIED):
        return False
    return is_loopback(connection.url.hostname or "")
