"""A queue of callers who wait for somebody to take them. No I/O.

A plain queue has a name; a TaskRouter workflow is a queue named by its SID, whose members carry
the attributes of their `<Task>` and are ordered by its priority.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.pages import Ask

DEFAULT_SIZE = 1000


@dataclass(eq=False)
class Waiting:
    """One caller. `taken_by` is set with `taken`, and `first` is what the caller hears before they
    talk; `parted` when the taker has gone away; `over` when the caller has left the queue or,
    after a talk, the bridge."""

    leg: Leg
    since: float
    task: str = ""
    priority: int = 0
    joined_at: float = 0.0
    taken_by: Leg | None = None
    first: Ask | None = None
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    parted: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Queue:
    def __init__(self, name: str, sid: str, size: int = DEFAULT_SIZE) -> None:
        self.name = name
        self.sid = sid
        self.size = size
        self.waiting: list[Waiting] = []
        self._joined = asyncio.Event()

    def join(self, waiting: Waiting) -> bool:
        """Wait at the end, after all of the same or a higher priority; False if it is full."""
        if len(self.waiting) >= self.size:
            return False
        waiting.joined_at = waiting.leg.tools.clock.wall()
        self.waiting.append(waiting)
        self.waiting.sort(key=lambda each: -each.priority)
        self._joined.set()
        return True

    def leave(self, waiting: Waiting) -> None:
        if waiting in self.waiting:
            self.waiting.remove(waiting)

    def find(self, name: str) -> Waiting | None:
        """Find a caller by call SID, or the one who is `Front`."""
        if name == "Front":
            return self.waiting[0] if self.waiting else None
        return next((each for each in self.waiting if each.leg.sid == name), None)

    async def front(self) -> None:
        """Wait until somebody is in the queue."""
        while not self.waiting:
            self._joined.clear()
            await self._joined.wait()

    def take(self, leg: Leg, first: Ask | None = None) -> Waiting:
        """Take the first one for `leg`. Raises IndexError if nobody waits."""
        waiting = self.waiting.pop(0)
        waiting.taken_by, waiting.first = leg, first
        waiting.taken.set()
        return waiting

    def average(self, now: float) -> int:
        """Return how long those in the queue have waited on the average, in whole seconds."""
        times = [now - each.since for each in self.waiting]
        return int(sum(times) / len(times)) if times else 0

    def form(self, waiting: Waiting, now: float) -> dict[str, str]:
        """Return what the waiting document is told."""
        return {
            "QueuePosition": str(self.waiting.index(waiting) + 1),
            "QueueSid": self.sid,
            "QueueTime": str(int(now - waiting.since)),
            "AvgQueueTime": str(self.average(now)),
            "CurrentQueueSize": str(len(self.waiting)),
            "MaxQueueSize": str(self.size),
        }
