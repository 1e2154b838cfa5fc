"""Everything that a call asks of the world, as frozen values, and the instructions in them.

A command is an imperative carried out at once by a shell. An *instruction* (`ConnectAgent`,
`DialHumans`, `Speak`, `HangUp`) is what the carrier is told to do with the caller's leg; the
carrier's package turns a sequence of them into its own language (TwiML). Instructions that end
with a question of the carrier's carry a `step`, unique in the call.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core.delivery import Delivery
from hookflash.core.events import ConsultDecided
from hookflash.core.handoff_plan import Target
from hookflash.core.record import CallRecord

# --- instructions to the carrier --------------------------------------------------------------


class ConnectAgent(msgspec.Struct, frozen=True, tag=True):
    """Connect the caller to the agent by a media stream; afterwards ask for what is next."""

    step: int


class DialHumans(msgspec.Struct, frozen=True, tag=True):
    """Ring these targets all at once, bridge the first to answer; afterwards ask for what is next.

    `caller_id` is a number of ours, `"caller"` for the caller's own, or None for the number that
    the caller dialled. With `wave`, whoever answers is asked about first (`HumanAsked`, numbered as
    the targets), and bridged when the answer to that is over.
    """

    step: int
    targets: tuple[Target, ...]
    ring_seconds: int
    caller_id: str | None = None
    wave: int | None = None


class JoinRoom(msgspec.Struct, frozen=True, tag=True):
    """Put a leg into a room, where the caller and the human meet; `room` is the caller's call SID.

    The caller's leg (`leg` None) asks for what is next by `step` when the room is over, a human's
    by wave and leg (`HumanAsked`, `left`). Whoever is first hears music. The room is over when the
    human leaves it, by hanging up or by `*`; a human whose caller is gone is ended by `EndLeg`.
    """

    room: str
    wave: int
    step: int = 0
    leg: int | None = None
    notes: bool = False
    """Another stream hears both from now on; said of the caller's leg."""


class JoinQueue(msgspec.Struct, frozen=True, tag=True):
    """Put the caller into a queue of humans; afterwards ask for what is next.

    `attributes` (text to text) go with the caller where the carrier can carry them. While they
    wait, the carrier asks what they hear (`QueueAsked`).
    """

    step: int
    target: Target
    attributes: dict[str, str] = {}


class KeepInQueue(msgspec.Struct, frozen=True, tag=True):
    """The answer to `QueueAsked`: say `text`, then music for `seconds`, and ask again.

    A key that the caller presses meanwhile comes with the next question.
    """

    step: int
    text: str
    seconds: int = 20
    language: str | None = None


class LeaveQueue(msgspec.Struct, frozen=True, tag=True):
    """The answer to `QueueAsked`: the caller waits no longer."""


class ReferCaller(msgspec.Struct, frozen=True, tag=True):
    """Hand a caller who came by SIP over to another address; afterwards ask for what is next."""

    step: int
    target: Target


class Hold(msgspec.Struct, frozen=True, tag=True):
    """The caller hears a word and a moment of music, and then what is next is asked for again."""

    step: int
    text: str
    seconds: int = 2


class TakeVoicemail(msgspec.Struct, frozen=True, tag=True):
    """Say `text`, beep, record what the caller says; afterwards ask for what is next.

    Ends with `#`, five seconds of silence, or after `seconds`. `transcribe`: have the carrier write
    it down.
    """

    step: int
    text: str
    seconds: int = 180
    transcribe: bool = True
    language: str | None = None


class Screen(msgspec.Struct, frozen=True, tag=True):
    """Say `text` to a human and ask for a key (`HumanAsked`: `pressed`, or `parting` after `*`)."""

    wave: int
    leg: int
    text: str
    point: Literal["pressed", "parting"] = "pressed"
    language: str | None = None


class Bridge(msgspec.Struct, frozen=True, tag=True):
    """The human takes the call: a leg that the caller's leg has dialled is bridged to it."""


class Speak(msgspec.Struct, frozen=True, tag=True):
    """The carrier's own voice says `text`, for when no model can."""

    text: str
    language: str | None = None


class HangUp(msgspec.Struct, frozen=True, tag=True):
    """End the call."""


Instruction = (
    ConnectAgent
    | DialHumans
    | JoinRoom
    | JoinQueue
    | KeepInQueue
    | LeaveQueue
    | ReferCaller
    | Hold
    | TakeVoicemail
    | Screen
    | Bridge
    | Speak
    | HangUp
)


class Message(msgspec.Struct, frozen=True):
    """One line of the conversation so far, as it was heard, for a model that starts afresh."""

    role: Literal["system", "user", "assistant"]
    text: str


# --- commands ---------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, tag=True):
    """The base of all commands."""


class AnswerCarrier(Command, frozen=True, tag=True):
    """The answer to `CallArrived` or `InstructionsAsked`."""

    instructions: tuple[Instruction, ...]


class MoveCall(Command, frozen=True, tag=True):
    """Give the live call new instructions over REST, within `seconds`, and report back.

    Ends in `CallMoved` or `CarrierRefused`, with this `step`.
    """

    step: int
    instructions: tuple[Instruction, ...]
    seconds: float


