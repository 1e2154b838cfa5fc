"""The phases of a call, as the journal, the record of states and the console name them."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    RINGING = "ringing"
    TALKING = "talking"
    HANDING_OFF = "handing off"
    WITH_HUMAN = "with a human"
    ENDING = "ending"
    ENDED = "ended"
