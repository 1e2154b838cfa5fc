"""Several nodes with faults drawn at random: no call has two owners, and none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from .nodes import KINDS, describe, draw_nodes, play_nodes

SEEDS = (3, 17, 25, 26, 30)


def test_the_seeds_have_every_fault() -> None:
    kinds = {fault.kind for seed in SEEDS for fault in draw_nodes(seed).faults}
    assert kinds == set(KINDS)


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_call_has_two_owners_and_none_is_lost(tmp_path: Path, seed: int) -> None:
    plan = draw_nodes(seed)
    played = await play_nodes(tmp_path, plan)
    assert played.violations == [], describe(plan)
