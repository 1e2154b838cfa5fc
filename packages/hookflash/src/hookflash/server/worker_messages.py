"""What the workers of a line say to one another, as values. No I/O.

Asked                   answered by
`AskCarriersQuestion`   `Answered`, or `Elsewhere` if another worker has the call
`TellEvent`             `Known`: whether anything is known of the call
`HasCall`               `Known`
`RingsHuman`            `Known`: whether the line would talk with itself
`Greet`                 `Load`
`ReportCounts`          `Counted`
`AwaitReport`           `Reported`: the live calls that have changed since, for a console
`LookAt`                `Looked`: one live call with all its parts
"""

from __future__ import annotations

import msgspec

from hookflash.carriers.twilio.webhooks import Forwarded
from hookflash.console.live import Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent
from hookflash.server.counts import Counts
from hookflash.server.desk import Question


class _Said(msgspec.Struct, frozen=True, tag=True):
    pass


class AskCarriersQuestion(_Said, frozen=True, tag=True):
    """Answer the carrier: the call is yours, or shall be if it is nobody's."""

    question: Question


class TellEvent(_Said, frozen=True, tag=True):
    """This has happened to a call of yours."""

    call_sid: str
    event: AnyEvent


class HasCall(_Said, frozen=True, tag=True):
    call_sid: str


class RingsHuman(_Said, frozen=True, tag=True):
    """Does a call of yours ring the telephone that has forwarded a call?"""

    forwarded: Forwarded


class Greet(_Said, frozen=True, tag=True):
    """Are you there, and how busy are you?"""


class ReportCounts(_Said, frozen=True, tag=True):
    pass


class AwaitReport(_Said, frozen=True, tag=True):
    """Say what has changed since version `since` of `epoch`, within `seconds`."""

    epoch: str
    since: int
    seconds: float


class LookAt(_Said, frozen=True, tag=True):
    call_sid: str


class Answered(_Said, frozen=True, tag=True):
    """The carrier's answer, as it is to be sent."""

    twiml: str


class Elsewhere(_Said, frozen=True, tag=True):
    """The call is that of worker `name`; an empty name is somebody not known yet."""

    name: str


class Known(_Said, frozen=True, tag=True):
    known: bool


class Load(_Said, frozen=True, tag=True):
    live: int
    draining: bool = False


class Counted(_Said, frozen=True, tag=True):
    counts: Counts


class Reported(_Said, frozen=True, tag=True):
    report: Report


class Looked(_Said, frozen=True, tag=True):
    detail: CallDetail | None


Request = (
    AskCarriersQuestion
    | TellEvent
    | HasCall
    | RingsHuman
    | Greet
    | ReportCounts
    | AwaitReport
    | LookAt
)
Reply = Answered | Elsewhere | Known | Load | Counted | Reported | Looked

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
