"""One bad peer, or a slow disk, costs no other call a piece of sound, and ends none.

Each fault meets a line of its own, served by a process of its own, between the two ends of the
load generator. How long the others' sound takes meanwhile is measured by `hookflash bench`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hookflash.bench import faults
from hookflash.bench.programs import compiled
from hookflash.bench.stage import Rig

pytestmark = pytest.mark.timeout(120)

CALLS = 10
SECONDS = 1.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with compiled() as programs:
        yield Rig(programs)


@pytest.mark.parametrize("name", faults.FAULTS)
async def test_a_bad_peer_loses_no_sound_and_no_call_of_others(rig: Rig, name: str) -> None:
    fault = await faults.measure_fault(rig, name, faults.FAULTS[name], CALLS, SECONDS)
    assert fault.lost == 0, fault
    assert fault.gone <= 1, "only the call with the fault may be lost"


async def test_a_slow_disk_loses_no_sound_and_no_call(rig: Rig, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    environ = {"LD_PRELOAD": str(rig.programs.slow_disk), "SLOW_DISK": str(slow)}
    fault = await faults.measure_fault(
        rig, faults.SLOW_DISK, lambda stage: slow.touch(), CALLS, SECONDS, environ
    )
    assert fault.lost == 0, fault
    assert fault.gone == 0
