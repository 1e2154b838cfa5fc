"""Whole calls: the line as it is served, between the two stand-ins.

    async with stage() as s:
        s.model.on("response.create", [{"say": {"item": "hello", "ms": 900, "byte": 1}}])
        s.carrier.humans[DESK] = Human(...)
        call = await s.call(script)
        await call.ended()

Nothing is faked in between: signatures are checked, tokens are redeemed, and what each party
heard is asked of the carrier. At the end no call, leg or socket may be left, and the carrier must
have had nothing to complain about.

The clock is virtual: nothing waits, and numbers are exact. In a test that is marked `realtime` the
sockets are real and time is compressed by `speed`; it waits for what must happen, and judges what
happened, never how long this machine took.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hookflash import Agent, CallRecord, Settings, Target
from hookflash.core.phases import Phase
from hookflash.server.app import serve
from hookflash.server.assembly import Line, open_line
from hookflash.world import SYSTEM, World
from hookflash_local.carrier import Leg, NumberConfig, StandinCarrier
from hookflash_local.carrier.media.sounds import voice_pattern
from hookflash_local.carrier.parties import Script, Speak
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.world import SimulatedWorld, make_database

from ..plans import plan_of
from ..settings_parts import settings_of

PUBLIC = "https://line.example.test"
LINE = "+15550100001"
DESK = "+15550100002"
SECOND_DESK = "+15550100003"
CALLER = "+15550100009"
SPEED = 5.0
LONGEST_SECONDS = 1800.0
"""Virtual time after which a scenario has gone wrong: a call that nobody ends lasts four hours."""


def samples(sound: bytes, byte: int) -> int:
    """Count the samples of a recognisable sound: runs of one byte, as no tone or voice has."""
    return sum(len(run[0]) for run in re.finditer(re.escape(bytes([byte])) + b"{24,}", sound))


def shop(**plan) -> Agent:
    """An agent with one destination; `plan` changes its plan."""
    agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello.", fallback="desk")
    plan = {"targets": (Target.phone(DESK),), "ring_seconds": 8} | plan
    agent.handoff("desk", when="somebody asks for a person", plan=plan_of(**plan))
    return agent


async def eventually(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is true, which is looked at a hundred times a second."""
    for _ in range(round(seconds * 100)):
        if true():
            return
        await asyncio.sleep(0.01)
    assert true()


@dataclass
class Stage:
    model: ScriptedModel
    carrier: StandinCarrier
    line: Line
    settings: Settings
    folder: Path

    async def call(self, script: Script | None = None) -> Leg:
        return await self.carrier.place_call(from_=CALLER, to=LINE, script=script)

    async def record(self, call: Leg) -> CallRecord:
        """Return the record of a call that has ended, as the database has it."""
        await call.ended()
        await self.carrier.callbacks_sent()
        driver = self.line.switchboard.find(call.sid)
        assert driver is not None
        await eventually(lambda: driver.call.phase is Phase.ENDED)
        await self.line.writer.flush()
        record = await self.line.store.get(call.sid)
        assert record is not None
        return record

    @property
    def webhooks(self) -> list[str]:
        """The paths that the carrier asked, in order, status callbacks left out."""
        paths = [sent.url.removeprefix(PUBLIC).partition("#")[0] for sent in self.carrier.requests]
        quiet = ("/twilio/leg", "/twilio/status", "/twilio/stream")
        return [path for path in paths if not path.startswith(quiet)]


@pytest.fixture
def stage(tmp_path: Path) -> Callable[..., contextlib.AbstractAsyncContextManager[Stage]]:
    def opened(
        agent: Agent | None = None, **options: Any
    ) -> contextlib.AbstractAsyncContextManager[Stage]:
        loop = asyncio.get_running_loop()
        if isinstance(loop, VirtualLoop):
            loop.limit_seconds = LONGEST_SECONDS
        return open_stage(tmp_path, agent or shop(), **options)

    return opened


@contextlib.asynccontextmanager
async def open_stage(
    folder: Path,
    agent: Agent,
    *,
    speed: float | None = None,
    network_ms: float = 0.0,
    notices: bool = True,
    settings: dict | None = None,
    speak: Speak = voice_pattern,
    media_frame_ms: int = 20,
    azure: bool = False,
) -> AsyncIterator[Stage]:
    loop = asyncio.get_running_loop()
    virtual = isinstance(loop, VirtualLoop)
    world: World = SimulatedWorld(0) if virtual else SYSTEM
    speed = speed or (1.0 if virtual else SPEED)
    async with contextlib.AsyncExitStack() as stack:
        if isinstance(world, SimulatedWorld):
            await make_database(folder / "hookflash.db")
            stack.callback(world.close)
        model = await stack.enter_async_context(
            ScriptedModel(speed=speed, network_ms=network_ms, wall=world.wall)
        )
        carrier = await stack.enter_async_context(
            StandinCarrier(
                speed=speed,
                network_ms=network_ms,
                speak=speak,
                wall=world.wall,
                media_frame_ms=media_frame_ms,
            )
        )
        chosen = {
            "public_url": PUBLIC,
            "openai_api_key": "any",
            "twilio_account_sid": carrier.account_sid,
            "twilio_auth_token": carrier.auth_token,
            "twilio_api_url": carrier.api_url,
            "model_url": model.server.azure_url if azure else model.url,
            "data_dir": folder,
            "speed": speed,
            # One more request to REST in each call, which only tests of it need.
            "max_call_seconds": 0,
            # A second of work at each start, which only tests of prepared speech need.
            "speech_url": "off",
        }
        served = settings_of(**(chosen | (settings or {})))
        line = await stack.enter_async_context(open_line(served, agent, world=world))
        async with serving(line) as port:
            carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
            carrier.numbers[LINE] = NumberConfig(
                f"{PUBLIC}/twilio/voice",
                fallback_url=f"{PUBLIC}/twilio/voice",
                status_callback=f"{PUBLIC}/twilio/status",
            )
            scene = Stage(model, carrier, line, served, folder)
            yield scene
            for call in carrier.calls:
                call.end("completed", by="test")
            await asyncio.gather(*(call.ended() for call in carrier.calls))
            await carrier.callbacks_sent()
            await eventually(lambda: not carrier.leftovers())
        assert carrier.leftovers() == []
        if notices:
            assert carrier.alerts.entries == []


@contextlib.asynccontextmanager
async def another_process(s: Stage, agent: Agent) -> AsyncIterator[tuple[Line, int]]:
    """Serve a line on the data of a stage's own, as a process does that takes over from it.

    Yields the line and its port.
    """
    with contextlib.closing(SimulatedWorld("another")) as world:
        async with open_line(s.settings, agent, world=world) as line, serving(line) as port:
            yield line, port


@contextlib.asynccontextmanager
async def serving(line: Line, port: int = 0) -> AsyncIterator[int]:
    """Serve a line on the loopback; yields the port."""
    stop = asyncio.Event()
    listening: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(
            line.app,
            line.switchboard,
            port=port,
            drain_seconds=0,
            on_listening=listening.set_result,
            stop=stop,
        )
    )
    try:
        yield await listening
    finally:
        stop.set()
        await task
