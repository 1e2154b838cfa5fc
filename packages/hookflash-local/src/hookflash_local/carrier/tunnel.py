"""From the public address to the laptop, as a tunnel such as ngrok does it. No I/O.

The carrier calls, signs and reports public URLs; the bytes go to a loopback address. Nothing
here ever leads anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ALIKE = {"https": "wss", "http": "ws", "wss": "wss", "ws": "ws"}


class NotReachable(Exception):
    """The URL leads to no loopback address, directly or by the tunnel."""


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


@dataclass(frozen=True)
class Road:
    """Where the bytes really go, and the headers that the tunnel adds."""

    url: str
    headers: dict[str, str]


def road(url: str, tunnel: Mapping[str, str]) -> Road:
    """Map a public http(s) or ws(s) URL by the tunnel's table of origins, without its fragment.

    Raises NotReachable for an address that is neither in the table nor on loopback.
    """
    public = url.partition("#")[0]
    parts = urlsplit(public)
    for origin, target in tunnel.items():
        front = urlsplit(origin)
        if front.netloc == parts.netloc and _ALIKE.get(front.scheme) == _ALIKE.get(parts.scheme):
            back = urlsplit(target)
            if not is_loopback(target):
                raise NotReachable(f"the tunnel's target {target} is not on loopback")
            secure = back.scheme in ("https", "wss")
            kind = ("wss" if secure else "ws") if parts.scheme in ("ws", "wss") else back.scheme
            forwarded = "https" if parts.scheme in ("https", "wss") else "http"
            return Road(
                parts._replace(scheme=kind, netloc=back.netloc).geturl(),
                {"X-Forwarded-Proto": forwarded, "X-Forwarded-Host": parts.netloc},
            )
    if not is_loopback(public):
        raise NotReachable(
            f"{parts.scheme}://{parts.netloc} is not on loopback and not in the tunnel's table"
        )
    return Road(public, {})
