from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from hookflash import Agent
from hookflash.core.events import CallArrived, CallCompleted
from hookflash.core.record import CallRecord
from hookflash.core.setup import CallSetup
from hookflash.runtime.journal import Journals, JournalState
from hookflash.runtime.journal_replay import read_journal
from hookflash.runtime.owner_code import OwnerCodeError
from hookflash.runtime.tool_runner import ToolThreads
from hookflash.server.assembly import open_line
from hookflash.stores.records import open_store
from hookflash.world import World
from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.world import EPOCH, SimulatedWorld, make_database

from ...settings_parts import settings_of


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(thread: threading.Thread) -> None:
        raise AssertionError(f"a thread was started: {thread.name}")

    monkeypatch.setattr(threading.Thread, "start", start)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        yield runner


def record(call_sid: str) -> CallRecord:
    return CallRecord(
        call_sid=call_sid,
        agent="shop",
        caller="+15550101",
        called="+15550100",
        disposition="handled_by_agent",
        arrived_at=EPOCH,
        seconds=5.0,
    )


# --- time and randomness ----------------------------------------------------------------------


def test_both_clocks_are_the_loops(runner: asyncio.Runner) -> None:
    async def main() -> None:
        world: World = SimulatedWorld(1)
        assert (world.wall(), world.monotonic()) == (EPOCH, 0.0)
        await asyncio.sleep(3600.0)
        assert (world.wall(), world.monotonic()) == (EPOCH + 3600.0, 3600.0)

    runner.run(main())


def test_a_loop_may_be_given_before_it_runs() -> None:
    loop = VirtualLoop()
    assert SimulatedWorld(1, loop=loop, epoch=100.0).wall() == 100.0
    loop.close()


def test_the_same_seed_gives_the_same_numbers_for_each_name(runner: asyncio.Runner) -> None:
    async def main() -> None:
        one, two, other = SimulatedWorld(1), SimulatedWorld(1), SimulatedWorld(2)
        # What is drawn for another purpose in between changes nothing.
        two.entropy("leases").random()
        drawn = [one.entropy("tokens").random() for _ in range(3)]
        assert [two.entropy("tokens").random() for _ in range(3)] == drawn
        assert other.entropy("tokens").random() != drawn[0]
        assert one.entropy("leases").random() != drawn[0]

    runner.run(main())


# --- work -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_threads")
def test_a_queue_does_its_work_at_once(runner: asyncio.Runner) -> None:
    async def main() -> None:
        did: list[object] = []
        world = SimulatedWorld(1)
        queue = world.queue(
            "test",
            did.append,
            batch_seconds=60.0,
            begin=lambda: did.append("begin"),
            end=lambda: did.append("end"),
        )
        queue.put(1)
        queue.put(2, urgent=True)
        assert did == ["begin", [1], [2]]
        assert queue.flush(0.0)
        queue.close()
        queue.put(3)
        world.close()
        assert did == ["begin", [1], [2], "end"]
        world.queue("test", did.append, batch_seconds=0.0).close()

    runner.run(main())


@pytest.mark.usefixtures("no_threads")
def test_a_journal_on_a_disk_that_fails_loses_lines_and_the_call_goes_on(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def main() -> None:
        folder = tmp_path / "journals"
        world = SimulatedWorld(1)
        journals = Journals(folder, world=world)
        folder.rmdir()
        journal = journals.begin("CA1", CallSetup())
        assert isinstance(journals.error, OSError)
        assert journals.lost == 1
        folder.mkdir()
        journal.write(EPOCH, CallArrived("CA1", "+15550101", "+15550100"), [])
        assert b'"lost":1' in journal.path.read_bytes()
        assert journal.path.stat().st_mtime == EPOCH
        world.close()

    runner.run(main())


@pytest.mark.usefixtures("no_threads")
def test_a_function_that_blocks_runs_at_once_and_finds_no_loop(runner: asyncio.Runner) -> None:
    def tool() -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return "done"

    def broken() -> str:
        raise StopIteration

    async def main() -> None:
        threads = ToolThreads(start=SimulatedWorld(1).start_thread)
        assert await threads.call(tool, "order") == "done"
        with pytest.raises(OwnerCodeError, match="StopIteration"):
            await threads.call(broken, "order")
        assert asyncio.get_running_loop().time() == 0.0

    runner.run(main())


# --- databases --------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_threads")
def test_a_store_works_without_a_thread(runner: asyncio.Runner, tmp_path: Path) -> None:
    async def main() -> None:
        world = SimulatedWorld(1)
        await make_database(tmp_path / "data" / "calls.db")
        store = await open_store(f"sqlite:///{tmp_path}/data/calls.db", connect=world.sqlite)
        await store.put(record("CA1"))
        assert await store.get("CA1") == record("CA1")
        with pytest.raises(IntegrityError):
            async with store.engine.begin() as connection:
                await connection.execute(text("INSERT INTO utterances DEFAULT VALUES"))
        assert [each.call_sid for each in await store.list()] == ["CA1"]
        await store.close()
        assert asyncio.get_running_loop().time() == 0.0

    runner.run(main())


def test_every_database_made_is_the_same_and_the_driver_can_read_it(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def make() -> None:
        for name in ("one.db", "two.db"):
            await make_database(tmp_path / name)

    runner.run(make())
    assert (tmp_path / "one.db").read_bytes() == (tmp_path / "two.db").read_bytes()

    async def read() -> None:
        store = await open_store(f"sqlite:///{tmp_path}/one.db")
        assert await store.list() == []
        await store.close()

    asyncio.run(read())


def test_a_process_that_ends_leaves_no_connection_and_rolls_back(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def main() -> None:
        path = tmp_path / "calls.db"
        await make_database(path)
        world, after = SimulatedWorld(1), SimulatedWorld(2)
        lost = await open_store(f"sqlite:///{path}", connect=world.sqlite)
        connection = await lost.engine.connect()
        await connection.execute(text("UPDATE calls SET caller = ''"))
        world.close()
        with pytest.raises(OperationalError):
            await connection.execute(text("SELECT 1"))
        store = await open_store(f"sqlite:///{path}", connect=after.sqlite)
        await store.put(record("CA1"))
        await store.close()
        await connection.close()
        await lost.close()

    runner.run(main())


def test_a_database_that_cannot_be_opened_is_an_error(
    runner: asyncio.Runner, tmp_path: Path
) -> None:
    async def main() -> None:
        world = SimulatedWorld(1)
        with pytest.raises(sqlite3.OperationalError):
            await world.sqlite(str(tmp_path / "nowhere" / "calls.db"))
        world.close()

    runner.run(main())


# --- a line -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_threads")
def test_a_line_opens_in_a_simulated_world(runner: asyncio.Runner, tmp_path: Path) -> None:
    settings = settings_of(
        public_url="https://line.example.test",
        twilio_account_sid="AC" + "0" * 32,
        twilio_auth_token="secret",
        openai_api_key="key",
        data_dir=tmp_path,
        database_url=f"sqlite:///{tmp_path}/calls.db",
        call_retention_days=1.0,
    )

    async def main() -> None:
        await make_database(tmp_path / "calls.db")
        world = SimulatedWorld(1)
        async with open_line(settings, Agent("shop", instructions="Sell."), world=world) as line:
            journal = line.journals.begin("CA1", CallSetup())
            journal.write(EPOCH, CallCompleted(), [], JournalState("ended", "idle"))
            assert line.journals.flush()
            _, lines = read_journal(journal.path)
            assert [each.event for each in lines if each.event] == [CallCompleted()]
        world.close()

    runner.run(main())
