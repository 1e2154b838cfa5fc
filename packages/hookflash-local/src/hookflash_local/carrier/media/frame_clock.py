"""The frame clock: one tick every 20 ms (or every few frames) for the whole carrier.

It serves all legs and streams, so that everything is aligned. It counts frames since the carrier's
start: it cannot drift, and after a stall it makes up for every frame it missed.

resource | acquired             | released
task     | `start`, by `Tasks`  | `Tasks.close`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, SAMPLES_PER_SECOND
from hookflash_local.carrier.tasks import Tasks

FRAME_MS = FRAME_SAMPLES * 1000 // SAMPLES_PER_SECOND
FRAME_SECONDS = FRAME_SAMPLES / SAMPLES_PER_SECOND

MachineDetector = Callable[[int], None]
"""Called with a frame's number once that frame, and those before it, are in the past."""


class FrameClock:
    """Calls its listeners once for every `at_once` frames, with the number of the last of them."""

    def __init__(self, clock: Clock, at_once: int = 1) -> None:
        self._clock = clock
        self._at_once = at_once
        self._listeners: dict[MachineDetector, None] = {}
        self._wanted = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._run(), "frame clock")

    def add(self, listener: MachineDetector) -> None:
        self._listeners[listener] = None
        self._wanted.set()

    def remove(self, listener: MachineDetector) -> None:
        self._listeners.pop(listener, None)

    def frame_at(self, seconds: float) -> int:
        """Return the number of the first frame that begins at `seconds` or later."""
        return -int(-seconds // FRAME_SECONDS)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            # The frame at which the current group of frames ends.
            frame = int(self._clock.now() / FRAME_SECONDS)
            frame += self._at_once - 1 - frame % self._at_once
            while self._listeners:
                await self._clock.sleep_until((frame + 1) * FRAME_SECONDS)
                while (frame + 1) * FRAME_SECONDS <= self._clock.now():
                    for listener in list(self._listeners):
                        listener(frame)
                    frame += self._at_once
