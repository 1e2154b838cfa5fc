"""Coalesce wake-ups: a busy process pauses briefly and then serves all frames that arrived
meanwhile.

With a hundred calls a frame arrives every 0.1 ms, and each wakes the process. The kernel's work and
cold caches then cost more than serving the frame. So above `BUSY_FRAMES` per second the loop pauses
after each round and serves the frames of that time together, like interrupt coalescing in a network
card. Below that rate it adds no delay.

A frame waits for the end of the pause, and then for the frames served before it. Up to
`FULL_FRAMES` the pause gets shorter with more frames, so that both together stay at about 1 ms.
Above that, such a short pause would save nothing just when the core is nearly busy. So the pause
grows again, and a frame takes about 2 ms, which is inaudible.

The pause blocks the loop's thread on purpose. A timer of the loop would let every frame wake the
loop meanwhile, which is what the pause prevents.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

BUSY_FRAMES = 1200
"""Frames per second above which the loop pauses: those of twenty calls with a speaking agent.

One such call has 50 frames of audio and 10 marks a second.
"""

FULL_FRAMES = 7200
"""Frames per second (of 120 such calls) above which the pause grows with the load."""

MAX_SECONDS = 0.001
_SHORTER_SECONDS, _LONGER_SECONDS = 1.3e-7, 1e-7
"""Seconds of pause per frame per second: subtracted below `FULL_FRAMES`, added above it."""

_LOOK_SECONDS = 0.1


class Coalescing:
    """Coalesces the wake-ups of one process. Call `frame_served` for each frame of any call."""

    __slots__ = ("_frames", "_looked_at", "_loop", "_pause_seconds", "_pausing", "_sleep")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._loop = loop
        self._sleep = sleep
        self._pausing = False
        self._pause_seconds = 0.0
        self._frames = 0
        self._looked_at = 0.0

    def frame_served(self) -> None:
        """Count a frame. The loop pauses after the other frames of its round."""
        self._frames += 1
        if not self._pausing:
            self._pausing = True
            loop = self._loop
            if loop is None:
                loop = self._loop = asyncio.get_running_loop()
            loop.call_soon(self._pause)

    def _pause(self) -> None:
        self._pausing = False
        assert self._loop is not None
        since = self._loop.time() - self._looked_at
        if since >= _LOOK_SECONDS:
            self._pause_seconds = pause_seconds(self._frames / since)
            self._frames = 0
            self._looked_at += since
        if self._pause_seconds:
            self._sleep(self._pause_seconds)


def pause_seconds(frames: float) -> float:
    """Return the seconds to pause after a round at `frames` frames per second."""
    if frames < BUSY_FRAMES:
        return 0.0
    if frames < FULL_FRAMES:
        return MAX_SECONDS - frames * _SHORTER_SECONDS
    return min(frames * _LONGER_SECONDS, MAX_SECONDS)
