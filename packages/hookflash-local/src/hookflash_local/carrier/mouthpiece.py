"""Puts the frames of a page's microphone into a line: evenly, and never far behind. No I/O.

A browser sends 20 ms at a time over a road that jitters. A cushion before the first frame keeps
late ones from tearing holes into speech; after a stall, when many come at once, silence is left
out until what was said is again what is heard, and speech only if it would come a second late.
"""

from __future__ import annotations

from hookflash_local.carrier import mulaw
from hookflash_local.carrier.playout import SILENCE, Playout

CUSHION_MS = 60
LATE_MS = 240
"""Further behind than this, silence is left out."""

TOO_LATE_MS = 1000
"""Further behind than this, everything is."""


class Mouthpiece:
    def __init__(self, mouth: Playout) -> None:
        self._mouth = mouth

    def speak(self, frame: bytes, now: float) -> bool:
        """Say the next 20 ms; tell whether they were taken."""
        behind = self._mouth.buffered_ms(now)
        if behind > TOO_LATE_MS or (behind > LATE_MS and not mulaw.is_sound(frame)):
            return False
        if behind <= 0:
            self._mouth.play(SILENCE * (8 * CUSHION_MS), now)
        self._mouth.play(frame, now)
        return True
