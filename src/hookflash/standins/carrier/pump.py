"""Twenty milliseconds, fifty times a second, for the whole carrier.

One frame clock serves all legs and streams, so that everything is aligned. It counts frames since
the carrier's start: it cannot drift, and after a stall it makes up for every frame it missed.

resource | acquired             | released
task     | `start`, by `Tasks`  | `Tasks.close`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookflash.standins.carrier.clock import Clock
from hookflash.standins.carrier.playout import FRAME_SAMPLES, SAMPLES_PER_SECOND
from hookflash.standins.carrier.tasks import Tasks

FRAME_SECONDS = FRAME_SAMPLES / SAMPLES_PER_SECOND

Listener = Callable[[int], None]
"""Called with a frame's number once that frame is in the past."""


class Pump:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: dict[Listener, None] = {}
        self._wanted = asyncio.Event()

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._run(), "pump")

    def add(self, listener: Listener) -> None:
        self._listeners[listener] = None
        self._wanted.set()

    def remove(self, listener: Listener) -> None:
        self._listeners.pop(listener, None)

    def frame_at(self, seconds: float) -> int:
        """Return the number of the first frame that begins at `seconds` or later."""
        return -int(-seconds // FRAME_SECONDS)

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            frame = int(self._clock.now() / FRAME_SECONDS)
            while self._listeners:
                await self._clock.sleep_until((frame + 1) * FRAME_SECONDS)
                while (frame + 1) * FRAME_SECONDS <= self._clock.now():
                    for listener in list(self._listeners):
                        listener(frame)
                    frame += 1
