"""What Twilio's debugger would show: every mistake of the application, by Twilio's error code.

A test of a correct application asserts that there are none. Code 0 is this stand-in's own: Twilio
can do something that the stand-in does not simulate. Source: Twilio's error dictionary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

NOT_SIMULATED = 0
URL_RELATIVE_IN_UPDATE = 15004
RETRIEVAL_FAILED = 11200
CONNECTION_FAILED = 11205
BAD_HOST = 11210
TOO_MANY_REDIRECTS = 11215
TOO_LARGE = 11750
PARSE_FAILED = 12100
SCHEMA = 12200
CONTENT_TYPE = 12300
DIAL_FROM_DIAL = 13201
BAD_CALLER_ID = 13214
BAD_NUMBER = 13223
BAD_LABEL_IN_USE = 16025
ROOM_FULL = 16020
BAD_SIP_URI = 13243
REFER_NOT_SIP = 13801
BAD_COACH = 13240
BAD_SIP_HEADERS = 21227
BAD_SIP_HEADER = 21228
PARAMETERS = 20001
TWIML_AND_URL = 32019
STREAM_FAILED = 31900
STREAM_TIMEOUT = 31901
STREAM_REFUSED = 31902
STREAM_BROKEN = 31903
STREAM_HOST = 31904
STREAM_HANDSHAKE = 31920
STREAM_CLOSE = 31921
STREAM_SCHEME = 31922
STREAM_URL = 31923
STREAM_UNREAD = 31930
STREAM_OVERFLOW = 31931
STREAM_TRACK = 31941
STREAM_BINARY = 31950
STREAM_MESSAGE = 31951


@dataclass(frozen=True)
class Alert:
    """`at` is carrier seconds; `call_sid` is empty where no call is concerned."""

    code: int
    text: str
    call_sid: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        return f"{self.code} {self.text}" + (f" ({self.call_sid})" if self.call_sid else "")


@dataclass
class Unconfirmed:
    """Points on which Twilio's documents are silent: one reading each, to be switched in tests.

    `connect_action_on_redirect`: a `<Connect>` cut by a REST update asks for its action too (the
    answer is ignored, as is documented for `<Dial>`). `declined_is_completed`: a screening that
    was declined reports DialCallStatus `completed` (otherwise `no-answer`). `update_limit`: the
    4,000 characters that are documented for creating a call hold for updating one too.
    `relative_urls_refused`: TwiML with a relative action URL is refused by REST with 15004
    (otherwise it is only an alert, and the action fails when it is requested). `ring_grace_seconds`
    is added to every ringing time (Twilio says about five). `refused_stream_falls_through`: an
    upgrade that is not answered with 101 is like a close (otherwise the call ends).
    `wrong_values_refused`: REST refuses a value that its documents do not allow (otherwise it is
    only an alert). `rooms_by_name`: REST finds a live conference by its name too (documented only
    for adding a participant). `music_for_the_last`: a participant who is alone in a conference
    after the others left hears the music again (the documents have it only before the start).
    `shortest_transcribed_seconds`: shorter recordings are not transcribed.
    """

    connect_action_on_redirect: bool = False
    declined_is_completed: bool = True
    update_limit: bool = True
    relative_urls_refused: bool = False
    ring_grace_seconds: float = 0.0
    refused_stream_falls_through: bool = True
    wrong_values_refused: bool = True
    rooms_by_name: bool = False
    music_for_the_last: bool = False
    shortest_transcribed_seconds: float = 0.0


@dataclass
class Alerts:
    """The list, in order. `codes()` is what tests look at first."""

    entries: list[Alert] = field(default_factory=list)
    on_alert: Callable[[Alert], None] | None = None
    """Called with each alert when it is added."""

    def add(self, code: int, text: str, call_sid: str, at: float) -> None:
        alert = Alert(code, text, call_sid, at)
        self.entries.append(alert)
        if self.on_alert is not None:
            self.on_alert(alert)

    def codes(self) -> list[int]:
        return [alert.code for alert in self.entries]

    def __bool__(self) -> bool:
        return bool(self.entries)

    def __str__(self) -> str:
        return "\n".join(map(str, self.entries)) or "no alerts"
