from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hookflash.errors import ConfigError
from hookflash_local.bench.processes import Placement, cores
from hookflash_local.bench.programs import BenchError, LoadGenerator, Programs, compiled


def test_without_a_compiler_the_error_names_what_to_install() -> None:
    with pytest.raises(ConfigError, match="apt-get install gcc"), compiled("no-such-compiler"):
        pass


def test_a_compiler_that_refuses_is_quoted() -> None:
    with pytest.raises(ConfigError, match="cannot compile native/relay.c"), compiled("false"):
        pass


@pytest.mark.realtime
async def test_an_order_that_is_not_understood_ends_the_load_generator(programs: Programs) -> None:
    load = await LoadGenerator.start(programs.load, placement=Placement(tuple(cores())))
    answer = load.expect("measured")
    load.order("make", "coffee")
    with pytest.raises(BenchError, match="unknown command: make coffee"):
        await answer
    await load.stop()


@pytest.mark.realtime
async def test_an_answer_that_does_not_come_is_said_with_the_calls_that_are_gone(
    programs: Programs,
) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        load = await LoadGenerator.start(programs.load, placement=Placement(tuple(cores())))
        gone = load.expect("gone", "CA1")
        load.order("relay", server.sockets[0].getsockname()[1])
        load.order("call", "CA1", "/", "-", "-", 0)
        await gone
        with pytest.raises(BenchError, match="'speaking CA1' within 0.1 s.*1 calls gone, .*CA1: "):
            await load.expect("speaking", "CA1", seconds=0.1)
        await load.stop()


@pytest.mark.realtime
def test_the_slow_disk_is_slow_for_files_while_its_switch_is_there(
    programs: Programs, tmp_path: Path
) -> None:
    switch = tmp_path / "slow"
    # Who is slowed sleeps, and who sleeps gives the processor away.
    writing = (
        "import os, resource, sys, time\n"
        "given_away = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw\n"
        "file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY)\n"
        "before, began = given_away(), time.monotonic()\n"
        "os.write(file, b'x')\n"
        "print(given_away() - before, time.monotonic() - began)\n"
    )

    def slept() -> tuple[int, float]:
        """Return how often a write slept, and how many seconds it took."""
        done = subprocess.run(
            [sys.executable, "-S", "-c", writing, str(tmp_path / "file")],
            env={**os.environ, "LD_PRELOAD": str(programs.slow_disk), "SLOW_DISK": str(switch)},
            capture_output=True,
            check=True,
        )
        times, seconds = done.stdout.split()
        return int(times), float(seconds)

    assert slept()[0] == 0
    switch.touch()
    times, seconds = slept()
    assert times == 1
    assert seconds >= 0.2
