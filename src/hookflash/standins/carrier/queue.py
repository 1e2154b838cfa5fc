"""A queue of callers who wait for somebody to take them. No I/O.

A plain queue has a name; a TaskRouter workflow is a queue named by its SID, whose members carry
the attributes of their `<Task>`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hookflash.standins.carrier import ids
from hookflash.standins.carrier.leg import Leg


@dataclass(eq=False)
class Waiting:
    """One caller. `taken_by` is set with `taken`; `parted` when the taker has gone away; `over`
    when the caller has left the queue or, after a talk, the bridge."""

    leg: Leg
    since: float
    task: str = ""
    taken_by: Leg | None = None
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    parted: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Queue:
    def __init__(self, name: str, size: int = 1000) -> None:
        self.name = name
        self.sid = ids.new_sid("QU")
        self.size = size
        self.waiting: list[Waiting] = []
        self._joined = asyncio.Event()

    def join(self, waiting: Waiting) -> bool:
        """Wait at the end; False if the queue is full."""
        if len(self.waiting) >= self.size:
            return False
        self.waiting.append(waiting)
        self._joined.set()
        return True

    def leave(self, waiting: Waiting) -> None:
        if waiting in self.waiting:
            self.waiting.remove(waiting)

    async def front(self) -> None:
        """Wait until somebody is in the queue."""
        while not self.waiting:
            self._joined.clear()
            await self._joined.wait()

    def take(self, leg: Leg) -> Waiting:
        """Take the first one for `leg`. Raises IndexError if nobody waits."""
        waiting = self.waiting.pop(0)
        waiting.taken_by = leg
        waiting.taken.set()
        return waiting

    def form(self, waiting: Waiting, now: float) -> dict[str, str]:
        """Return what the waiting document is told."""
        times = [now - each.since for each in self.waiting]
        return {
            "QueuePosition": str(self.waiting.index(waiting) + 1),
            "QueueSid": self.sid,
            "QueueTime": str(int(now - waiting.since)),
            "AvgQueueTime": str(int(sum(times) / len(times))),
            "CurrentQueueSize": str(len(self.waiting)),
            "MaxQueueSize": str(self.size),
        }
