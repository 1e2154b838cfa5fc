"""A queue of callers who wait until somebody takes them. No I/O.

A plain queue has a name; a TaskRouter workflow is a queue named by its SID, whose members carry
the attributes of their `<Task>` and are ordered by its priority.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.twiml.fetch import TwimlUrl

DEFAULT_SIZE = 1000


@dataclass(eq=False)
class QueueMember:
    """One caller in a queue.

    - `taken`: a leg has taken the caller. `taken_by` is that leg, and `first` what the caller hears
      before the two talk
    - `parted`: the leg that took the caller has gone
    - `over`: the caller has left the queue or, after a talk, the bridge
    """

    leg: Leg
    since: float
    task: str = ""
    priority: int = 0
    joined_at: float = 0.0
    taken_by: Leg | None = None
    first: TwimlUrl | None = None
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    parted: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Queue:
    """`created` is in seconds since 1970."""

    def __init__(
        self, name: str, sid: str, size: int = DEFAULT_SIZE, *, created: float = 0.0
    ) -> None:
        self.name = name
        self.created = created
        self.sid = sid
        self.size = size
        self.members: list[QueueMember] = []
        self._joined = asyncio.Event()

    def join(self, member: QueueMember) -> bool:
        """Wait at the end, after all of the same or a higher priority; False if it is full."""
        if len(self.members) >= self.size:
            return False
        member.joined_at = member.leg.tools.clock.wall()
        self.members.append(member)
        self.members.sort(key=lambda each: -each.priority)
        self._joined.set()
        return True

    def leave(self, member: QueueMember) -> None:
        if member in self.members:
            self.members.remove(member)

    def find(self, name: str) -> QueueMember | None:
        """Find a caller by call SID, or the one who is `Front`."""
        if name == "Front":
            return self.members[0] if self.members else None
        return next((each for each in self.members if each.leg.sid == name), None)

    async def front(self) -> None:
        """Wait until somebody is in the queue."""
        while not self.members:
            self._joined.clear()
            await self._joined.wait()

    def take(self, leg: Leg, first: TwimlUrl | None = None) -> QueueMember:
        """Take the first one for `leg`. Raises IndexError if nobody waits."""
        member = self.members.pop(0)
        member.taken_by, member.first = leg, first
        member.taken.set()
        return member

    def average(self, now: float) -> int:
        """Return how long those in the queue have waited on the average, in whole seconds."""
        times = [now - each.since for each in self.members]
        return int(sum(times) / len(times)) if times else 0

    def form(self, member: QueueMember, now: float) -> dict[str, str]:
        """Return the parameters of the waiting document."""
        return {
            "QueuePosition": str(self.members.index(member) + 1),
            "QueueSid": self.sid,
            "QueueTime": str(int(now - member.since)),
            "AvgQueueTime": str(self.average(now)),
            "CurrentQueueSize": str(len(self.members)),
            "MaxQueueSize": str(self.size),
        }
