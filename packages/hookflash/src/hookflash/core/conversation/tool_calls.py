"""Tool calls: each is run once, answered once and cancelled at most once.

    (asked) -> RUNNING -> answered
                  +-----> cancelled

A response may call several tools. The model is asked to go on when the last of that response's
calls has been answered, so that it speaks once and knows everything.
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
    orphan: bool = False


class Answered(msgspec.Struct, frozen=True):
    """What an answer means. `orphan`: the session that asked is gone. `complete`: the response
    that asked has all its answers."""

    use: ToolUse
    orphan: bool
    complete: bool


class ToolCalls:
    """The tool calls of one call."""

    def __init__(self) -> None:
        self._running: dict[str, _Running] = {}
        self._seen: set[str] = set()
        self._own: set[str] = set()
        """Calls of our own tools that the session of now has made and that have no answer yet."""

    @property
    def running(self) -> bool:
        """Whether a tool that the session of now has called has not answered."""
        return any(not call.orphan for call in self._running.values())

    def ask(
        self, call_id: str, name: str, arguments: str, response_id: str, now: float
    ) -> list[RunTool]:
        """A tool is called; the same `call_id` again changes nothing."""
        if call_id in self._seen:
            return []
        self._seen.add(call_id)
        self._running[call_id] = _Running(name, arguments, response_id, now)
        return [RunTool(call_id, name, arguments)]

    def note(self, call_id: str) -> bool:
        """Remember a call that the core answers itself. Return whether it is new."""
        if call_id in self._seen:
            return False
        self._seen.add(call_id)
        self._own.add(call_id)
        return True

    def asked_before(self, call_id: str) -> bool:
        """Return whether it was another session that has called one of our own tools."""
        asked_now = call_id in self._own
        self._own.discard(call_id)
        return not asked_now

    def finish(self, call_id: str, output: str, failed: bool, now: float) -> Answered | None:
        """A tool has answered; None if it was answered or cancelled before."""
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
        """The session that asked is gone; the answers will be told to the next one in words."""
        self._own.clear()
        for call in self._running.values():
            call.orphan = True

    def cancel_all(self) -> list[CancelTool]:
        cancelled = [CancelTool(call_id) for call_id in self._running]
        self._running.clear()
        return cancelled
