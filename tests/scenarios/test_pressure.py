"""One bad peer, or a slow disk, is nobody else's trouble: the other calls' delay stays as it was.

Each fault meets a line of its own, served by a process of its own, between the two ends of the
load generator. What is compared is the others' delay without and with the fault, in one run on one
machine; the bounds are wide, because a busy machine adds more than any of the faults may.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hookflash.bench import faults
from hookflash.bench.programs import compiled
from hookflash.bench.report import Fault
from hookflash.bench.stage import Rig

pytestmark = pytest.mark.timeout(120)

CALLS = 10
SECONDS = 1.0
WORSE = 4.0
"""Times the delay without the fault, and so much more: a stall is seconds, or lost sound."""
NOISE_MS = 100.0


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with compiled() as programs:
        yield Rig(programs)


def unmoved(fault: Fault) -> bool:
    return fault.lost == 0 and fault.during_p99 <= WORSE * fault.before_p99 + NOISE_MS


@pytest.mark.parametrize("name", faults.FAULTS)
async def test_a_bad_peer_delays_nobody_else(rig: Rig, name: str) -> None:
    fault = await faults.measure_fault(rig, name, faults.FAULTS[name], CALLS, SECONDS)
    assert unmoved(fault), fault
    assert fault.gone <= 1, "only the call with the fault may be lost"


async def test_a_slow_disk_delays_no_call_and_ends_none(rig: Rig, tmp_path: Path) -> None:
    slow = tmp_path / "slow"
    environ = {"LD_PRELOAD": str(rig.programs.slow_disk), "SLOW_DISK": str(slow)}
    fault = await faults.measure_fault(
        rig, faults.SLOW_DISK, lambda stage: slow.touch(), CALLS, SECONDS, environ
    )
    assert unmoved(fault), fault
    assert fault.gone == 0
