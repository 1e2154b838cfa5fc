"""Check whether a destination is open now, whom to ring, and which of the targets are available.

Opening hours and holidays come from the plan. An address may be computed by a function of the
owner's. Availability comes from the owner's hook (`presence.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from hookflash.agents.hours import parse_hours
from hookflash.agents.spoken_time import spoken_opening
from hookflash.core.commands import CheckTargets
from hookflash.core.events import TargetsChecked
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.errors import ConfigError
from hookflash.runtime.ask_function import ask_function
from hookflash.runtime.ports import Clock
from hookflash.runtime.presence import PRESENCE_SECONDS, Presence, free_targets
from hookflash.runtime.tool_runner import ToolThreads

_log = logging.getLogger("hookflash.call.targets")

ADDRESS_SECONDS = 1.0
"""How long a function may take to say whom to ring."""

_PRESENCE_SECONDS = 0.8
"""How long the hook may take after functions were asked. Together they have less time than the call
waits (`CHECK_SECONDS`)."""

_EXPECTED = "expected a Target such as Target.phone(...), or None to ring nobody"


class AgentChecks:
    """Satisfies `ports.Checks` for the calls of one agent.

    `functions` compute addresses, by destination and by the target's place. They are called with
    `context`, plain ones in `threads`.
    """

    def __init__(
        self,
        destinations: Sequence[Destination],
        is_free: Presence | None,
        clock: Clock,
        *,
        functions: Mapping[str, Mapping[int, Callable[..., object]]] | None = None,
        threads: ToolThreads | None = None,
    ) -> None:
        self.context: object = None
        self._plans = {each.key: each.plan for each in destinations}
        self._is_free = is_free
        self._clock = clock
        self._functions = functions or {}
        self._threads = threads or ToolThreads()

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
        checked = TargetsChecked(command.check)
        if functions := self._functions.get(command.destination):
            plan = await self._computed(command.destination, plan, functions)
            checked = replace(checked, targets=plan.targets)
        if self._is_free is None:
            return checked
        seconds = self._clock.delay(_PRESENCE_SECONDS if functions else PRESENCE_SECONDS)
        known = [place for place, each in enumerate(plan.targets) if each.kind != "function"]
        free = await free_targets([plan.targets[place] for place in known], self._is_free, seconds)
        return replace(checked, free=tuple(known[number] for number in free))

    async def _computed(
        self, destination: str, plan: HandoffPlan, functions: Mapping[int, Callable[..., object]]
    ) -> HandoffPlan:
        """Return the plan with the addresses that its functions return, all asked at once."""
        found = await asyncio.gather(
            *(self._address(destination, each) for each in functions.values())
        )
        targets = list(plan.targets)
        for place, target in zip(functions, found, strict=True):
            if target is not None:
                targets[place] = target
        try:
            return replace(plan, targets=tuple(targets))
        except ConfigError as error:
            _log.error("! %s: a computed target does not fit its plan: %s", destination, error)
            return plan

    async def _address(self, destination: str, function: Callable[..., object]) -> Target | None:
        name = getattr(function, "__name__", type(function).__name__)
        seconds = self._clock.delay(ADDRESS_SECONDS)
        try:
            found = await ask_function(
                function, self.context, threads=self._threads, seconds=seconds
            )
        except TimeoutError:
            _log.warning(
                "! %s: %s said nothing within %g s; it is left out",
                *(destination, name, ADDRESS_SECONDS),
            )
            return None
        except Exception:
            # The function is the owner's and may raise anything.
            _log.exception("! %s: %s failed; it is left out", destination, name)
            return None
        if found is None:
            return None
        if not isinstance(found, Target) or found.kind in ("queue", "function"):
            # Not the value: it may be a number.
            kind = found.kind if isinstance(found, Target) else type(found).__name__
            _log.error("! %s: %s returned a %s; %s", destination, name, kind, _EXPECTED)
            return None
        return found
