"""Makes a failing plan smaller: what can be left out, and the failure stays, is left out.

One thing after another is taken away (an act, a human, a trouble, a fault, an order) or set back to
what a plain call has, as long as a violation of the same kind remains that is not a known one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from .known import known
from .plan import Plan
from .play import Played

_LISTS = ("faults", "troubles", "orders", "acts")
_MOST_PLAYS = 400


def shrink(plan: Plan, kind: str, play: Callable[[Plan], Played]) -> Plan:
    """Return the smallest plan found that still fails in this way."""
    plays = 0
    smaller = True
    while smaller and plays < _MOST_PLAYS:
        smaller = False
        for candidate in _simpler(plan):
            plays += 1
            played = play(candidate)
            if any(
                each.kind == kind and known(each, candidate) is None for each in played.violations
            ):
                plan, smaller = candidate, True
                break
            if plays >= _MOST_PLAYS:
                break
    return plan


def _simpler(plan: Plan) -> Iterator[Plan]:
    """Yield plans that have a little less, the boldest first."""
    for name in _LISTS:
        items = getattr(plan, name)
        if len(items) > 2:
            half = len(items) // 2
            yield msgspec.structs.replace(plan, **{name: items[:half]})
            yield msgspec.structs.replace(plan, **{name: items[half:]})
        for place in range(len(items)):
            yield msgspec.structs.replace(plan, **{name: items[:place] + items[place + 1 :]})
    if len(plan.humans) > 1:
        for place in range(len(plan.humans)):
            yield msgspec.structs.replace(
                plan, humans=plan.humans[:place] + plan.humans[place + 1 :]
            )
    plain = Plan(seed=plan.seed)
    for name in plan.__struct_fields__:
        if name in (*_LISTS, "seed", "humans"):
            continue
        usual = getattr(plain, name)
        if getattr(plan, name) != usual:
            yield msgspec.structs.replace(plan, **{name: usual})
