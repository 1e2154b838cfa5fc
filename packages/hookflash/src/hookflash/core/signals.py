"""What one machine tells the call, which routes it to another machine.

A signal says what has happened or what is wanted, never who has to act on it: that is the table in
`call.py`. Texts are for the model, in the words of `lines.py`.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec

from hookflash.core.commands import AnyCommand, Instruction
from hookflash.core.events import Outcome, QueueAsked, Recording
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.phases import Phase

Purpose = Literal["hand-off", "hang-up", "voicemail", "consulted"]
"""What the agent's last words lead to."""


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all signals."""


# --- from the conversation --------------------------------------------------------------------


class HandoffWanted(Signal, frozen=True, kw_only=True):
    """Somebody asks for a human. `destination` is what was asked for, perhaps no key.

    `call_id` is the tool call that waits for an answer. `spoke`: the response that asks has made a
    sound already.
    """

    destination: object
    reason: str = ""
    summary: str = ""
    source: str = "tool"
    call_id: str | None = None
    spoke: bool = False
    plan: HandoffPlan | None = None


class HandoffUnwanted(Signal, frozen=True, kw_only=True):
    """A hand-off that has not come to its human is not wanted any more.

    `call_id` is the tool call that says so. `quiet`: the agent knows, or need not be told.
    """

    by: str = ""
    call_id: str | None = None
    quiet: bool = False


class LastWordsHeard(Signal, frozen=True, kw_only=True):
    """The agent's last words were heard, or waited for long enough."""

    purpose: Purpose


class CallbackTaken(Signal, frozen=True, kw_only=True):
    """The agent has taken a number and a wish; `call_id` is the tool call that says so."""

    call_id: str
    number: str
    wish: str


class VoicemailWanted(Signal, frozen=True, kw_only=True):
    """The caller wants to leave a message."""

    call_id: str
    spoke: bool


class QuestionUnanswered(Signal, frozen=True, kw_only=True):
    """Nobody has answered a question that a tool has asked a human."""

    question_id: str
    question: str


class AgentGone(Signal, frozen=True, kw_only=True):
    """No session with the model can be had, or the caller's stream cannot: there is no agent."""

    reason: str


class CallerSaid(Signal, frozen=True, kw_only=True):
    """What the caller has said in a turn, complete; `started_at` is when they began."""

    text: str
    started_at: float


# --- from the hand-off ------------------------------------------------------------------------


class TellAgent(Signal, frozen=True, kw_only=True):
    """The agent should know something (`known`), and is asked to `say` something about it.

    `company`: it speaks while the caller waits for a human, in words of its own. Anything else that
    is told about a hand-off means that this wait is over.
    """

    known: str
    say: str = ""
    company: bool = False


class AnswerTool(Signal, frozen=True, kw_only=True):
    """The answer to a tool call that one of the machines carries out; then the model speaks, unless
    its last words are due. `company` as in `TellAgent`."""

    call_id: str
    output: str
    company: bool = False


class LastWordsDue(Signal, frozen=True, kw_only=True):
    """The agent says its last words, and then `purpose` is carried out.

    `text` asks the model for them if it says none of its own accord. `spoke`: the response of now
    has them in it. `own_line`: only the line that is asked for counts. `protected`: the caller
    cannot talk over them. `answer` is for the tool call that has led here.
    """

    purpose: Purpose
    text: str
    spoke: bool = False
    own_line: bool = False
    protected: bool = False
    answer: AnswerTool | None = None


class LastWordsOff(Signal, frozen=True, kw_only=True):
    """The last words are not wanted any more: the conversation goes on."""


class MoveCaller(Signal, frozen=True, kw_only=True):
    """The caller's leg follows these instructions from now on; the agent's part is over for now.

    `wait_seconds` is how long it may be before something comes of it.
    """

    instructions: tuple[Instruction, ...]
    phase: Phase
    wait_seconds: float | None = None


class ReturnCaller(Signal, frozen=True, kw_only=True):
    """The caller goes (back) to the agent, who knows `known` and is asked to `say` something first;
    None: what it was about to say, or that the line was interrupted."""

    say: str | None = None
    known: str = ""


class CallerWaits(Signal, frozen=True, kw_only=True):
    """Something has happened at the human's end: the caller may have to wait for so long."""

    seconds: float


class CallerMet(Signal, frozen=True, kw_only=True):
    """The caller and a human hear each other."""


class CallerInRoom(Signal, frozen=True, kw_only=True):
    """The caller is in the room, whatever REST says of the move."""


class RecordChanged(Signal, frozen=True, kw_only=True):
    """Something was learnt of a call whose record is made already."""


# --- from the caller's leg --------------------------------------------------------------------


class CallArrived(Signal, frozen=True, kw_only=True):
    """A new call: the agent is to greet."""


class CallerOnStream(Signal, frozen=True, kw_only=True):
    """The caller's stream is open."""


class StreamLost(Signal, frozen=True, kw_only=True):
    """The stream is over without our doing; whether the caller is still there is not known yet."""


class CallerReturned(Signal, frozen=True, kw_only=True):
    """The carrier asks what is next for a caller who was with the agent, or comes from nowhere.

    `may_connect`: a stream is worth another try.
    """

    may_connect: bool


class RoomOver(Signal, frozen=True, kw_only=True):
    """The caller's room is over, or the moment on hold is; the carrier asks what is next."""

    point: Literal["room", "hold"]
    outcome: Outcome | None = None


class DialOver(Signal, frozen=True, kw_only=True):
    """What the caller's own leg has rung (dial, queue, refer) is over; the carrier asks."""

    outcome: Outcome


class DialledLegChanged(Signal, frozen=True, kw_only=True):
    """News of a leg that the caller's own leg is ringing."""

    status: Literal["ringing", "answered"]


class MetAfterAll(Signal, frozen=True, kw_only=True):
    """The caller had been bridged when their leg ended."""


class QueueAsks(Signal, frozen=True, kw_only=True):
    """The carrier asks what a caller in a queue hears. `asked`: by the queue they are in now."""

    event: QueueAsked
    current: bool


class MessageRecorded(Signal, frozen=True, kw_only=True):
    """A message was recorded, or not; the carrier asks what is next."""

    step: int
    recording: Recording | None


class MessageReady(Signal, frozen=True, kw_only=True):
    """The recording of the message can be fetched."""

    step: int
    recording: Recording


class MessageTranscribed(Signal, frozen=True, kw_only=True):
    """The message was written down; an empty text: it could not be."""

    step: int
    text: str


class CallerGone(Signal, frozen=True, kw_only=True):
    """The caller's leg is over. `given_up`: every road to a human was tried in vain."""

    given_up: bool = False


class Step:
    """What comes of one event: the commands, in order, and the signals still to be routed."""

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
