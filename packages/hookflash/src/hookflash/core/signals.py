"""Signals: what one machine tells the call, which routes it to another machine.

A signal says what has happened or what is needed. It never says which machine acts on it: that is
in the table `_ROUTES` of `call.py`. Texts in a signal are for the model, from `prompts.py`.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

from hookflash.core.commands import AnyCommand, Instruction
from hookflash.core.events import Outcome, QueueAsked, Recording
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup

Purpose = Literal["hand-off", "hang-up", "voicemail", "consulted"]
"""What the agent's last words lead to."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all signals."""


# --- from the conversation --------------------------------------------------------------------


class HandoffWanted(Signal, frozen=True, kw_only=True):
    """Somebody asks for a human. `destination` is unchecked: it may be no key of a destination.

    `call_id` is the tool call that waits for an answer. `spoke`: the model has spoken in the
    response that calls the tool.
    """

    destination: object
    reason: str = ""
    summary: str = ""
    source: str = "tool"
    call_id: str | None = None
    spoke: bool = False
    plan: HandoffPlan | None = None


class HandoffUnwanted(Signal, frozen=True, kw_only=True):
    """Cancel the hand-off, if the caller is not on their way to the human yet.

    `call_id` is the tool call that waits for an answer. `quiet`: do not tell the agent.
    """

    by: str = ""
    call_id: str | None = None
    quiet: bool = False


class LastWordsHeard(Signal, frozen=True, kw_only=True):
    """The caller has heard the agent's last words, or has waited for them long enough."""

    purpose: Purpose


class CallbackTaken(Signal, frozen=True, kw_only=True):
    """The agent has noted a number and a wish. The tool call `call_id` waits for an answer."""

    call_id: str
    number: str
    wish: str


class VoicemailWanted(Signal, frozen=True, kw_only=True):
    """The caller wants to leave a message."""

    call_id: str
    spoke: bool


class QuestionUnanswered(Signal, frozen=True, kw_only=True):
    """A tool asked a human a question, and nobody answered it."""

    question_id: str
    question: str


class AgentGone(Signal, frozen=True, kw_only=True):
    """There is no agent: no session with the model can be opened, or no stream to the caller."""

    reason: str


class KeysDue(Signal, frozen=True, kw_only=True):
    """The other side is to hear the tones of these keys. The agent then goes on."""

    digits: str


class AgentChanged(Signal, frozen=True, kw_only=True):
    """Another agent speaks from now on: the call is set up as `setup` says."""

    setup: CallSetup


class CallerSaid(Signal, frozen=True, kw_only=True):
    """The caller has said `text` in a turn that began at `started_at`."""

    text: str
    started_at: float


# --- from the hand-off ------------------------------------------------------------------------


class TellAgent(Signal, frozen=True, kw_only=True):
    """Add `known` to the model's conversation, and ask the agent to `say` something about it.

    `company`: the agent talks with the caller while a human is rung. Without it, the ringing is
    over, and what the agent was about to say while it rang is dropped.
    """

    known: str
    say: str = ""
    company: bool = False


class AnswerTool(Signal, frozen=True, kw_only=True):
    """Answer the call of a built-in tool; then the model speaks. `company` as in `TellAgent`."""

    call_id: str
    output: str
    company: bool = False


class LastWordsDue(Signal, frozen=True, kw_only=True):
    """The agent says its last words; when they were heard, `purpose` is carried out.

    `text` asks the model for them, unless it says some by itself. `spoke`: the running response
    contains them. `own_line`: only the line that `text` asks for counts. `protected`: the caller
    cannot interrupt them. `answer` is for the tool call that asked for the last words.
    """

    purpose: Purpose
    text: str
    spoke: bool = False
    own_line: bool = False
    protected: bool = False
    answer: AnswerTool | None = None


class LastWordsOff(Signal, frozen=True, kw_only=True):
    """Cancel the last words: the conversation goes on."""


