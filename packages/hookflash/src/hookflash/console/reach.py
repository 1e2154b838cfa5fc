"""How a console reaches the calls of a line, whichever of its processes has them.

`Reach` is all that the rest of the console knows of processes. `Alone` is that of a process that
has no neighbours; `server.workers.Workers` reaches those that there are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hookflash.console.live import LiveCalls, Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent


class Reach(Protocol):
    """The processes of a line."""

    def processes(self) -> Sequence[str]:
        """Return the names of those that answer, our own first."""

    def silent(self) -> Sequence[str]:
        """Return the names of those that are there and do not answer: what they have is missing."""

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        """Return what has changed there, as `LiveCalls.next_report`; None: it does not answer."""

    async def look_at(self, call_sid: str) -> CallDetail | None:
        """Return a live call with all its parts; None if nobody has it."""

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Bring an event to the call. Return False if nobody has it."""


class Alone:
    """A process without neighbours. `post` is a switchboard's."""

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
