from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from hookflash_local.bench.processes import cpu_seconds, family, kill, resident_bytes

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-c", "sum(range(3000000)); print(flush=True)"
    "; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.fixture
def parent() -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", PARENT], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        child = int(process.stdout.readline())
        yield process, child
        kill(process.pid)


@pytest.mark.realtime
def test_a_process_counts_with_its_descendants_until_the_family_is_killed(
    parent: tuple[subprocess.Popen[str], int],
) -> None:
    process, child = parent
    assert family(process.pid) == [process.pid, child]
    assert cpu_seconds(process.pid) >= cpu_seconds(child) > 0.01
    assert resident_bytes(process.pid) > resident_bytes(child) > 1_000_000
    kill(process.pid)
    process.wait()
    assert family(process.pid) == [process.pid]
    assert cpu_seconds(process.pid) == 0.0
    assert resident_bytes(process.pid) == 0
