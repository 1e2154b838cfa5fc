"""The humans' legs that a call has rung, and what each is doing. None is ever left over.

    PLACING --placed--> RINGING --answered--> ASKED --accepts--> (WAITING, JOINING) --> TAKEN
       |                   |                    |                                        |
       +-------------------+--------------------+----------------------------------------+--> OVER

PLACING: the carrier has the order to ring, and its answer with the SID of the leg is still to come.
A leg that ends here before its SID is known is ended at the carrier as soon as `sid_known` is
called, because the carrier may have carried out the order. A leg that the caller's own leg has
dialled is ended by the carrier.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from hookflash.core.commands import EndLeg


class LegState(Enum):
    PLACING = "placing"
    RINGING = "ringing"
    ASKED = "asked"
    WAITING = "waiting"
    """They accepted after somebody else, and take the call if that human is gone."""
    JOINING = "joining"
    """They take the call and hear the whisper first; then they are in the room."""
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
    waits_since: float = 0.0
    """When this human was told to wait, because somebody accepted before them."""
    unsure: bool = False
    """Whether the carrier could not tell if a human or a machine has answered."""
    took: bool = False
    """Whether this human has taken the call, if only for a while."""
    ended: bool = False
    """Whether the carrier knows that it is over, or was told to end it."""

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

    @property
    def chosen(self) -> Leg | None:
        """The leg of the human who has the call, or is joining to take it."""
        chosen = (LegState.TAKEN, LegState.JOINING)
        return next((leg for leg in self.live if leg.state in chosen), None)

    @property
    def waiting(self) -> Leg | None:
        """The leg of the human who has waited longest to take the call after the first."""
        waiting = [leg for leg in self.live if leg.state is LegState.WAITING]
        return min(waiting, key=lambda leg: leg.waits_since, default=None)

    def take(self, leg: Leg) -> None:
        """Note that this human has the call, and that nobody before them in the wave had it."""
        for other in self._legs.values():
            other.took = other.took and other.wave != leg.wave
        leg.state = LegState.TAKEN
        leg.took = True

    def taker(self, wave: int) -> int | None:
        """Return which target took the call in a wave, whether its leg still lasts or not."""
        took = (leg.target for leg in self._legs.values() if leg.wave == wave and leg.took)
        return next(took, None)

    def sid_known(self, leg: Leg, sid: str) -> list[EndLeg]:
        """Note the SID of a leg. Return the command that ends it, if it ended in the meantime."""
        if not sid:
            return []
        leg.sid = sid
        if leg.state is LegState.PLACING:
            leg.state = LegState.RINGING
        return self._end_command(leg) if not leg.live else []

    def over(self, leg: Leg) -> None:
        """Note that the carrier says that the leg is over."""
        leg.state = LegState.OVER
        leg.ended = True

    def end(self, leg: Leg, *, by_answer: bool = False) -> list[EndLeg]:
        """End a leg. `by_answer`: the answer to its own question hangs it up."""
        leg.state = LegState.OVER
        if by_answer:
            leg.ended = True
        return self._end_command(leg)

    def end_all(self, but: Leg | None = None) -> list[EndLeg]:
        return [end for leg in self.live if leg is not but for end in self.end(leg)]

    def _end_command(self, leg: Leg) -> list[EndLeg]:
        if leg.dialled or leg.ended or not leg.sid:
            return []
        leg.ended = True
        return [EndLeg(leg.sid)]
