"""The humans' legs that a call has rung: what each is doing, and that none is ever left over.

    PLACING --placed--> RINGING --answered--> ASKED --accepts--> (COMING) --> TAKEN
       |                   |                    |                               |
       +-------------------+--------------------+-------------------------------+--> OVER

PLACING: the carrier was told to ring, and has not said yet under which SID. A leg that is let go
before its SID is known is ended as soon as it is (`named`): the order may have been carried out all
the same. A leg that the caller's own leg has dialled is the carrier's to end, and only asked here.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from hookflash.core.commands import EndLeg


class LegState(Enum):
    PLACING = "placing"
    RINGING = "ringing"
    ASKED = "asked"
    COMING = "coming"
    """They take the call, and hear first who calls; then they are in the room."""
    TAKEN = "taken"
    OVER = "over"


class Leg(msgspec.Struct):
    """`target` numbers the plan's targets, `number` the legs of the wave."""

    wave: int
    number: int
    target: int
    dialled: bool = False
    sid: str = ""
    state: LegState = LegState.PLACING
    tries: int = 0
    """How often this human was asked for a key and pressed none."""
    unsure: bool = False
    """Whether the carrier could not tell if a human or a machine has answered."""
    took: bool = False
    """Whether this human has taken the call, if only for a while."""
    ended: bool = False
    """Whether the carrier was told, or has told us, that it is over."""

    @property
    def live(self) -> bool:
        return self.state is not LegState.OVER


class Legs:
    """All human legs of one call, by wave and number."""

    def __init__(self) -> None:
        self._legs: dict[tuple[int, int], Leg] = {}

    def place(self, wave: int, number: int, target: int, *, dialled: bool = False) -> Leg:
        leg = self._legs[wave, number] = Leg(wave, number, target, dialled)
        return leg

    def find(self, wave: int, number: int | None) -> Leg | None:
        return self._legs.get((wave, number)) if number is not None else None

    def by_sid(self, sid: str) -> Leg | None:
        return next((leg for leg in self._legs.values() if leg.sid == sid and sid), None)

    @property
    def live(self) -> list[Leg]:
        return [leg for leg in self._legs.values() if leg.live]

    @property
    def taken(self) -> Leg | None:
        """The leg of the human who took the call, while it lasts."""
        return next((leg for leg in self.live if leg.state is LegState.TAKEN), None)

    def take(self, leg: Leg) -> None:
        """This human has the call."""
        leg.state = LegState.TAKEN
        leg.took = True

    def taker(self, wave: int) -> int | None:
        """Return which target took the call in a wave, whether its leg still lasts or not."""
        took = (leg.target for leg in self._legs.values() if leg.wave == wave and leg.took)
        return next(took, None)

    def named(self, leg: Leg, sid: str) -> list[EndLeg]:
        """The SID of a leg is known. Return its end, if it was let go in the meantime."""
        if not sid:
            return []
        leg.sid = sid
        if leg.state is LegState.PLACING:
            leg.state = LegState.RINGING
        return self._end(leg) if not leg.live else []

    def over(self, leg: Leg) -> None:
        """The carrier says that it is over."""
        leg.state = LegState.OVER
        leg.ended = True

    def drop(self, leg: Leg, *, told: bool = False) -> list[EndLeg]:
        """Let go of a leg. `told`: its end is in the answer that it gets anyway."""
        leg.state = LegState.OVER
        if told:
            leg.ended = True
        return self._end(leg)

    def drop_all(self, but: Leg | None = None) -> list[EndLeg]:
        return [end for leg in self.live if leg is not but for end in self.drop(leg)]

    def _end(self, leg: Leg) -> list[EndLeg]:
        if leg.dialled or leg.ended or not leg.sid:
            return []
        leg.ended = True
        return [EndLeg(leg.sid)]