class MoveCaller(Signal, frozen=True, kw_only=True):
    """Move the caller's leg away from the agent, to these instructions.

    `wait_seconds` is how long the caller may wait for a human. `wave` is the number of the wave of
    humans to which the instructions lead; 0 is none.
    """

    instructions: tuple[Instruction, ...]
    phase: Phase
    wait_seconds: float | None = None
    wave: int = 0


class ReturnCaller(Signal, frozen=True, kw_only=True):
    """Connect the caller with the agent (again). The model knows `known`, and says `say` first.

    With `say` None, it says what it was about to say, or that the line was interrupted.
    """

    say: str | None = None
    known: str = ""


class CallerWaits(Signal, frozen=True, kw_only=True):
    """A human is being asked: the caller may wait for `seconds` from now on."""

    seconds: float


class CallerBridged(Signal, frozen=True, kw_only=True):
    """The caller and a human hear each other."""


class CallerInRoom(Signal, frozen=True, kw_only=True):
    """The caller is in the room of a wave, even if REST has not confirmed the move."""

    wave: int


class RecordChanged(Signal, frozen=True, kw_only=True):
    """Something became known after the call's record was stored: store it again."""


# --- from the caller's leg --------------------------------------------------------------------


class CallBegan(Signal, frozen=True, kw_only=True):
    """A new call has begun: the agent greets the caller."""


class CallerOnStream(Signal, frozen=True, kw_only=True):
    """The caller's stream is open."""


class StreamLost(Signal, frozen=True, kw_only=True):
    """The stream ended, not by a command. The caller may still be on the line.

    `stalled`: it carried nothing for a while, so the caller has heard nothing for as long.
    """

    stalled: bool = False


class CallerReturned(Signal, frozen=True, kw_only=True):
    """The carrier asks what is next for a caller who was with the agent.

    `may_connect`: another stream may be tried.
    """

    may_connect: bool


class RoomOver(Signal, frozen=True, kw_only=True):
    """The caller's room or hold is over, and the carrier asks what is next."""

    point: Literal["room", "hold"]
    outcome: Outcome | None = None


class DialOver(Signal, frozen=True, kw_only=True):
    """The caller's dial, queue or refer is over, and the carrier asks what is next."""

    outcome: Outcome


class DialledLegChanged(Signal, frozen=True, kw_only=True):
    """A leg that the caller's own leg dials rings, was answered, or is over."""

    status: Literal["ringing", "answered", "completed"]
    leg_sid: str


class BridgedAfterAll(Signal, frozen=True, kw_only=True):
    """The caller was bridged with a human of this wave. It became known only afterwards.

    `recorded`: the call had ended, so its record was stored before this was known.
    """

    wave: int
    recorded: bool


class NeverBridged(Signal, frozen=True, kw_only=True):
    """The caller hung up before they were bridged with a human of this wave, who had answered."""

    wave: int


class QueueAsks(Signal, frozen=True, kw_only=True):
    """The carrier asks what a caller in a queue hears. `current`: they are in that queue now."""

    event: QueueAsked
    current: bool


class MessageRecorded(Signal, frozen=True, kw_only=True):
    """The caller has left a message, or none, and the carrier asks what is next."""

    step: int
    recording: Recording | None


class MessageReady(Signal, frozen=True, kw_only=True):
    """The recording of the message can be fetched."""

    step: int
    recording: Recording


class MessageTranscribed(Signal, frozen=True, kw_only=True):
    """The message was transcribed. Empty text: it could not be."""

    step: int
    text: str


class CallerGone(Signal, frozen=True, kw_only=True):
    """The caller's leg is over. `given_up`: it could not be moved to a human in either way."""

    given_up: bool = False


class Step:
    """What one event leads to: commands, in order, and signals that are still to be routed."""

    __slots__ = ("commands", "now", "signals")

    def __init__(self, now: float) -> None:
        self.now = now
        self.commands: list[AnyCommand] = []
        self.signals: deque[Signal] = deque()

    def do(self, *commands: AnyCommand) -> None:
        """Add commands for the outside."""
        self.commands += commands

    def tell(self, signal: Signal) -> None:
        """Add a signal for another machine."""
        self.signals.append(signal)
