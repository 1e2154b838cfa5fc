"""The addresses under which Twilio reaches us, all absolute, all from one public URL. No I/O.

TwiML sent over REST may hold no relative address (error 15004), and a signature covers the URL
as Twilio asked for it, so there is one source for both: the configured public URL, never the
Host header of a request.
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
"""The longest piece of music that there is an address for."""

RETRY = "#ct=2000&rt=4500&rc=3&rp=ct,rt,5xx"
"""Connection overrides of the questions that a caller waits for: a process that is just being
replaced is asked again, three times, within Twilio's limit of 15 s for all of them. A fragment is
not part of the signature. Source: twilio.com/docs/usage/webhooks/webhooks-connection-overrides."""


Point = Literal["answered", "pressed", "parting", "left"]
"""What a human's leg has come to when it asks what is next (`HumanAsked.point`)."""


class Urls(msgspec.Struct, frozen=True):
    """`origin` is `scheme://host[:port]`, `path` the prefix behind it (empty or `/prefix`).

    `worker` is the process that a call's sockets belong to, where there are several.
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

    # --- about a human's leg: the caller's call is in the path, for the form names the leg -------

    def human(self, call_sid: str, wave: int, leg: int, point: Point) -> str:
        """Return where a human's leg asks what is next."""
        return self._human(call_sid, wave, leg, point) + RETRY

    def human_status(self, call_sid: str, wave: int, leg: int) -> str:
        return self._human(call_sid, wave, leg, "status")

    def consult(self, call_sid: str, step: int) -> str:
        """Return where a human's leg asks what is next when its own stream is over."""
        return self.http(f"{PREFIX}/consult/{_segment(call_sid)}/{step}") + RETRY

    def room_events(self, call_sid: str, wave: int) -> str:
        return self.http(f"{PREFIX}/room-events/{_segment(call_sid)}/{wave}")

    # --- about a caller who waits -----------------------------------------------------------------

    def room(self, step: int) -> str:
        return self.http(f"{PREFIX}/room/{step}") + RETRY

    def refer(self, step: int) -> str:
        return self.http(f"{PREFIX}/refer/{step}") + RETRY

    def hold(self, step: int) -> str:
        return self.http(f"{PREFIX}/hold/{step}") + RETRY

    def wait(self, step: int) -> str:
        """Return where it is asked what a caller in a queue hears."""
        return self.http(f"{PREFIX}/wait/{step}") + RETRY

    def voicemail(self, step: int) -> str:
        return self.http(f"{PREFIX}/voicemail/{step}") + RETRY

    def recording(self, step: int) -> str:
        return self.http(f"{PREFIX}/recording/{step}")

    def transcription(self, step: int) -> str:
        return self.http(f"{PREFIX}/transcription/{step}")

    def music(self, seconds: int) -> str:
        """Return the address of music of about so many seconds."""
        return self.http(f"{PREFIX}/music/{min(max(seconds, 1), MUSIC_SECONDS)}.wav")

    def transcript(self, call_sid: str) -> str:
        """Return where the owner's people read what was said in a call (signed in)."""
        return self.http(f"/api/calls/{_segment(call_sid)}")

    def _human(self, call_sid: str, wave: int, leg: int, point: str) -> str:
        return self.http(f"{PREFIX}/human/{_segment(call_sid)}/{wave}/{leg}/{point}")

    # --- about streams and the call itself --------------------------------------------------------

    def status(self) -> str:
        return self.http(f"{PREFIX}/status")

    def stream(self) -> str:
        return self.http(f"{PREFIX}/stream")

    def media(self) -> str:
        return self.socket(f"{MEDIA}/{self.worker}" if self.worker else MEDIA)

    def notes(self) -> str:
        """Return the socket of a stream that only listens to caller and human."""
        return self.socket(f"{NOTES}/{self.worker}" if self.worker else NOTES)

    def worker_of(self, path: str) -> str:
        """Return the worker that the `path` of a call's socket names; empty if it names none."""
        inner = self.inner(path.partition("?")[0])
        for socket in (MEDIA, NOTES):
            if inner.startswith(f"{socket}/"):
                return inner.removeprefix(f"{socket}/")
        return ""


def _segment(text: str) -> str:
    """Return `text` as one segment of a path, whatever is in it."""
    return quote(text, safe="")


def is_loopback(host: str) -> bool:
    """Return whether `host` (a name or an address) is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
