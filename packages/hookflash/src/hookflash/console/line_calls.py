"""Reach the calls of a line in any of its processes.

The rest of the console knows processes only through `LineCalls`. `SingleProcess` is for a process
without other workers; `server.workers.Workers` reaches the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hookflash.console.live_calls import LiveCalls, Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent


class LineCalls(Protocol):
    """The calls of all processes of a line."""

    def processes(self) -> Sequence[str]:
        """Return the names of the processes that answer, this one first."""

    def silent(self) -> Sequence[str]:
        """Return the names of the processes that exist and do not answer: their calls are
        missing."""

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        """Return that process's changes as `LiveCalls.next_report` does; None if it does not
        answer."""

    async def look_at(self, call_sid: str) -> CallDetail | None:
        """Return a live call with all its parts; None if no process has it."""

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Post an event to the call. Return False if no process has it."""


class SingleProcess:
    """A process without other workers. `post` is a switchboard's."""

    def __init__(self, live: LiveCalls, post: Callable[[str, AnyEvent], Awaitable[bool]]) -> None:
        self._live = live
        self._post = post

    def processes(self) -> Sequence[str]:
        return ("",)

    def silent(self) -> Sequence[str]:
        return ()

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        return await self._live.next_report(epoch, since, seconds=seconds)

    async def look_at(self, call_sid: str) -> CallDetail | None:
        return await self._live.detail(call_sid)

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        return await self._post(call_sid, event)
