"""The phases of a call, and which may follow which."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    RINGING = "ringing"
    TALKING = "talking"
    HANDING_OFF = "handing off"
    WITH_HUMAN = "with a human"
    ENDING = "ending"
    ENDED = "ended"


NEXT: dict[Phase, frozenset[Phase]] = {
    Phase.RINGING: frozenset({Phase.TALKING, Phase.HANDING_OFF, Phase.WITH_HUMAN}),
    Phase.TALKING: frozenset({Phase.RINGING, Phase.HANDING_OFF}),
    Phase.HANDING_OFF: frozenset({Phase.RINGING, Phase.WITH_HUMAN}),
    Phase.WITH_HUMAN: frozenset({Phase.RINGING, Phase.HANDING_OFF}),
    Phase.ENDING: frozenset(),
    Phase.ENDED: frozenset({Phase.RINGING, Phase.HANDING_OFF}),
}
"""Besides these, every phase may go to itself, to ENDING and to ENDED."""
