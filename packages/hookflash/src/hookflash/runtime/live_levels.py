"""How loud both sides of a live call are, for the drawing of a console that has the call open.

    levels = LiveLevels(switchboard.find, clock.now)
    loud = levels.of(call_sid)          None: the call is not live in this process
    loud.left, loud.right               a byte for each 50 ms, from 0 to 255

A call is measured while somebody asks for it, and for `IDLE_SECONDS` afterwards. Nothing of its
sound is stored.

    resource               acquired      released
    the capture of a call  the first of  IDLE_SECONDS after the last, or with the call
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from hookflash.core.phases import Phase
from hookflash.g711 import LINEAR, RATE
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.driver import Driver
from hookflash.runtime.tracks import Block

PER_SECOND = 20
STEP_SAMPLES = RATE // PER_SECOND
IDLE_SECONDS = 10.0

_PEAK = bytes(min(255, round(255 * (abs(sample) / 32124) ** 0.6)) for sample in LINEAR)
"""The loudness of each mu-law byte; the power is close to how loud it sounds."""


class Levels:
    """The loudness of one call since `since` (seconds since 1970): a `Sink`."""

    block_frames = 5

    def __init__(self, capture: AudioCapture, now: Callable[[], float]) -> None:
        self.since = capture.zero
        self.left = bytearray()
        self.right = bytearray()
        self.over = False
        self.read_at = now()
        self._capture = capture
        self._now = now
        self._before: int | None = None
        """Where the first block began, in samples."""
        capture.add(self)

    def put(self, block: Block) -> None:
        if self._now() - self.read_at > IDLE_SECONDS:
            # Not at once: the capture is handing its block round.
            self.over = True
            asyncio.get_running_loop().call_soon(self._capture.remove, self)
            return
        if self._before is None:
            self._before = block.first
            self.since += block.first / RATE
        first = block.first - self._before
        stereo = block.stereo()
        for side, samples in ((self.left, stereo[0::2]), (self.right, stereo[1::2])):
            _add(side, first, samples.translate(_PEAK))

    def end(self) -> None:
        self.over = True


def _add(side: bytearray, first: int, loud: bytearray) -> None:
    """Add the loudness of samples from `first` on. A block may begin and end within a step."""
    last = first + len(loud)
    # A gap between two blocks is silence.
    side.extend(bytes(max(0, -(-last // STEP_SAMPLES) - len(side))))
    at = first
    while at < last:
        step = at // STEP_SAMPLES
        end = min(last, (step + 1) * STEP_SAMPLES)
        side[step] = max(side[step], max(loud[at - first : end - first]))
        at = end


class LiveLevels:
    """Measures the live calls of this process. Use it in the event loop's thread."""

    def __init__(self, find: Callable[[str], Driver | None], now: Callable[[], float]) -> None:
        self._find = find
        self._now = now
        self._levels: dict[str, Levels] = {}

    def of(self, call_sid: str) -> Levels | None:
        """Return the loudness of a call; None if the call is not live in this process."""
        known = self._levels.get(call_sid)
        if known is not None and not known.over:
            known.read_at = self._now()
            return known
        driver = self._find(call_sid)
        if driver is None or driver.call.phase is Phase.ENDED:
            return known
        self._levels = {sid: each for sid, each in self._levels.items() if not each.over}
        self._levels[call_sid] = Levels(driver.start_capture(), self._now)
        return self._levels[call_sid]
