"""A trace: when a call's stages, tools, legs and barge-ins began and ended. No I/O.

The call itself does not store these times; a console shows them. A trace gets the call's events
except audio, and checks the call after each. The trace of a call that another process had is read
from its journal (`journal_trace.py`). It stores a few values per item. All times are seconds since
1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hookflash.console.supervisor_actions import action_of
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, CancelTool, RunTool
from hookflash.core.events import (
    AnyEvent,
    CallCompleted,
    GiveBackRequested,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    QuestionAsked,
    RoomChanged,
    ToolFinished,
)
from hookflash.core.state_words import state_of

_WITH_HUMAN = "with human"


class StageSeen(msgspec.Struct):
    name: str
    started_at: float
    ended_at: float | None = None


class ToolSeen(msgspec.Struct):
    name: str
    arguments: str
    started_at: float
    ended_at: float | None = None
    status: Literal["running", "answered", "failed", "cancelled"] = "running"
    output: str = ""


class LegSeen(msgspec.Struct):
    started_at: float
    answered_at: float | None = None
    ended_at: float | None = None
    outcome: str = ""


class ActionSeen(msgspec.Struct):
    at: float
    by: str
    kind: str
    text: str


class PartingSeen(msgspec.Struct):
    """The end of a talk between the caller and a human, and who ended it."""

    at: float
    by: Literal["human", "caller", "returned"]


class Trace:
    """The trace of one call. `barged` barge-ins happened before it began."""

    def __init__(self, barged: int = 0) -> None:
        self.stages: list[StageSeen] = []
        self.tools: dict[str, ToolSeen] = {}
        self.legs: dict[str, LegSeen] = {}
        self.barge_ins: list[float] = []
        self.actions: list[ActionSeen] = []
        self.questions: dict[str, float] = {}
        self.partings: list[PartingSeen] = []
        self._running: dict[str, ToolSeen] = {}
        self._barged = barged
        self._seen: tuple[object, ...] = ()

    def update(
        self, call: Call, event: AnyEvent | None, commands: Sequence[AnyCommand], now: float
    ) -> bool:
        """Add an event and its commands. Return whether the list of calls changes."""
        for command in commands:
            self.add_command(command, now)
        if event is not None:
            self.add_event(event, now)
        handoff = call.handoff
        seen = (
            call.phase,
            handoff.state,
            handoff.request is None,
            call.conversation.barge_ins,
            self.running,
            tuple(call.conversation.questions),
            len(handoff.attempts),
            *_spoken(call),
        )
        if seen == self._seen:
            return False
        self._seen = seen
        if call.conversation.barge_ins > self._barged:
            self._barged = call.conversation.barge_ins
            self.barge_ins.append(now)
        self.enter_stage(call.phase.value, handoff.state.value, now)
        return True

    @property
    def running(self) -> tuple[str, ...]:
        """Return the names of the running tools, the oldest first."""
        return tuple(tool.name for tool in self._running.values())

    def add_event(self, event: AnyEvent, now: float) -> None:
        """Add an event."""
        if self.stage == _WITH_HUMAN:
            self._parting(event, now)
        if type(event) is ToolFinished:
            status: Literal["failed", "answered"] = "failed" if event.failed else "answered"
            self._tool_over(event.call_id, status, event.output, now)
        elif type(event) is LegChanged:
            self._leg(event, now)
        elif type(event) is QuestionAsked:
            self.questions.setdefault(event.question_id, now)
        elif (action := action_of(event)) is not None:
            by, kind, text = action
            self.actions.append(ActionSeen(now, by, kind, text))

    def add_command(self, command: AnyCommand, now: float) -> None:
        """Add a command."""
        if type(command) is RunTool:
            seen = ToolSeen(command.name, command.arguments, now)
            self.tools[command.call_id] = self._running[command.call_id] = seen
        elif type(command) is CancelTool:
            self._tool_over(command.call_id, "cancelled", "", now)

    def enter_stage(self, phase: str, handoff: str, now: float) -> None:
        """Note the call's phase and its hand-off's state, which is shown while a hand-off runs."""
        name = state_of(phase, handoff)
        if self.stages and self.stages[-1].name == name:
            return
        if self.stages:
            self.stages[-1].ended_at = now
        self.stages.append(StageSeen(name, now))

    def prepend(self, before: Trace) -> None:
        """Add the earlier trace of a call that another process had before."""
        if before.stages and self.stages:
            before.stages[-1].ended_at = self.stages[0].started_at
        self.stages = before.stages + self.stages
        self.tools = before.tools | self.tools
        self._running = before._running | self._running
        self.legs = before.legs | self.legs
        self.barge_ins = before.barge_ins + self.barge_ins
        self.actions = before.actions + self.actions
        self.questions = before.questions | self.questions
        self.partings = before.partings + self.partings

    @property
    def stage(self) -> str:
        """Return the name of the current stage; "" before the first."""
        return self.stages[-1].name if self.stages else ""

    def _parting(self, event: AnyEvent, now: float) -> None:
        """Note who ends the talk with the human, if nobody has ended it before."""
        if self.partings and self.partings[-1].at >= self.stages[-1].started_at:
            return
        by: Literal["human", "caller", "returned"]
        match event:
            case RoomChanged(change="left", leg_sid=leg_sid):
                by = "human" if leg_sid in self.legs else "caller"
            case LegChanged(status="completed", leg_sid=leg_sid) if (
                leg := self.legs.get(leg_sid)
            ) is not None and leg.answered_at is not None:
                by = "human"
            case InstructionsAsked(point="dial", outcome="bridged"):
                by = "human"
            case CallCompleted():
                by = "caller"
            case GiveBackRequested() | HumanAsked(point="left"):
                by = "returned"
            case _:
                return
        self.partings.append(PartingSeen(now, by))

    def _tool_over(
        self,
        call_id: str,
        status: Literal["answered", "failed", "cancelled"],
        output: str,
        now: float,
    ) -> None:
        tool = self._running.pop(call_id, None)
        if tool is not None:
            tool.ended_at, tool.status, tool.output = now, status, output

    def _leg(self, event: LegChanged, now: float) -> None:
        leg = self.legs.setdefault(event.leg_sid, LegSeen(now))
        if event.status == "answered" and leg.answered_at is None:
            leg.answered_at = now
        elif event.status == "completed" and leg.ended_at is None:
            leg.ended_at, leg.outcome = now, event.outcome or ""


def _spoken(call: Call) -> tuple[object, ...]:
    """Return what changes with each turn: who speaks, and the last line with words."""
    lines = call.conversation.transcript.lines
    last = lines[-1] if lines else None
    return (
        len(lines),
        last is not None and bool(last.text),
        last is not None and last.ended_at > last.started_at,
        call.conversation.playout.playing(),
    )
