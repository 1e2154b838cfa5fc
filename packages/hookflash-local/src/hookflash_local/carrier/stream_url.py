"""What may stand in `<Stream url>`. No I/O.

Only `wss://` (and, where it is allowed, `ws://` on loopback), no query, no fragment.
Source: Twilio, `<Stream>`; error dictionary 31904, 31920, 31922, 31923.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from hookflash_local.carrier import notices
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.tunnel import NotReachable, is_loopback, road


def url_problem(exchange: Exchange, url: str) -> tuple[int, str] | None:
    """Say why a stream to `url` cannot be opened, as Twilio's number and a text."""
    parts = urlsplit(url)
    insecure = exchange.settings.allow_insecure and is_loopback(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and insecure):
        return notices.STREAM_SCHEME, f"expected a wss:// URL, got {parts.scheme}://"
    if not parts.hostname or parts.fragment:
        return notices.STREAM_URL, f"malformed URL {url!r}"
    if parts.query:
        return notices.STREAM_HANDSHAKE, "a query string in the URL is not supported"
    try:
        road(url, exchange.webhooks.tunnel)
    except NotReachable as error:
        return notices.STREAM_HOST, str(error)
    return None
