"""Check whether a request was made on this machine, for this machine.

A tunnel also ends on this machine, and a name of a web page may resolve to it. Such requests are
addressed to another host name, or have headers that name another client.
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


def is_local_request(connection: HTTPConnection) -> bool:
    """Return whether the peer is this machine and does not forward for another client."""
    if connection.client is None or not is_loopback(connection.client.host):
        return False
    if any(name in connection.headers for name in _PROXIED):
        return False
    return is_loopback(connection.url.hostname or "")
