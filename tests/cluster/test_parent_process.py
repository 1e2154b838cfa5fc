"""A parent and its workers: started, started again, stopped; small programs stand for workers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hookflash.cluster.parent_process import BackOff, ParentProcess
from hookflash.cluster.worker_slot import WorkerSlot

# A worker's life: where it notes that it began, and what it then does.
BEGIN = """
import os, signal, socket, sys, time
slot, name, listener, line = sys.argv[1].split(":")
line = socket.socket(fileno=int(line))
def note(what):
    with open(sys.argv[2], "a") as file:
        file.write(f"{slot} {what}\\n")
"""
SERVE = """
signal.signal(signal.SIGTERM, lambda *_: (note("drained"), sys.exit(0)))
note("began")
line.send(b"r")
while True: signal.pause()
"""
DIE_ONCE = """
if slot == "2" and "2 began" not in open(sys.argv[2]).read():
    note("began")
    os.kill(os.getpid(), signal.SIGKILL)
"""
HANG = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
note("began")
line.send(b"r")
while True: signal.pause()
"""


class Crew:
    def __init__(self, folder: Path, program: str, **options: object) -> None:
        self.notes = folder / "notes"
        self.notes.touch()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.ready = asyncio.Event()
        program = BEGIN + program
        self.parent = ParentProcess(
            lambda worker_slot: [
                sys.executable,
                "-S",
                "-c",
                program,
                str(worker_slot),
                str(self.notes),
            ],
            self.listener,
            workers=2,
            make_back_off=lambda: BackOff(0.0),
            **options,  # type: ignore[arg-type]
        )
        self.running = asyncio.create_task(self.parent.run(self.ready.set))

    def noted(self) -> list[str]:
        return sorted(self.notes.read_text().splitlines())

    async def until(self, true: Callable[[list[str]], bool]) -> None:
        for _ in range(3_000):
            if true(self.noted()):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"a minute has passed, and all that was noted is {self.noted()}")

    def signal(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)


@contextlib.asynccontextmanager
async def crew(folder: Path, program: str, **options: object) -> AsyncIterator[Crew]:
    found = Crew(folder, program, **options)
    try:
        yield found
    finally:
        for pid in found.parent.running.values():
            os.kill(pid, signal.SIGKILL)
        found.running.cancel()
        await asyncio.gather(found.running, return_exceptions=True)
        found.listener.close()


def test_each_death_is_waited_for_longer_up_to_a_bound_and_a_long_life_is_trusted_again() -> None:
    back_off = BackOff(0.1, 1.0, steady_seconds=60)
    assert [back_off.died(1) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert back_off.died(60) == 0.1
    assert back_off.died(0) == 0.2


@pytest.mark.realtime
async def test_sigterm_is_forwarded_and_clean_workers_give_exit_code_0(
    tmp_path: Path,
) -> None:
    async with crew(tmp_path, SERVE) as line:
        await line.until(lambda noted: noted == ["1 began", "2 began"])
        assert line.ready.is_set()
        assert sorted(line.parent.running) == [1, 2]
        line.signal()
        assert await line.running == 0
        assert line.noted() == ["1 began", "1 drained", "2 began", "2 drained"]
    # A signal before anybody listens stops the start.
    slow = 'signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nnote("slow")\nsignal.pause()'
    async with crew(tmp_path, slow) as line:
        await line.until(lambda noted: "1 slow" in noted)
        line.signal()
        assert await line.running == 0
        assert not line.ready.is_set()


@pytest.mark.realtime
async def test_a_worker_that_dies_is_started_again_and_the_other_does_not_notice(
    tmp_path: Path,
) -> None:
    async with crew(tmp_path, DIE_ONCE + SERVE) as line:
        await line.until(lambda noted: noted == ["1 began", "2 began", "2 began"])
        line.signal()
        assert await line.running == 0
        assert line.noted().count("1 began") == 1


@pytest.mark.realtime
async def test_a_worker_that_cannot_start_logs_once_and_sets_the_exit_code(tmp_path: Path) -> None:
    async with crew(tmp_path, 'note("began")\nsys.exit(2)') as line:
        assert await line.running == 2
        assert line.noted() == ["1 began"]
        assert not line.ready.is_set()
    # A first worker that ends well without listening is a failure.
    async with crew(tmp_path, "") as line:
        assert await line.running == 1


@pytest.mark.realtime
async def test_a_worker_that_hangs_is_killed_and_started_again(tmp_path: Path) -> None:
    async with crew(tmp_path, HANG, heartbeat_timeout=0.5) as line:
        await line.until(lambda noted: noted.count("1 began") >= 2)
        assert not line.running.done()
        line.signal()
        # Nor do they heed the signal: silence ends them, and the end is not called clean.
        assert await line.running == 1


def test_a_seat_is_written_and_read() -> None:
    worker_slot = WorkerSlot(2, "w2-00ff", 7, 9)
    assert WorkerSlot.parse(str(worker_slot)) == worker_slot


@pytest.mark.parametrize("text", ["", "1:w1:7", "1:W!:7:9", "x:w1:7:9", "1:w1:7:9:1"])
def test_a_seat_that_is_none_names_the_option_to_use(text: str) -> None:
    from hookflash.errors import ConfigError

    with pytest.raises(ConfigError, match="--workers"):
        WorkerSlot.parse(text)
