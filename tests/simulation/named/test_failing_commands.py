"""A command that cannot be carried out takes nothing else with it: what was wanted beside it is
done, the event is in the journal, and the timer runs.

Of the driver alone, with ports that break: in a whole call such an error would be one of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hookflash.core import events as e
from hookflash.core.commands import CancelResponse, RequestResponse, TruncateItem
from hookflash.core.phases import Phase
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.driver import Driver
from hookflash.runtime.journal_replay import read_journal
from hookflash_local.simulation.world import SimulatedWorld

from ...runtime.conftest import Stream, World
from ...runtime.test_driver import drive


class Broken(Exception):
    """What a port raises."""


def breaks(*args: object) -> None:
    raise Broken("as the test says")


def post(driver: Driver, event: e.AnyEvent) -> None:
    """Let something happen. Whether the error comes through to whoever told it is not asked."""
    with contextlib.suppress(Broken):
        driver.post(event)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Ports on the virtual clock."""
    world = World(tmp_path)
    world.clock = SystemClock(1.0, world=SimulatedWorld(0))
    yield world
    world.journals.close()


def arrived(world: World) -> tuple[Driver, Stream]:
    """A call whose model is ready, and whose stream opens next."""
    driver, _ = drive(world)
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    stream = Stream()
    assert driver.attach(stream) is not None
    driver.post(e.ModelReady())
    return driver, stream


def speaking(world: World) -> tuple[Driver, Stream]:
    """A call in whose third second the agent is speaking, and is heard."""
    driver, stream = arrived(world)
    driver.post(e.StreamStarted("MZ1", 1))
    driver.post(e.ResponseStarted("r1"))
    for _ in range(3):
        driver.post(e.ModelAudio("r1", "i1", "/v7+" * 2000, 6000))
    return driver, stream


async def journalled(world: World, driver: Driver) -> list[str]:
    """The names of the events in the call's journal, once the call is let go."""
    await driver.close()
    assert world.journals.flush()
    path = world.journals.find("CA1")
    assert path is not None
    _, lines = read_journal(path)
    return [type(line.event).__name__ for line in lines if line.event is not None]


async def test_a_stream_that_breaks_as_it_opens_does_not_keep_the_agent_from_greeting(world):
    driver, stream = arrived(world)
    stream.mark = breaks
    post(driver, e.StreamStarted("MZ1", 1))
    sent = [type(each) for each in world.connector.links[-1].sent]
    assert RequestResponse in sent
    assert await journalled(world, driver) == ["CallArrived", "ModelReady", "StreamStarted"]


async def test_a_stream_that_breaks_as_the_caller_interrupts_does_not_keep_the_model_unaware(world):
    driver, stream = speaking(world)
    stream.clear = breaks
    await asyncio.sleep(0.5)
    post(driver, e.CallerSpeechStarted("u1"))
    sent = [type(each) for each in world.connector.links[-1].sent]
    assert CancelResponse in sent and TruncateItem in sent
    assert (await journalled(world, driver))[-1] == "CallerSpeechStarted"


async def test_a_model_that_takes_nothing_does_not_keep_the_caller_from_the_human(world):
    """The farewell cannot be asked for; its time runs out all the same."""
    driver, _ = arrived(world)
    driver.post(e.StreamStarted("MZ1", 1))
    world.connector.links[-1].carry_out = breaks
    wanted = e.ToolCallRequested("c1", "transfer_to_human", '{"destination":"desk"}', "r1")
    post(driver, wanted)
    await asyncio.sleep(30)
    assert [call_sid for call_sid, _ in world.control.moves] == ["CA1"]
    assert driver.call.phase is Phase.HANDING_OFF
    assert "ToolCallRequested" in await journalled(world, driver)


async def test_a_model_that_cannot_be_closed_does_not_keep_a_call_from_its_record(world):
    driver, _ = speaking(world)
    world.connector.links[-1].close = breaks
    post(driver, e.CallCompleted())
    assert [record.call_sid for record in world.records.kept] == ["CA1"]
    world.connector.links[-1].close = lambda: None
    assert (await journalled(world, driver))[-1] == "CallCompleted"


async def test_a_record_that_cannot_be_stored_does_not_keep_a_call_alive(world):
    driver, ended = drive(world)
    driver.ask(e.CallArrived("CA1", "+15550100009", "+15550100001"))
    world.records.put = breaks
    post(driver, e.CallCompleted())
    assert ended == [driver]
    assert (await journalled(world, driver))[-1] == "CallCompleted"


async def test_a_command_that_fails_at_its_time_does_not_stop_the_timer(world):
    """The farewell's time is over and the model cannot be closed: the call is moved all the same,
    and when REST does not answer, the stream is closed in time."""
    driver, stream = arrived(world)
    driver.post(e.StreamStarted("MZ1", 1))
    driver.post(e.ResponseStarted("r1"))
    driver.post(e.ToolCallRequested("c1", "transfer_to_human", '{"destination":"desk"}', "r1"))
    moved: list[str] = []

    async def never(call_sid: str, instructions: object, *, seconds: float) -> None:
        moved.append(call_sid)
        await asyncio.Event().wait()

    world.control.move = never
    world.connector.links[-1].close = breaks
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    await asyncio.sleep(10)
    assert moved == ["CA1"]
    assert stream.closed
    world.connector.links[-1].close = lambda: None
    await driver.close()
