"""The messages between the workers of a line, and between its nodes, as values. No I/O.

Request                 answered by
`AnswerQuestion`        `Answered`, or `Elsewhere` if another worker has the call
`PostEvent`             `Known`: whether the call is known
`HasCall`               `Known`
`RingsHuman`            `Known`: whether the line would call itself
`GetLoad`               `Load`
`ReportCounts`          `Counted`
`AwaitReport`           `Reported`: the live calls that have changed since, for a console
`GetDetail`             `Detail`: one live call with all its parts

Between nodes only:

`HandOver`              `HandedOver`; `RelayStream` if the call cannot move; `Refused` if the token
                        is invalid; `Elsewhere` if the node does not have the call
`ReachesStore`          `Known`: whether the node reaches the cluster's store
"""

from __future__ import annotations

import msgspec

from hookflash.carriers.twilio.webhooks import Forwarded
from hookflash.console.live_calls import Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent
from hookflash.server.carrier_answers import Question
from hookflash.server.metrics import Counts


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


class AnswerQuestion(_Message, frozen=True, tag=True):
    """Answer the carrier's question. The call is yours, or becomes yours if no worker has it."""

    question: Question


class PostEvent(_Message, frozen=True, tag=True):
    """Post an event to one of your calls."""

    call_sid: str
    event: AnyEvent


class HasCall(_Message, frozen=True, tag=True):
    call_sid: str


class RingsHuman(_Message, frozen=True, tag=True):
    """Does one of your calls ring the phone that forwarded a call?"""

    forwarded: Forwarded


class GetLoad(_Message, frozen=True, tag=True):
    """How many calls do you have?"""


class ReportCounts(_Message, frozen=True, tag=True):
    pass


class AwaitReport(_Message, frozen=True, tag=True):
    """Report what has changed since version `since` of `epoch`, within `seconds`."""

    epoch: str
    since: int
    seconds: float


class GetDetail(_Message, frozen=True, tag=True):
    call_sid: str


class HandOver(_Message, frozen=True, tag=True):
    """Give the call to `node`, where its media stream has arrived with `token`."""

    call_sid: str
    token: str
    node: str


class ReachesStore(_Message, frozen=True, tag=True):
    pass


class HandedOver(_Message, frozen=True, tag=True):
    """The call is yours. `number` is your lease's; 0 if the store is down. `journal` is empty if
    the store has all of it."""

    number: int
    journal: bytes = b""


class RelayStream(_Message, frozen=True, tag=True):
    """The call stays here: relay its stream to `/node/media` of this node."""


class Refused(_Message, frozen=True, tag=True):
    """The token is wrong or used, or the call has a stream already."""


class Answered(_Message, frozen=True, tag=True):
    """The answer for the carrier."""

    twiml: str


class Elsewhere(_Message, frozen=True, tag=True):
    """Worker `name` has the call; an empty name means a worker that is not known yet."""

    name: str


class Known(_Message, frozen=True, tag=True):
    known: bool


class Load(_Message, frozen=True, tag=True):
    live: int
    draining: bool = False


class Counted(_Message, frozen=True, tag=True):
    counts: Counts


class Reported(_Message, frozen=True, tag=True):
    report: Report


class Detail(_Message, frozen=True, tag=True):
    detail: CallDetail | None


Request = (
    AnswerQuestion
    | PostEvent
    | HasCall
    | RingsHuman
    | GetLoad
    | ReportCounts
    | AwaitReport
    | GetDetail
    | HandOver
    | ReachesStore
)
Reply = (
    Answered
    | Elsewhere
    | Known
    | Load
    | Counted
    | Reported
    | Detail
    | HandedOver
    | RelayStream
    | Refused
)

encode = msgspec.msgpack.Encoder().encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
