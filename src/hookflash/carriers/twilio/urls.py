"""The addresses under which Twilio reaches us, all absolute, all from one public URL. No I/O.

TwiML sent over REST may hold no relative address (error 15004), and a signature covers the URL
as Twilio asked for it, so there is one source for both: the configured public URL, never the
Host header of a request.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import msgspec

from hookflash.errors import ConfigError

PREFIX = "/twilio"
MEDIA = f"{PREFIX}/media"

RETRY = "#ct=2000&rt=4500&rc=3&rp=ct,rt,5xx"
"""Connection overrides of the questions that a caller waits for: a process that is just being
replaced is asked again, three times, within Twilio's limit of 15 s for all of them. A fragment is
not part of the signature. Source: twilio.com/docs/usage/webhooks/webhooks-connection-overrides."""


class Urls(msgspec.Struct, frozen=True):
    """`origin` is `scheme://host[:port]`, `path` the prefix behind it (empty or `/prefix`).

    `worker` is the process that a media socket belongs to, where there are several.
    """

    origin: str
    path: str = ""
    worker: str = ""

    @classmethod
    def under(cls, public_url: str, *, worker: str = "") -> Urls:
        """Read the configured public URL. Raises `ConfigError` for what Twilio could not use."""
        try:
            parts = urlsplit(public_url.strip())
            usable = parts.port != 0 and bool(parts.hostname)
        except ValueError:
            usable = False
        if (
            not usable
            or parts.scheme not in ("http", "https")
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise ConfigError(
                "public URL: expected https://host, with a path prefix if there is one,"
                f" got {public_url!r}; set HOOKFLASH_PUBLIC_URL"
            )
        if "_" in parts.netloc:
            raise ConfigError(
                f"public URL: Twilio refuses host names with an underscore, got {public_url!r};"
                " set HOOKFLASH_PUBLIC_URL to another name"
            )
        return cls(f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/"), worker)

    def http(self, path: str) -> str:
        """Return the absolute URL of `path` (which begins with a slash)."""
        return f"{self.origin}{self.path}{path}"

    def socket(self, path: str) -> str:
        """Return the same with `wss` (or `ws`, which only a stand-in without TLS accepts)."""
        return f"ws{self.origin.removeprefix('http')}{self.path}{path}"

    def inner(self, path: str) -> str:
        """Return a request's `path` without our prefix, which a proxy may or may not remove."""
        inner = path.removeprefix(self.path)
        return inner if inner.startswith("/") else path

    def voice(self) -> str:
        return self.http(f"{PREFIX}/voice")

    def connect(self, step: int) -> str:
        return self.http(f"{PREFIX}/connect/{step}") + RETRY

    def dial(self, step: int) -> str:
        return self.http(f"{PREFIX}/dial/{step}") + RETRY

    def queue(self, step: int) -> str:
        return self.http(f"{PREFIX}/queue/{step}") + RETRY

    def leg(self, step: int) -> str:
        return self.http(f"{PREFIX}/leg/{step}")

    def status(self) -> str:
        return self.http(f"{PREFIX}/status")

    def stream(self) -> str:
        return self.http(f"{PREFIX}/stream")

    def media(self) -> str:
        return self.socket(f"{MEDIA}/{self.worker}" if self.worker else MEDIA)

    def worker_of(self, path: str) -> str:
        """Return the worker that a media socket's `path` names; empty if it names none."""
        inner = self.inner(path.partition("?")[0])
        return inner.removeprefix(f"{MEDIA}/") if inner.startswith(f"{MEDIA}/") else ""


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or an address) is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
