"""Which tool calls are running. Each is run once, and answered or cancelled once.

    (asked) -> RUNNING -> answered
                  +-----> cancelled

A response may call several tools. The model goes on when the last of them has answered, so that it
speaks once and knows all results.
"""

from __future__ import annotations

import msgspec

from hookflash.core.commands import CancelTool, RunTool
from hookflash.core.record import ToolUse


class _Running(msgspec.Struct):
    name: str
    arguments: str
    response_id: str
    started_at: float
    lines: int | None = None
    """How many lines of its own the tool has for a waiting caller. 0: a tone is played instead.
    None: the agent's own fillers are used."""
    spoke: bool = False
    """Whether the response with the tool call made a sound: the agent may have said it already."""
    said: int = 0
    """How many of these lines were played."""
    orphan: bool = False


class Answered(msgspec.Struct, frozen=True):
    """The answer of a tool. `orphan`: the session that called it is lost.

    `complete`: all tools that the same response called have answered.
    """

    use: ToolUse
    orphan: bool
    complete: bool


class RunningTools:
    """The tool calls of one call."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._seen: set[str] = set()
        self._own: set[str] = set()
        """Calls of built-in tools by this session that have no answer yet."""

    @property
    def running(self) -> bool:
        """Whether a tool that this session has called has not answered."""
        return any(not call.orphan for call in self._running.values())

    @property
    def awaited(self) -> bool:
        """Whether the caller waits for a tool, called by this session or by an earlier one."""
        return bool(self._running)

    @property
    def line_is_due(self) -> bool:
        """Whether a tool with lines of its own runs, and the caller was not told why they wait."""
        calls = self._running.values()
        return any(call.lines and not call.said and not call.spoke for call in calls)

    @property
    def tone_only(self) -> bool:
        """Whether tools run, and each of them is to have a tone instead of a line."""
        return self.awaited and all(call.lines == 0 for call in self._running.values())

    def take_line(self) -> str:
        """Return the tool whose own line is played next; empty: every line was played."""
        for call in self._running.values():
            if call.said < (call.lines or 0):
                for each in self._running.values():
                    # If a tool runs twice at the same time, each of its lines is played once.
                    each.said += each.name == call.name
                return call.name
        return ""

    def ask(
        self,
        call_id: str,
        name: str,
        arguments: str,
        response_id: str,
        now: float,
        *,
        lines: int | None = None,
        spoke: bool = False,
    ) -> list[RunTool]:
        """Run a tool. The same `call_id` again changes nothing.

        `lines` is how many lines of its own the tool has. `spoke` is whether the response that
        calls it has made a sound.
        """
        if call_id in self._seen:
            return []
        self._seen.add(call_id)
        self._running[call_id] = _Running(name, arguments, response_id, now, lines, spoke)
        return [RunTool(call_id, name, arguments)]

    def note(self, call_id: str) -> bool:
        """Note the call of a built-in tool. Return whether it is new."""
        if call_id in self._seen:
            return False
        self._seen.add(call_id)
        self._own.add(call_id)
        return True

    def asked_before(self, call_id: str) -> bool:
        """Return whether another session than this one called the built-in tool."""
        asked_now = call_id in self._own
        self._own.discard(call_id)
        return not asked_now

    def finish(self, call_id: str, output: str, failed: bool, now: float) -> Answered | None:
        """A tool has answered. Return None if it was answered or cancelled before."""
        call = self._running.pop(call_id, None)
        if call is None:
            return None
        use = ToolUse(
            name=call.name,
            arguments=call.arguments,
            output=output,
            failed=failed,
            started_at=call.started_at,
            seconds=now - call.started_at,
        )
        complete = all(
            other.response_id != call.response_id or other.orphan
            for other in self._running.values()
        )
        return Answered(use, call.orphan, complete or call.orphan)

    def orphan_all(self) -> None:
        """The session is lost; the next one gets the answers as messages."""
        self._own.clear()
        for call in self._running.values():
            call.orphan = True

    def cancel_all(self) -> list[CancelTool]:
        cancelled = [CancelTool(call_id) for call_id in self._running]
        self._running.clear()
        return cancelled
