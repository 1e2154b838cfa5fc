"""Notice a media stream that is open and carries nothing any more.

A carrier sends the caller's sound fifty times a second, also while they are silent. A stream on
which it stops is broken, though no end may detect that for minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookflash.runtime.ports import CarrierStream, Clock

STALL_SECONDS = 1.2
"""How long a stream may carry nothing."""

_CHECKS = 3
"""How often the stream is checked within that time."""

_STEADY_FRAMES = 5
"""How many messages must have come before a stream stalls after `_CHECKS` checks without one."""

FIRST_CHECKS = 5
"""How many checks without a message a stream may have before that: two seconds."""


Report = Callable[[CarrierStream], None]
"""Is called with a stream that has stalled."""


class StreamWatch:
    """Watches one stream at a time. `frames` returns how many messages with sound have come."""

    def __init__(self, clock: Clock, frames: Callable[[], int]) -> None:
        self._clock = clock
        self._frames = frames
        self._before = 0
        """How many had come when the stream began."""
        self._timer: asyncio.TimerHandle | None = None

    def start(self, stream: CarrierStream, report: Report) -> None:
        """Watch this stream instead of the one before. `report` is called once, if it stalls."""
        self.stop()
        self._before = self._frames()
        self._check_later(stream, report, 0, 0)

    def stop(self) -> None:
        """Watch nothing; for a stream that is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check_later(self, stream: CarrierStream, report: Report, frames: int, missed: int) -> None:
        """Check again later. `frames` have come so far; the last `missed` checks saw no new one."""
        delay = self._clock.delay(STALL_SECONDS / _CHECKS)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(delay, self._check, stream, report, frames, missed)

    def _check(self, stream: CarrierStream, report: Report, frames: int, missed: int) -> None:
        self._timer = None
        now = self._frames() - self._before
        missed = missed + 1 if frames == now else 0
        if missed >= (_CHECKS if frames >= _STEADY_FRAMES else FIRST_CHECKS):
            report(stream)
        else:
            self._check_later(stream, report, now, missed)
