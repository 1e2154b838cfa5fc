"""Who is rung next, and how long a telephone may ring.

A wave is the targets that ring together: one target of a hunt group, or all of a ring group. Waves
are numbered through the whole call, so a late webhook names the wave that it belongs to.
"""

from __future__ import annotations

import msgspec

from hookflash.core.handoff.limits import ORDER_SECONDS
from hookflash.core.handoff_plan import HandoffPlan, Target


class Wave(msgspec.Struct, frozen=True):
    """When a wave was ordered, and the numbers of its targets in the plan."""

    ordered_at: float
    targets: tuple[int, ...] = ()

    @property
    def only(self) -> int | None:
        """Its target, where there is one and no other."""
        return self.targets[0] if len(self.targets) == 1 else None


class RingOrder:
    """The waves of one hand-off, in the order in which they ring.

    `number` is the number of the newest wave; it only grows during a call.
    """

    def __init__(self) -> None:
        self.number = 0
        self.wave = Wave(0.0)
        self.rang_at: float | None = None
        """When the first telephone of the newest wave began to ring."""
        self._waiting: list[tuple[int, ...]] = []

    def begin(self, now: float) -> None:
        """Begin a hand-off in which nobody was rung yet."""
        self.wave = Wave(now)

    def set_targets(
        self,
        plan: HandoffPlan,
        free: tuple[int, ...] | None,
        *,
        dialled_number: str,
        prefixes: tuple[str, ...] = (),
    ) -> None:
        """Make the waves of the plan's free targets (None: all), in the plan's order.

        A target whose address is still to be computed is left out. `dialled_number` is the number
        of this line. A target with that number is left out, and so is one that no prefix permits.
        """
        refused = refused_targets(plan, prefixes)
        numbers = [
            number
            for number, target in enumerate(plan.targets)
            if target.kind != "function"
            and (free is None or number in free)
            and number not in refused
            and not _is_line(target, dialled_number)
        ]
        once = [tuple(numbers)] if plan.order == "ring" else [(number,) for number in numbers]
        self._waiting = [wave for wave in once * plan.attempts if wave]

    @property
    def has_next(self) -> bool:
        return bool(self._waiting)

    def next_wave(self, now: float) -> Wave:
        """Begin the next wave, and return it."""
        self.number += 1
        self.wave = Wave(now, self._waiting.pop(0))
        self.rang_at = None
        return self.wave

    def ring_until(self, plan: HandoffPlan) -> float:
        """Return when the newest wave has rung for as long as the plan allows.

        Until a telephone rings, the order may wait in the carrier's queue.
        """
        ordered = self.wave.ordered_at + ORDER_SECONDS
        return (ordered if self.rang_at is None else self.rang_at) + plan.ring_seconds


def refused_targets(plan: HandoffPlan, prefixes: tuple[str, ...]) -> tuple[int, ...]:
    """Return the indexes of the plan's targets that may not be rung; empty without prefixes."""
    return tuple(
        number for number, target in enumerate(plan.targets) if not may_ring(target, prefixes)
    )


def may_ring(target: Target, prefixes: tuple[str, ...]) -> bool:
    """Whether a target may be rung.

    A telephone needs a number that begins with one of `prefixes`, if there are any.
    """
    return not prefixes or target.kind != "phone" or target.address.startswith(prefixes)


def _is_line(target: Target, dialled_number: str) -> bool:
    """Whether a target is the number that the caller has dialled: the line would answer itself."""
    return target.kind == "phone" and target.address == dialled_number
