"""Wake-ups, coalesced: a busy process rests for a moment, and then serves what came meanwhile.

With a hundred calls a frame comes every tenth of a millisecond, and each wakes the process: the
kernel's work to wake it, and cold caches, cost more than what is done for the frame. So above
`BUSY_FRAMES` a second the loop rests after each round, as a network card coalesces its interrupts,
and the frames of that time are then served in one go. While there is little to do it adds nothing.

A frame waits for the end of the rest and then for those of its round that are served before it. Up
to `FULL_FRAMES` the rest is the shorter the more comes, so that both together stay about a
millisecond. That can't be kept up: with still more calls the rest would soon be too short to save
anything just when the core fills up. There it is longer the more comes, and a frame takes two
milliseconds, which no ear can tell from one.

The rest blocks the loop's thread on purpose: as a timer of the loop it would have the loop wake up
for each frame meanwhile, which is what it is there to prevent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

BUSY_FRAMES = 1200
"""The carrier's frames a second from which on the loop rests: those of twenty calls, each with 50
pieces of sound and the marks of an agent that speaks, ten."""

FULL_FRAMES = 7200
"""Frames a second (of 120 such calls) from which on it rests for the sake of the core."""

MOST_SECONDS = 0.001
_SHORTER_SECONDS, _LONGER_SECONDS = 1.3e-7, 1e-7
"""How much shorter the rest is for each frame a second, and from `FULL_FRAMES` on how long."""

_LOOK_SECONDS = 0.1


class Coalescing:
    """One for a process. `came` is called with each frame of any call."""

    __slots__ = ("_frames", "_looked_at", "_loop", "_rest_seconds", "_resting", "_sleep")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._loop = loop
        self._sleep = sleep
        self._resting = False
        self._rest_seconds = 0.0
        self._frames = 0
        self._looked_at = 0.0

    def came(self) -> None:
        """A frame is served; the loop rests when the others of its round are served too."""
        self._frames += 1
        if not self._resting:
            self._resting = True
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()
            loop.call_soon(self._rest)

    def _rest(self) -> None:
        self._resting = False
        assert self._loop is not None
        since = self._loop.time() - self._looked_at
        if since >= _LOOK_SECONDS:
            self._rest_seconds = rest(self._frames / since)
            self._frames = 0
            self._looked_at += since
        if self._rest_seconds:
            self._sleep(self._rest_seconds)


def rest(frames: float) -> float:
    """Return for how many seconds to rest after a round, at so many frames a second."""
    if frames < BUSY_FRAMES:
        return 0.0
    if frames < FULL_FRAMES:
        return MOST_SECONDS - frames * _SHORTER_SECONDS
    return min(frames * _LONGER_SECONDS, MOST_SECONDS)
