"""Bad peers and a slow disk cost no other call a piece of sound, and end none.

The line is served by a process of its own, between the two ends of the load generator. How long
the others' sound takes meanwhile is measured by `hookflash bench`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash_local.bench.fault_isolation import FLOOD_RATE, JITTER_MS, JITTER_SHARE
from hookflash_local.bench.harness import Harness
from hookflash_local.bench.programs import compiled
from hookflash_local.bench.strangers import Kind, strangers

CALLS = 10


@pytest.mark.realtime
async def test_bad_peers_and_a_slow_disk_lose_no_sound_and_no_call_of_others(
    tmp_path: Path,
) -> None:
    slow = tmp_path / "slow"
    with compiled() as programs:
        environ = {"LD_PRELOAD": str(programs.slow_disk), "SLOW_DISK": str(slow)}
        async with Harness(programs).hookflash(environ=environ) as loaded:
            await loaded.place(CALLS)
            no_model, no_carrier, flooded, *others = loaded.live
            loaded.load.order("stall-model", no_model)
            loaded.load.order("stall-carrier", no_carrier)
            loaded.load.order("flood", flooded, FLOOD_RATE)
            loaded.load.order("jitter", JITTER_SHARE, JITTER_MS)
            slow.touch()
            window = await loaded.measure(5.0, settle=0.5)
            assert window.up.count > 0 and window.down.count > 0
            assert window.up.lost == window.down.lost == 0
            assert window.unreadable == 0
            gone = {each.partition(":")[0] for each in loaded.load.gone}
            assert gone.isdisjoint(others), "only a call with a fault may be lost"


@pytest.mark.realtime
@pytest.mark.parametrize(("kind", "connections"), [("slow", 200), ("endless", 1)])
async def test_strangers_lose_no_sound_of_calls_and_shut_no_new_call_out(
    kind: Kind, connections: int
) -> None:
    with compiled() as programs:
        environ = {"HOOKFLASH_MAX_CONNECTIONS": "50"}
        async with Harness(programs).hookflash(environ=environ) as loaded:
            await loaded.place(3)
            async with strangers(loaded.relay.port, kind, connections):
                await loaded.place(2)
                window = await loaded.measure(2.0, settle=0.5)
            assert window.calls == 5
            assert window.up.count > 0 and window.down.count > 0
            assert window.up.lost == window.down.lost == 0
            assert loaded.load.gone == []
