"""What happened in a call, with times: one list for all its legs. No I/O.

The kinds of events are:

- the call: placed, initiated, ringing, answered, detected (who answered), moved (by REST), ended
- a document: answer (TwiML taken), say, play, whisper, gathering, gathered, dial-result
- a media stream: stream-started, stream-stopped, clear
- the party: party-says, digit, send-digits, referring, referred
- two or more legs: bridged, unbridged, queued, dequeued
- a conference: joined, conference-joined (hears the others), held, unheld, left
- a recording: recording-started, recording-stopped
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """`at` counts seconds of the carrier since the call began."""

    at: float
    kind: str
    call_sid: str
    detail: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        more = " ".join(f"{name}={value}" for name, value in self.detail.items())
        return f"{self.at:8.3f} {self.call_sid[:6]}.. {self.kind} {more}".rstrip()


class Timeline:
    """`start` is the carrier time at which the call began."""

    def __init__(self, start: float) -> None:
        self.start = start
        self.events: list[Event] = []
        self._grown = asyncio.Event()

    def add(self, kind: str, call_sid: str, now: float, **detail: Any) -> None:
        self.events.append(Event(now - self.start, kind, call_sid, detail))
        self._grown.set()
        self._grown = asyncio.Event()

    def find(self, kind: str, call_sid: str | None = None) -> list[Event]:
        return [
            event
            for event in self.events
            if event.kind == kind and call_sid in (None, event.call_sid)
        ]

    async def after(self, count: int) -> list[Event]:
        """Wait until there are more than `count` events, and return those that came since."""
        while len(self.events) <= count:
            await self._grown.wait()
        return self.events[count:]

    async def until(self, kind: str, call_sid: str | None = None, count: int = 1) -> Event:
        """Wait for the `count`-th event of this kind (of one leg, if a SID is given)."""
        while len(found := self.find(kind, call_sid)) < count:
            await self._grown.wait()
        return found[count - 1]

    async def until_any(self, kinds: tuple[str, ...], call_sid: str) -> Event:
        """Wait for the first event of one leg that is of any of these kinds."""
        while True:
            for event in self.events:
                if event.call_sid == call_sid and event.kind in kinds:
                    return event
            await self._grown.wait()
