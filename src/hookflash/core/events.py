"""Everything that can happen to a call, as frozen values.

An event says what has happened, in the past tense, and who said so is its section below. Audio
payloads are the base64 text in which they travelled; a journal leaves them out and keeps `size`
(bytes of mu-law), which is all that the core reads.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Event(msgspec.Struct, frozen=True, tag=True):
    """The base of all events; its subclasses are told apart in JSON by `type`."""


# --- from the carrier -------------------------------------------------------------------------


class CallArrived(Event, frozen=True, tag=True):
    """The carrier asks what to do with a new call (Twilio's voice webhook).

    `caller` and `called` are numbers in E.164 form, `client:` or `sip:` addresses, or texts such
    as `anonymous`. Asked again for a call that is known, it means that the carrier has lost its
    way (a retry, or the fallback URL). Answered by `AnswerCarrier`.
    """

    call_sid: str
    caller: str
    called: str
    direction: str = "inbound"


class StreamStarted(Event, frozen=True, tag=True):
    """The media stream is open and its token was good. `step` is that of its `ConnectAgent`."""

    stream_sid: str
    step: int


class CallerAudio(Event, frozen=True, tag=True, gc=False):
    """Sound from the caller. `at_ms` is the carrier's presentation time since stream start."""

    payload: str
    size: int
    at_ms: int


class MarkReturned(Event, frozen=True, tag=True, gc=False):
    """The carrier played everything up to this mark, or cleared it."""

    name: str


class DigitPressed(Event, frozen=True, tag=True):
    """The caller pressed a key: 0-9, A-D, * or #."""

    digit: str


class StreamStopped(Event, frozen=True, tag=True):
    """The media stream is over: `stop`, a bare close, or both (the second changes nothing)."""

    stream_sid: str
    reason: str = ""


Outcome = Literal[
    "bridged", "busy", "no-answer", "declined", "failed", "canceled", "machine", "caller-gone"
]
"""How an attempt to reach a human ended. `declined`: answered, but never bridged."""


class InstructionsAsked(Event, frozen=True, tag=True):
    """The carrier has come to the end of an instruction and asks what is next.

    `step` is the number of the instruction that ended (`ConnectAgent.step`, `DialHumans.step`
    ...), so that a webhook that comes twice, late or out of order is known for what it is.
    `outcome` is set when the instruction was to reach a human. Answered by `AnswerCarrier`.
    """

    step: int
    point: Literal["connect", "dial", "queue"]
    leg_sid: str = ""
    outcome: Outcome | None = None


class LegChanged(Event, frozen=True, tag=True):
    """A human's leg is ringing, answered or over (status callback of a dialled leg)."""

    leg_sid: str
    status: Literal["initiated", "ringing", "answered", "completed"]
    step: int
    outcome: Outcome | None = None


class CallMoved(Event, frozen=True, tag=True):
    """The carrier accepted `MoveCall` for this step."""

    step: int


class CarrierRefused(Event, frozen=True, tag=True):
    """The carrier refused a request of ours, or did not answer it in time.

    `gone` means that the call was already over: a race, not an error.
    """

    step: int
    status: int | None = None
    code: int | None = None
    gone: bool = False


class CallCompleted(Event, frozen=True, tag=True):
    """The carrier says that the caller's leg is over (status callback `completed`)."""

    status: str = "completed"


# --- from the model ---------------------------------------------------------------------------


class ModelReady(Event, frozen=True, tag=True):
    """The model's session is open and speaks the audio format that we asked for."""

    session_id: str = ""


class ModelLost(Event, frozen=True, tag=True):
    """The model's session is gone. `remedy`: open another one, or never try again."""

    reason: str
    remedy: Literal["rotate", "none"] = "rotate"


class ModelRefused(Event, frozen=True, tag=True):
    """The model answered a message of ours with an error that leaves the session alive.

    `benign` errors are normal races (a response was already running, nothing to cancel, an item
    already shorter) and are only recorded.
    """

    code: str
    message: str
    benign: bool


class ResponseStarted(Event, frozen=True, tag=True):
    response_id: str


class ResponseEnded(Event, frozen=True, tag=True):
    """The model has finished generating, which does not mean that anything was heard."""

    response_id: str
    status: Literal["completed", "cancelled", "failed", "incomplete"]
    reason: str = ""


class ModelAudio(Event, frozen=True, tag=True, gc=False):
    """A piece of the agent's speech: `size` bytes of mu-law of item `item_id`."""

    response_id: str
    item_id: str
    payload: str
    size: int


class ModelAudioEnded(Event, frozen=True, tag=True):
    """No more sound will come for this item."""

    response_id: str
    item_id: str


class AgentTranscribed(Event, frozen=True, tag=True, gc=False):
    """The next piece of text of an item that the agent speaks (a delta, in order)."""

    item_id: str
    text: str


class CallerSpeechStarted(Event, frozen=True, tag=True):
    """The model's voice activity detection heard the caller begin."""

    item_id: str


class CallerSpeechStopped(Event, frozen=True, tag=True):
    item_id: str


class CallerTranscribed(Event, frozen=True, tag=True):
    """What the caller said in item `item_id`, complete. May come after the agent's answer."""

    item_id: str
    text: str


class ToolCallRequested(Event, frozen=True, tag=True):
    """The model calls a tool. `arguments` is JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str
    response_id: str = ""


# --- from tools, people and ourselves ---------------------------------------------------------


class ToolFinished(Event, frozen=True, tag=True):
    """A tool has answered; `output` is what the model reads, also when it `failed`."""

    call_id: str
    output: str
    failed: bool = False


class HandoffRequested(Event, frozen=True, tag=True):
    """Somebody other than the model asks for a human."""

    destination: str
    reason: str
    summary: str = ""
    source: Literal["tool", "caller", "console", "policy", "failure"] = "console"


class HangUpRequested(Event, frozen=True, tag=True):
    """A tool or the owner asks to end the call once the agent has been heard."""

    reason: str = ""


class CallRecovered(Event, frozen=True, tag=True):
    """The call was rebuilt from its journal: its stream, model and tools of before are gone."""


class ShutdownRequested(Event, frozen=True, tag=True):
    """The process is to stop and has waited long enough: bring the caller somewhere safe."""


AnyEvent = (
    CallArrived
    | StreamStarted
    | CallerAudio
    | MarkReturned
    | DigitPressed
    | StreamStopped
    | InstructionsAsked
    | LegChanged
    | CallMoved
    | CarrierRefused
    | CallCompleted
    | ModelReady
    | ModelLost
    | ModelRefused
    | ResponseStarted
    | ResponseEnded
    | ModelAudio
    | ModelAudioEnded
    | AgentTranscribed
    | CallerSpeechStarted
    | CallerSpeechStopped
    | CallerTranscribed
    | ToolCallRequested
    | ToolFinished
    | HandoffRequested
    | HangUpRequested
    | CallRecovered
    | ShutdownRequested
)
