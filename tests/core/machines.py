"""Machines of the core, alone: with a request, in any state, in a situation that a test chooses."""

from __future__ import annotations

import msgspec

from hookflash.core.call_info import CallInfo
from hookflash.core.handoff import Handoff
from hookflash.core.handoff.handoff import Request
from hookflash.core.handoff.states import HandoffState
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import CallSetup

T = 1000.0


class Somewhere(msgspec.Struct):
    """A caller's leg, as the other machines see it."""

    phase: Phase = Phase.TALKING
    moving_until: float | None = None


def asked_for(plan: HandoffPlan, *, manner: str = "cold", source: str = "tool") -> Handoff:
    """A hand-off that was asked for at `T`."""
    handoff = Handoff(CallSetup(), CallInfo(), Somewhere())
    request = Request(
        destination=Destination(key="billing", when="", plan=plan),
        reason="a refund",
        summary="an invoice is wrong",
        source=source,
        asked_at=T,
        manner=manner,
    )
    assert handoff.ask(request)
    return handoff


def handoff_in(state: HandoffState) -> Handoff:
    """A hand-off that has come to a state, somehow."""
    handoff = asked_for(HandoffPlan(targets=(Target.phone("+15550102"),)))
    handoff._timer.enter(state, T, handoff)
    return handoff
