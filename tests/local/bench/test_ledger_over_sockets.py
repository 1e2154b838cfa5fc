"""The ledger on the line as it is served, between the stand-ins: exact to the millisecond."""

from __future__ import annotations

import contextlib

import pytest

from hookflash_local.bench.ledger import judge
from hookflash_local.bench.ledger_over_sockets import play, playable
from hookflash_local.bench.ledger_scenarios import SCENARIOS, Scenario
from hookflash_local.simulation.world import SimulatedWorld

PLAYABLE = [scenario for scenario in SCENARIOS if playable(scenario)]


def test_most_scenarios_can_be_played() -> None:
    assert len(PLAYABLE) >= 9


@pytest.mark.parametrize("scenario", PLAYABLE, ids=lambda scenario: scenario.name)
async def test_the_model_is_told_what_the_caller_received(scenario: Scenario) -> None:
    with contextlib.closing(SimulatedWorld(0)) as world:
        measured = await play(scenario, world=world)
    row = judge(scenario, measured)
    assert row.problems == ()
    assert row.right
    assert row.error_ms == 0.0
