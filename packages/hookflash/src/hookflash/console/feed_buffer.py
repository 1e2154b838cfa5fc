"""Hold the latest events of a feed, so that a reconnecting page misses nothing. No I/O.

Events are numbered. A page that reconnects sends its last number and gets the events after it. If
the buffer no longer has them all, it returns None.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple


class FeedEvent(NamedTuple):
    number: int
    topic: str
    event: bytes


class FeedBuffer:
    """The newest events: at most `max_events`, and at most `max_bytes` together."""

    def __init__(self, *, max_events: int = 5000, max_bytes: int = 8 * 1024 * 1024) -> None:
        self.number = 0
        """The number of the newest event."""
        self._max = max_events
        self._max_bytes = max_bytes
        self._bytes = 0
        self._events: deque[FeedEvent] = deque()

    def add(self, topic: str, event: bytes) -> None:
        """Add an event. `number` is then its number."""
        self.number += 1
        self._events.append(FeedEvent(self.number, topic, event))
        self._bytes += len(event)
        while len(self._events) > self._max or self._bytes > self._max_bytes:
            self._bytes -= len(self._events.popleft().event)

    def after(self, number: int, topics: Sequence[str]) -> list[FeedEvent] | None:
        """Return the events of `topics` after `number`; None if some were dropped."""
        oldest = self._events[0].number if self._events else self.number + 1
        if not oldest - 1 <= number <= self.number:
            return None
        found = []
        for events in reversed(self._events):
            if events.number <= number:
                break
            if events.topic in topics:
                found.append(events)
        found.reverse()
        return found
