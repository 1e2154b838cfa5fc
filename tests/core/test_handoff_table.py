from __future__ import annotations

import pytest

from hookflash.core.handoff import Handoff
from hookflash.core.handoff_table import NEXT, STAYS, State, Trigger


@pytest.mark.parametrize("state", State)
def test_each_state_decides_about_each_trigger_once(state: State) -> None:
    leads, stays = set(NEXT[state]), STAYS[state]
    assert not leads & stays
    assert leads | stays == set(Trigger)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("trigger", Trigger)
def test_the_machine_goes_where_its_table_says(state: State, trigger: Trigger) -> None:
    handoff = Handoff()
    handoff.state = state
    assert handoff.fire(trigger) is (trigger in NEXT[state])
    assert handoff.state is NEXT[state].get(trigger, state)


def test_every_state_can_be_reached_and_left() -> None:
    found, new = {State.IDLE}, {State.IDLE}
    while new:
        new = {to for state in new for to in NEXT[state].values()} - found
        found |= new
    assert found == set(State)
    assert all(NEXT[state] for state in State)


def test_a_caller_who_is_gone_ends_every_hand_off() -> None:
    for state in State:
        handoff = Handoff()
        handoff.state = state
        handoff.fire(Trigger.GONE)
        assert not handoff.running, state
