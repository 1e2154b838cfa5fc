"""The phases of a call: where the caller is, as the journal and the console name it."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    RINGING = "ringing"
    TALKING = "talking"
    HANDING_OFF = "handing off"
    WITH_HUMAN = "with a human"
    ENDING = "ending"
    ENDED = "ended"
