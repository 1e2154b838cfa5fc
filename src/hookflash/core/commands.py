"""Everything that a call asks of the world, as frozen values, and the instructions in them.

A command is an imperative carried out at once by a shell. An *instruction* (`ConnectAgent`,
`DialHumans`, `Speak`, `HangUp`) is what the carrier is told to do with the caller's leg; the
carrier's package turns a sequence of them into its own language (TwiML). Instructions that end
with a question of the carrier's carry a `step`, unique in the call.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core.handoff_plan import Target
from hookflash.core.record import CallRecord

# --- instructions to the carrier --------------------------------------------------------------


class ConnectAgent(msgspec.Struct, frozen=True, tag=True):
    """Connect the caller to the agent by a media stream; afterwards ask for what is next."""

    step: int


class DialHumans(msgspec.Struct, frozen=True, tag=True):
    """Ring these targets all at once, bridge the first to answer; afterwards ask for what is next.

    `caller_id` is None where the carrier's default is to be used.
    """

    step: int
    targets: tuple[Target, ...]
    ring_seconds: int
    caller_id: str | None = None


class JoinQueue(msgspec.Struct, frozen=True, tag=True):
    """Put the caller into a queue of humans; afterwards ask for what is next.

    `attributes` (text to text) go with the caller where the carrier can carry them.
    """

    step: int
    target: Target
    attributes: dict[str, str] = {}


class Speak(msgspec.Struct, frozen=True, tag=True):
    """The carrier's own voice says `text`, for when no model can."""

    text: str


class HangUp(msgspec.Struct, frozen=True, tag=True):
    """End the call."""


Instruction = ConnectAgent | DialHumans | JoinQueue | Speak | HangUp


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


class RequestResponse(Command, frozen=True, tag=True):
    """Ask the model to speak. `instructions` are added to the agent's own for this response."""

    instructions: str | None = None
    tools: Literal["auto", "none", "required"] | str = "auto"


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


class StoreRecord(Command, frozen=True, tag=True):
    """The call is over: keep its record."""

    record: CallRecord


AnyCommand = (
    AnswerCarrier
    | MoveCall
    | CloseStream
    | PlayAudio
    | SendMark
    | ClearAudio
    | OpenModel
    | CloseModel
    | SendCallerAudio
    | RequestResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
    | AddMessage
    | RunTool
    | CancelTool
    | SendToolOutput
    | StoreRecord
)
