"""Scenarios of `python -m tests.cluster` that are short enough for every run."""

from __future__ import annotations

import pytest
from tests.cluster.rig import open_rig
from tests.cluster.scenarios import hand_offs, killed, rolling_restart

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]


async def test_three_nodes_behind_a_balancer_lose_no_call() -> None:
    """Hand-offs of each manner land anywhere, a node is killed, and each node is restarted."""
    async with open_rig() as rig:
        figures = await hand_offs(rig, calls=10)
        assert figures["alerts"] == 0
        assert sum(figures["forwarded"].values()) > 0
        await killed(rig, calls=9)
        await rolling_restart(rig, calls=6)
        assert [fault for fault in rig.faults() if "Traceback" in fault] == []