class CheckTargets(Command, frozen=True, tag=True):
    """Find out whether a destination is open and who is free. Ends in `TargetsChecked`."""

    check: int
    destination: str


class RingHuman(Command, frozen=True, tag=True):
    """Place a call to a human by REST. Ends in `LegPlaced` or `LegRefused`.

    Then come `LegChanged`, and `HumanAsked` when somebody answers. `caller_id` as in `DialHumans`.
    With `detect` the carrier finds out first whether a human or a machine has answered.
    """

    wave: int
    leg: int
    target: Target
    ring_seconds: int
    caller_id: str | None = None
    detect: bool = False


class EndLeg(Command, frozen=True, tag=True):
    """End a human's leg, ringing or not; one that is over already is no error."""

    leg_sid: str


class OpenConsult(Command, frozen=True, tag=True):
    """The agent talks with a human on their own leg, as a call of its own; the answer to this
    `HumanAsked` is the first instruction of that call. Ends in `ConsultDecided`."""

    wave: int
    leg: int
    leg_sid: str
    briefing: str
    destination: str


class ReportConsult(Command, frozen=True, tag=True):
    """Tell the call that a consulting leg belongs to what was settled there."""

    parent_sid: str
    decided: ConsultDecided


class Deliver(Command, frozen=True, tag=True):
    """Keep a message for the owner until it was delivered; the same `id` again completes it."""

    delivery: Delivery


class CloseStream(Command, frozen=True, tag=True):
    """Close the media socket; the carrier then asks for what is next."""


class PlayAudio(Command, frozen=True, tag=True, gc=False):
    """Send sound to the caller: `size` bytes of mu-law, as base64 text."""

    payload: str
    size: int


class SendMark(Command, frozen=True, tag=True, gc=False):
    """Ask to be told when everything sent so far was played."""

    name: str


class ClearAudio(Command, frozen=True, tag=True):
    """Throw away everything that the carrier has not played yet."""


class PlayPrepared(Command, frozen=True, tag=True):
    """Fetch a sound that needs no model, by the name of its line. Ends in `PreparedAudio`."""

    line: Literal["filler", "tone", "ringing"]
    item_id: str


class OpenModel(Command, frozen=True, tag=True):
    """Open a session with the model, holding the conversation so far. Ends in `ModelReady` or
    `ModelLost`."""

    history: tuple[Message, ...] = ()


class CloseModel(Command, frozen=True, tag=True):
    pass


class SendCallerAudio(Command, frozen=True, tag=True, gc=False):
    """Let the model hear the caller."""

    payload: str
    size: int


class CommitCallerAudio(Command, frozen=True, tag=True):
    """The caller's turn has ended, though the model has not detected that."""


class RequestResponse(Command, frozen=True, tag=True):
    """Ask the model to speak. `instructions` are added to the agent's own for this response.

    `request_id` comes back with the response (`ResponseStarted`) or the refusal (`ModelRefused`).
    """

    instructions: str | None = None
    tools: Literal["auto", "none", "required"] | str = "auto"
    request_id: str = ""


class CancelResponse(Command, frozen=True, tag=True):
    response_id: str


class TruncateItem(Command, frozen=True, tag=True):
    """Tell the model how much of an item was heard."""

    item_id: str
    audio_end_ms: int


class DeleteItem(Command, frozen=True, tag=True):
    """Take an item of which nothing was heard out of the model's conversation."""

    item_id: str


class AddMessage(Command, frozen=True, tag=True):
    """Add a line to the model's conversation without asking it to speak."""

    message: Message


class RunTool(Command, frozen=True, tag=True):
    """Run a tool of the owner's. Ends in `ToolFinished`."""

    call_id: str
    name: str
    arguments: str


class CancelTool(Command, frozen=True, tag=True):
    call_id: str


class SendToolOutput(Command, frozen=True, tag=True):
    """Give the model a tool's answer; each `call_id` is answered exactly once."""

    call_id: str
    output: str


class StartRecording(Command, frozen=True, tag=True):
    """Keep the call's sound from now on, or go on keeping it. `since` (seconds since 1970) is when
    the first sample of the recording was heard."""

    since: float


class StopRecording(Command, frozen=True, tag=True):
    """The caller does not want to be recorded: stop, and delete what there is."""


class StoreRecord(Command, frozen=True, tag=True):
    """The call is over: keep its record."""

    record: CallRecord


AnyCommand = (
    AnswerCarrier
    | MoveCall
    | CheckTargets
    | RingHuman
    | EndLeg
    | OpenConsult
    | ReportConsult
    | Deliver
    | CloseStream
    | PlayAudio
    | SendMark
    | ClearAudio
    | PlayPrepared
    | OpenModel
    | CloseModel
    | SendCallerAudio
    | CommitCallerAudio
    | RequestResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
    | AddMessage
    | RunTool
    | CancelTool
    | SendToolOutput
    | StartRecording
    | StopRecording
    | StoreRecord
)
