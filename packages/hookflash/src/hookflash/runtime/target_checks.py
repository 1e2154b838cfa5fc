"""Check whether a destination is open now, and which of its targets are available.

Opening hours and holidays come from the plan. Availability comes from the owner's hook
(`presence.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from hookflash.agents.hours import parse_hours
from hookflash.agents.spoken_time import spoken_opening
from hookflash.core.commands import CheckTargets
from hookflash.core.events import TargetsChecked
from hookflash.core.handoff_plan import Destination
from hookflash.runtime.ports import Clock
from hookflash.runtime.presence import PRESENCE_SECONDS, Presence, free_targets


class AgentChecks:
    """Satisfies `ports.Checks` for the calls of one agent."""

    def __init__(
        self, destinations: Sequence[Destination], is_free: Presence | None, clock: Clock
    ) -> None:
        self._plans = {each.key: each.plan for each in destinations}
        self._is_free = is_free
        self._clock = clock

    async def check(self, command: CheckTargets) -> TargetsChecked:
        plan = self._plans.get(command.destination)
        if plan is None:
            # A restored call may name a destination that was since removed: its targets are rung.
            return TargetsChecked(command.check)
        if plan.hours is not None:
            hours = parse_hours(plan.hours, plan.holidays)
            now = datetime.fromtimestamp(self._clock.now(), UTC)
            if not hours.open_at(now):
                opens = hours.opens_next(now)
                # In English, as all text for the model. It speaks the caller's language.
                said = "" if opens is None else spoken_opening(opens, hours.zone, now=now)
                return TargetsChecked(command.check, open=False, opens=said)
        if self._is_free is None:
            return TargetsChecked(command.check)
        seconds = self._clock.delay(PRESENCE_SECONDS)
        free = await free_targets(plan.targets, self._is_free, seconds)
        return TargetsChecked(command.check, free=free)
