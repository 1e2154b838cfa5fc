"""Whether a destination is open now, and which of its targets are free.

Opening hours and holidays are the plan's; who is free is known by the owner, whose hook is asked
for each target at once. A hook that fails or is late says nothing: its target counts as free, for
a telephone that rings for nothing is better than a caller who is told that nobody is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from hookflash.agents.hours import parse_hours
from hookflash.core.commands import CheckTargets
from hookflash.core.events import TargetsChecked
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.runtime.ports import Clock, IsFree

log = logging.getLogger("hookflash.call")

FREE_SECONDS = 2.0


class AgentChecks:
    """Satisfies `ports.Checks` for the calls of one agent."""

    def __init__(
        self, destinations: Sequence[Destination], is_free: IsFree | None, clock: Clock
    ) -> None:
        self._plans = {each.key: each.plan for each in destinations}
        self._is_free = is_free
        self._clock = clock

    async def check(self, command: CheckTargets) -> TargetsChecked:
        plan = self._plans.get(command.destination)
        if plan is None:
            # A journal may know a destination that its agent has no more: its targets are rung.
            return TargetsChecked(command.check)
        if not self._open(plan):
            return TargetsChecked(command.check, open=False)
        return TargetsChecked(command.check, free=await self._free(plan.targets))

    def _open(self, plan: HandoffPlan) -> bool:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        if plan.hours is None:
            return now.date().isoformat() not in plan.holidays
        hours = parse_hours(plan.hours)
        today = now.astimezone(hours.zone).date().isoformat()
        return today not in plan.holidays and hours.open_at(now)

    async def _free(self, targets: Sequence[Target]) -> tuple[int, ...] | None:
        if self._is_free is None:
            return None
        answers = await asyncio.gather(*(self._ask(self._is_free, target) for target in targets))
        return tuple(number for number, free in enumerate(answers) if free)

    async def _ask(self, is_free: IsFree, target: Target) -> bool:
        try:
            async with asyncio.timeout(self._clock.delay(FREE_SECONDS)):
                return bool(await is_free(target))
        except TimeoutError:
            log.warning("! is_free did not answer within %g s: taken as free", FREE_SECONDS)
        except Exception:
            # The owner's code: whatever it raises, the target is rung.
            log.exception("! is_free failed: taken as free")
        return True
