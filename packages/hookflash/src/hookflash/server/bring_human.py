"""Bring a human to a live call that another application has: by REST and this line's webhooks.

    the application's call --REST: ask the line--> the line's TwiML dials the human
                                                          |
    return_url <--Redirect-- nobody, or the human is done +--> with the human: the result is known

Status callbacks, the whisper and the key need an address that the carrier can ask. So the line's
routes are mounted, and its call machines play the plan as for a call of its own. Polling REST
instead would miss the key that a human presses, and would leave the caller in silence between two
polls.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from urllib.parse import urlsplit

from msgspec.structs import replace

from hookflash.agents.plans import Cold, Consult, Plan, Queue, Refer, Warm, handoff_plan
from hookflash.carriers.twilio.rest import TwilioControl
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.webhooks import is_call_sid
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.record import HumanOutcome
from hookflash.errors import CarrierError, ConfigError
from hookflash.runtime.ports import Clock
from hookflash.runtime.switchboard import Switchboard

MOVE_SECONDS = 5.0
"""How long Twilio's REST API may take to accept the move."""

ASK_SECONDS = 20.0
"""How long Twilio may take to ask the line for instructions. It retries for 15 s."""


@dataclass(frozen=True)
class HumanBringer:
    """Brings humans to calls of other applications, with the parts of one open line.

    `alone`: no other node serves the line, so the carrier's request about the call comes here.
    """

    switchboard: Switchboard
    control: TwilioControl
    urls: Urls
    clock: Clock
    alone: bool = True

    async def bring(
        self,
        call_sid: str,
        plan: Plan,
        *,
        summary: str = "",
        reason: str = "",
        return_url: str = "",
    ) -> HumanOutcome:
        """See `hookflash.bring_human`."""
        if not isinstance(call_sid, str) or not is_call_sid(call_sid):
            raise ConfigError(f"bring_human: expected the SID of a call, got {call_sid!r}")
        if return_url and urlsplit(return_url).scheme not in ("https", "http"):
            raise ConfigError(
                f"bring_human: return_url must be an absolute URL of yours, got {return_url!r}"
            )
        if not self.alone:
            raise ConfigError(
                "bring_human: several nodes serve this line (HOOKFLASH_CLUSTER_URL), and the"
                " request about the call may reach another one; give it a line of its own"
            )
        core_plan = _checked(plan)
        checked = await self.switchboard.check_plan(core_plan)
        places = tuple(range(len(core_plan.targets)) if checked.free is None else checked.free)
        if not checked.open or not places:
            return HumanOutcome(outcome="closed", disposition="failed", note=checked.opens)
        targets = tuple(core_plan.targets[place] for place in places)
        result = self.switchboard.expect(
            call_sid,
            replace(core_plan, targets=targets),
            reason=reason,
            summary=summary,
            return_url=return_url,
        )
        try:
            url = self.urls.brought(self.switchboard.brought.number)
            await self.control.redirect(call_sid, url, seconds=self.clock.delay(MOVE_SECONDS))
            return _in_plan(await self._settled(call_sid, result), places)
        finally:
            self.switchboard.brought.forget(call_sid)

    async def _settled(self, call_sid: str, result: Awaitable[HumanOutcome]) -> HumanOutcome:
        future = asyncio.ensure_future(result)
        await asyncio.wait((future,), timeout=self.clock.delay(ASK_SECONDS))
        if not future.done() and self.switchboard.brought.expects(call_sid):
            raise CarrierError(
                f"bring_human: Twilio has accepted the move of {call_sid} and has not asked"
                f" {self.urls.voice()} within {ASK_SECONDS:g} s; check HOOKFLASH_PUBLIC_URL"
            )
        return await future


def _checked(plan: Plan) -> HandoffPlan:
    """Return the plan as the core plays it, or raise `ConfigError`."""
    if isinstance(plan, Consult):
        raise ConfigError(
            "bring_human: in a Consult an agent of Hookflash talks with the human, and this call"
            " has none; use Warm(...), which says the summary and asks for a key"
        )
    if not isinstance(plan, Cold | Warm | Queue | Refer):
        raise ConfigError(
            f"bring_human: plan must be Cold(...), Warm(...), Queue(...) or Refer(...), got"
            f" {type(plan).__name__}"
        )
    found = handoff_plan(plan)
    if any(target.kind == "function" for target in found.targets):
        raise ConfigError(
            "bring_human: targets must be Target.phone(...) and the like; call your function"
            " before, and pass what it returns"
        )
    return found


def _in_plan(outcome: HumanOutcome, places: tuple[int, ...]) -> HumanOutcome:
    """Return the outcome with the places of the targets in the plan as it was given."""
    attempts = tuple(
        replace(each, target=None if each.target is None else places[each.target])
        for each in outcome.attempts
    )
    target = None if outcome.target is None else places[outcome.target]
    return replace(outcome, target=target, attempts=attempts)
