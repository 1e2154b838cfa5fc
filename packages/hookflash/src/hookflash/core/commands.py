"""Commands of a call, and instructions to the carrier, as frozen values.

The driver carries out a *command* at once. An *instruction* (`ConnectAgent`, `DialHumans`, `Speak`,
`HangUp`) says what the carrier does with a leg; the carrier's package turns instructions into its
own language (TwiML). After some instructions the carrier asks what is next. Those have a `step`,
which is unique in the call.
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
    """Connect the caller to the agent by a media stream; afterwards ask what is next."""

    step: int


class DialHumans(msgspec.Struct, frozen=True, tag=True):
    """Ring these targets all at once, bridge the first to answer; afterwards ask what is next.

    `caller_id` is a number of the owner's, `"caller"` for the caller's own, or None for the number
    that the caller dialled. With `wave`, the carrier asks first what to do with a leg that answers
    (`HumanAsked`, numbered as the targets), and bridges it afterwards.
    """

    step: int
    targets: tuple[Target, ...]
    ring_seconds: int
    caller_id: str | None = None
    wave: int | None = None
    talk_seconds: int | None = None
    """How long the bridge may last; None is without a limit."""


class JoinRoom(msgspec.Struct, frozen=True, tag=True):
    """Put a leg into a room, where the caller and the human meet; `room` is the caller's call SID.

    When the room is over, the caller's leg (`leg` is None) asks what is next by `step`. A human's
    leg asks by wave and leg (`HumanAsked`, `left`). The first to join hears music. The room is over
    when the human leaves it, by hanging up or by `*`. If the caller is gone, `EndLeg` ends the
    human's leg.
    """

    room: str
    wave: int
    step: int = 0
    leg: int | None = None
    notes: bool = False
    """Whether another stream transcribes both from now on; only for the caller's leg."""
    talk_seconds: int | None = None
    """How long this leg may be in the room; None is without a limit."""


class JoinQueue(msgspec.Struct, frozen=True, tag=True):
    """Put the caller into a queue of humans; afterwards ask what is next.

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
    """The answer to `QueueAsked`: the caller leaves the queue."""


class ReferCaller(msgspec.Struct, frozen=True, tag=True):
    """Refer a caller who came by SIP to another address; afterwards ask what is next."""

    step: int
    target: Target


class Hold(msgspec.Struct, frozen=True, tag=True):
    """Say `text`, play music for `seconds`, and ask what is next."""

    step: int
    text: str
    seconds: int = 2


class PlayKeys(msgspec.Struct, frozen=True, tag=True):
    """Play the tones of telephone keys to the other side: 0-9, `*`, `#`; `w` waits 0.5 s."""

    digits: str


class TakeVoicemail(msgspec.Struct, frozen=True, tag=True):
    """Say `text`, beep, record what the caller says; afterwards ask what is next.

    The recording ends with `#`, five seconds of silence, or after `seconds`. `transcribe`: the
    carrier transcribes it.
    """

    step: int
    text: str
    seconds: int = 180
    transcribe: bool = True
    language: str | None = None


class Screen(msgspec.Struct, frozen=True, tag=True):
    """Say `text` to a human and ask for a key (`HumanAsked`: `pressed`, or `parting` after `*`).

    `seconds` is how long they have for the key; None is the default of the carrier's adapter.
    """

    wave: int
    leg: int
    text: str
    point: Literal["pressed", "parting"] = "pressed"
    language: str | None = None
    seconds: int | None = None


class Bridge(msgspec.Struct, frozen=True, tag=True):
    """Bridge a leg that the caller's leg has dialled: the human takes the call."""


class Speak(msgspec.Struct, frozen=True, tag=True):
    """Say `text` with the carrier's own voice, without a model."""

    text: str
    language: str | None = None


class Redirect(msgspec.Struct, frozen=True, tag=True):
    """Ask `url` what is next: the application that had the call before goes on with it."""

    url: str


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
    | PlayKeys
    | TakeVoicemail
    | Screen
    | Bridge
    | Speak
    | Redirect
    | HangUp
)


class Message(msgspec.Struct, frozen=True):
    """One line of the conversation so far, as heard, for a new session with a model."""

    role: Literal["system", "user", "assistant"]
    text: str


# --- commands ---------------------------------------------------------------------------------


class Command(msgspec.Struct, frozen=True, tag=True):
    """The base of all commands."""


class AnswerCarrier(Command, frozen=True, tag=True):
    """The answer to `CallArrived` or `InstructionsAsked`."""

    instructions: tuple[Instruction, ...]


class MoveCall(Command, frozen=True, tag=True):
    """Give the live call new instructions by REST, within `seconds`.

    Ends in `CallMoved` or `CarrierRefused`, with this `step`.
    """

    step: int
    instructions: tuple[Instruction, ...]
    seconds: float


class LimitCall(Command, frozen=True, tag=True):
    """Let the carrier end the caller's leg after `seconds`, in case no process is left to end it.

    A later limit replaces an earlier one.
    """

    seconds: int


