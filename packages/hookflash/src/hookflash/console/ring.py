"""What a feed has said of late, so that a page that lost its link misses nothing. No I/O.

Messages are numbered. A page that comes back says the last number that it has seen, and gets what
came after it; one that was away for longer than the ring reaches back is told so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple


class Said(NamedTuple):
    number: int
    topic: str
    event: bytes


class Ring:
    """The newest messages: `most` of them at most, and no more than `most_bytes` together."""

    def __init__(self, *, most: int = 5000, most_bytes: int = 8 * 1024 * 1024) -> None:
        self.number = 0
        """The number of the newest message."""
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._said: deque[Said] = deque()

    def add(self, topic: str, event: bytes) -> None:
        """Keep a message; its number is `number` afterwards."""
        self.number += 1
        self._said.append(Said(self.number, topic, event))
        self._bytes += len(event)
        while len(self._said) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._said.popleft().event)

    def after(self, number: int, topics: Sequence[str]) -> list[Said] | None:
        """Return what was said of `topics` after `number`; None if some of it is forgotten."""
        oldest = self._said[0].number if self._said else self.number + 1
        if not oldest - 1 <= number <= self.number:
            return None
        found = []
        for said in reversed(self._said):
            if said.number <= number:
                break
            if said.topic in topics:
                found.append(said)
        found.reverse()
        return found
