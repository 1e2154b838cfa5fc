from __future__ import annotations

import pytest

from hookflash.core.handoff.limits import LIMITS
from hookflash.core.handoff.states import NEXT, STAYS, HandoffState, Trigger

from .machines import T, handoff_in


@pytest.mark.parametrize("state", HandoffState)
def test_each_state_decides_about_each_trigger_once(state: HandoffState) -> None:
    leads, stays = set(NEXT[state]), STAYS[state]
    assert not leads & stays
    assert leads | stays == set(Trigger)


@pytest.mark.parametrize("state", HandoffState)
@pytest.mark.parametrize("trigger", Trigger)
def test_the_machine_goes_where_its_table_says(state: HandoffState, trigger: Trigger) -> None:
    handoff = handoff_in(state)
    assert handoff.fire(trigger, T) is (trigger in NEXT[state])
    assert handoff.state is NEXT[state].get(trigger, state)


def test_every_state_can_be_reached_and_left() -> None:
    found, new = {HandoffState.IDLE}, {HandoffState.IDLE}
    while new:
        new = {to for state in new for to in NEXT[state].values()} - found
        found |= new
    assert found == set(HandoffState)
    assert all(NEXT[state] for state in HandoffState)


def test_a_caller_who_is_gone_ends_every_hand_off() -> None:
    for state in HandoffState:
        handoff = handoff_in(state)
        handoff.fire(Trigger.GONE, T)
        assert not handoff.running, state


def test_every_state_says_how_long_it_may_last() -> None:
    assert set(LIMITS) == set(HandoffState)