class CheckTargets(Command, frozen=True, tag=True):
    """Find out whether a destination is open and who is free. Ends in `TargetsChecked`."""

    check: int
    destination: str


class RefuseTarget(Command, frozen=True, tag=True):
    """Report that a target is not rung: its number begins with none of `CallSetup.dial_prefixes`.

    `target` is its index in the plan's targets.
    """

    destination: str
    target: int


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
    """End a human's leg, ringing or not. A leg that is over already is no error."""

    leg_sid: str


class OpenConsult(Command, frozen=True, tag=True):
    """Let the agent talk with a human on the human's leg, as a call of its own.

    The first instruction of that call answers this `HumanAsked`. Ends in `ConsultDecided`.
    """

    wave: int
    leg: int
    leg_sid: str
    briefing: str
    destination: str


class ReportConsult(Command, frozen=True, tag=True):
    """Report a human's decision from a consulting leg to the call that it belongs to."""

    parent_sid: str
    decided: ConsultDecided


class Deliver(Command, frozen=True, tag=True):
    """Deliver a message to the owner. The same `id` again adds to an earlier part."""

    delivery: Delivery


class CloseStream(Command, frozen=True, tag=True):
    """Close the media socket; the carrier then asks what is next."""


class PlayAudio(Command, frozen=True, tag=True, gc=False):
    """Send sound to the caller: `size` bytes of mu-law, as base64 text."""

    payload: str
    size: int


class SendMark(Command, frozen=True, tag=True, gc=False):
    """Ask the carrier to return this mark when everything sent so far was played."""

    name: str


class ClearAudio(Command, frozen=True, tag=True):
    """Drop all sound that the carrier has not played yet."""


class PlayPrepared(Command, frozen=True, tag=True):
    """Load a prepared sound, by the name of its line. Ends in `PreparedAudio`.

    With `tool`, a filler is the next of that tool's own lines.
    """

    line: Literal["filler", "tone", "ringing"]
    item_id: str
    tool: str = ""


class BringAgent(Command, frozen=True, tag=True):
    """Find the agent that the one who speaks knows as `key`.

    Ends in `AgentPrepared` or `AgentRefused`.
    """

    key: str


class OpenModel(Command, frozen=True, tag=True):
    """Open a session with the model, with the conversation so far. Ends in `ModelReady` or
    `ModelLost`."""

    history: tuple[Message, ...] = ()


class CloseModel(Command, frozen=True, tag=True):
    """Close the session with the model.

    `reason`: why the call gives up a session that is not lost. Empty if it is lost or not needed.
    """

    reason: Literal["", "silent", "not-ready", "responses-failed"] = ""


class SendCallerAudio(Command, frozen=True, tag=True, gc=False):
    """Send the caller's sound to the model."""

    payload: str
    size: int


class CommitCallerAudio(Command, frozen=True, tag=True):
    """End the caller's turn for the model, which has not detected its end."""


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
    """Remove an item of which nothing was heard from the model's conversation."""

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


Ending = Literal["complete", "finished", "timeout", "cancelled", "busy", "interrupted"]
"""Why a collection of digits has ended.

- complete: all digits were typed.
- finished: the caller pressed the finish key.
- timeout: the caller pressed no key for too long.
- cancelled: the tool has ended.
- busy: another tool is collecting digits.
- interrupted: the call has moved, ended or lost its stream, or was recovered.
"""


class ReportKeys(Command, frozen=True, tag=True):
    """Tell the tool that waits for it whether its keys were pressed."""

    press_id: str
    pressed: bool


class GiveDigits(Command, frozen=True, tag=True):
    """Give the tool the digits that the caller has typed. `typed` is their number.

    Only the driver has the digits. With `cancelled`, `busy` and `interrupted` there are none.
    """

    collection_id: str
    typed: int
    ending: Ending


class SendToolOutput(Command, frozen=True, tag=True):
    """Send a tool's output to the model, once for each `call_id`."""

    call_id: str
    output: str


class StartRecording(Command, frozen=True, tag=True):
    """Record the call's sound from now on, or go on recording. `since` (seconds since 1970) is when
    the first sample of the recording was heard."""

    since: float


class StopRecording(Command, frozen=True, tag=True):
    """Stop recording, and delete what was recorded: the caller refuses."""


class PauseCarrierRecording(Command, frozen=True, tag=True):
    """Pause the carrier's recording of the caller's leg, because the caller types a secret.

    Hookflash starts no such recording, but the owner may have started one.
    """


class ResumeCarrierRecording(Command, frozen=True, tag=True):
    """Resume the carrier's recording, if it was paused."""


class StoreRecord(Command, frozen=True, tag=True):
    """Store the record of the call, which is over."""

    record: CallRecord


AnyCommand = (
    AnswerCarrier
    | MoveCall
    | LimitCall
    | CheckTargets
    | RefuseTarget
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
    | BringAgent
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
    | ReportKeys
    | GiveDigits
    | SendToolOutput
    | StartRecording
    | StopRecording
    | PauseCarrierRecording
    | ResumeCarrierRecording
    | StoreRecord
)
