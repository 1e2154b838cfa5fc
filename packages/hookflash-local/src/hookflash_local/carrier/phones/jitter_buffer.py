"""The jitter buffer between a page's microphone and its line. No I/O.

A browser sends 20 ms at a time, and network jitter delays some frames. Silence before the first
frame keeps late frames from tearing gaps into speech. After a stall, many frames come at once:
silent frames are then dropped until the delay is back to normal. Speech is dropped only if it would
be heard more than a second late.
"""

from __future__ import annotations

from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.playout import SILENCE, Playout

BUFFER_MS = 60
LATE_MS = 240
"""Further behind than this, silence is left out."""

TOO_LATE_MS = 1000
"""Further behind than this, everything is."""


class JitterBuffer:
    def __init__(self, playout: Playout) -> None:
        self._playout = playout

    def speak(self, frame: bytes, now: float) -> bool:
        """Say the next 20 ms; tell whether they were taken."""
        behind = self._playout.buffered_ms(now)
        if behind > TOO_LATE_MS or (behind > LATE_MS and not sounds.is_sound(frame)):
            return False
        if behind <= 0:
            self._playout.play(SILENCE * (8 * BUFFER_MS), now)
        self._playout.play(frame, now)
        return True
