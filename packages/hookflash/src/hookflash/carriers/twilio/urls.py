"""The absolute URLs under which Twilio reaches this server. No I/O.

TwiML over REST may contain no relative URL (error 15004), and a signature covers the URL as Twilio
requested it. So all URLs come from the configured public URL, never from a request's Host header.
"""

from __future__ import annotations

import ipaddress
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from hookflash.errors import ConfigError

PREFIX = "/twilio"
MEDIA = f"{PREFIX}/media"
NOTES = f"{PREFIX}/notes"

MUSIC_SECONDS = 60
"""The longest music that has a URL."""

RETRY = "#ct=2000&rt=4500&rc=3&rp=ct,rt,5xx"
"""Connection overrides for requests that a caller waits for.

Twilio retries them three times within its total limit of 15 s, in case a process is being replaced.
The fragment is not signed. Source: twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
"""


Point = Literal["answered", "pressed", "parting", "left"]
"""Where a human's leg is when it asks for instructions (`HumanAsked.point`)."""


class Urls(msgspec.Struct, frozen=True):
    """`origin` is `scheme://host[:port]`, `path` the prefix after it ("" or `/prefix`).

    `worker` is the process for a call's sockets, if there are several.
    """

    origin: str
    path: str = ""
    worker: str = ""

    @classmethod
    def under(cls, public_url: str, *, worker: str = "") -> Urls:
        """Read the configured public URL. Raises `ConfigError` if Twilio could not use it."""
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
        """Return the absolute URL of `path`, which begins with a slash."""
        return f"{self.origin}{self.path}{path}"

    def socket(self, path: str) -> str:
        """Return the same with `wss` (or `ws`, which only a stand-in without TLS accepts)."""
        return f"ws{self.origin.removeprefix('http')}{self.path}{path}"

    def inner(self, path: str) -> str:
        """Return a request's `path` without the prefix, which a proxy may have removed."""
        inner = path.removeprefix(self.path)
        return inner if inner.startswith("/") else path

    def voice(self) -> str:
        return self.http(f"{PREFIX}/voice")

    def brought(self, number: int) -> str:
        """Return where Twilio asks about a call that comes for a human, for the `number`th time."""
        return f"{self.voice()}?brought={number}{RETRY}"

    def connect(self, step: int) -> str:
        return self.http(f"{PREFIX}/connect/{step}") + RETRY

    def dial(self, step: int) -> str:
        return self.http(f"{PREFIX}/dial/{step}") + RETRY

    def queue(self, step: int) -> str:
        return self.http(f"{PREFIX}/queue/{step}") + RETRY

    def leg(self, step: int) -> str:
        return self.http(f"{PREFIX}/leg/{step}")

    # --- a human's leg: the path names the caller's call, because the form names the leg ---------

    def human(self, call_sid: str, wave: int, leg: int, point: Point) -> str:
        """Return where a human's leg asks for instructions."""
        return self._human(call_sid, wave, leg, point) + RETRY

    def human_status(self, call_sid: str, wave: int, leg: int) -> str:
        return self._human(call_sid, wave, leg, "status")

    def consult(self, call_sid: str, step: int) -> str:
        """Return where a human's leg asks for instructions after its own stream."""
        return self.http(f"{PREFIX}/consult/{_segment(call_sid)}/{step}") + RETRY

    def room_events(self, call_sid: str, wave: int) -> str:
        return self.http(f"{PREFIX}/room-events/{_segment(call_sid)}/{wave}")

    # --- a caller who waits -----------------------------------------------------------------------

    def room(self, step: int) -> str:
        return self.http(f"{PREFIX}/room/{step}") + RETRY

    def refer(self, step: int) -> str:
        return self.http(f"{PREFIX}/refer/{step}") + RETRY

    def hold(self, step: int) -> str:
        return self.http(f"{PREFIX}/hold/{step}") + RETRY

    def wait(self, step: int) -> str:
        """Return where Twilio asks what a caller in a queue hears."""
        return self.http(f"{PREFIX}/wait/{step}") + RETRY

    def voicemail(self, step: int) -> str:
        return self.http(f"{PREFIX}/voicemail/{step}") + RETRY

    def recording(self, step: int) -> str:
        return self.http(f"{PREFIX}/recording/{step}")

    def transcription(self, step: int) -> str:
        return self.http(f"{PREFIX}/transcription/{step}")

    def music(self, seconds: int) -> str:
        """Return the URL of about `seconds` of music."""
        return self.http(f"{PREFIX}/music/{min(max(seconds, 1), MUSIC_SECONDS)}.wav")

    def transcript(self, call_sid: str) -> str:
        """Return where the owner's staff read the call's transcript (signed in)."""
        return self.http(f"/api/calls/{_segment(call_sid)}")

    def _human(self, call_sid: str, wave: int, leg: int, point: str) -> str:
        return self.http(f"{PREFIX}/human/{_segment(call_sid)}/{wave}/{leg}/{point}")

    # --- streams and the call itself --------------------------------------------------------------

    def status(self) -> str:
        return self.http(f"{PREFIX}/status")

    def detected(self) -> str:
        """Return where Twilio reports who has answered a call that the line has placed."""
        return self.http(f"{PREFIX}/detected")

    def stream(self) -> str:
        return self.http(f"{PREFIX}/stream")

    def media(self) -> str:
        return self.socket(f"{MEDIA}/{self.worker}" if self.worker else MEDIA)

    def notes(self) -> str:
        """Return the URL of the notes socket, which receives caller and human."""
        return self.socket(f"{NOTES}/{self.worker}" if self.worker else NOTES)

    def worker_of(self, path: str) -> str:
        """Return the worker that the `path` of a call's socket names, or ""."""
        inner = self.inner(path.partition("?")[0]).removesuffix("/")
        for socket in (MEDIA, NOTES):
            if inner.startswith(f"{socket}/"):
                return inner.removeprefix(f"{socket}/")
        return ""


def _segment(text: str) -> str:
    """Return `text` as one path segment, escaped."""
    return quote(text, safe="")


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or an address) is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
