"""Scenarios of `python -m tests.cluster` that are short enough for every run."""

from __future__ import annotations

import pytest
from tests.cluster.rig import open_rig
from tests.cluster.scenarios import hand_offs

pytestmark = pytest.mark.realtime


async def test_hand_offs_of_each_manner_pass_through_the_balancer() -> None:
    async with open_rig(nodes=1) as rig:
        figures = await hand_offs(rig, calls=5)
        assert figures["alerts"] == 0
        assert rig.faults() == []
