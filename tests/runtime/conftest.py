"""Ports that remember: a carrier, a model and a clock of numbers, for drivers without sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from hookflash.core.audio import payload_size
from hookflash.core.commands import (
    AnyCommand,
    CheckTargets,
    ConnectAgent,
    Instruction,
    OpenConsult,
    RingHuman,
    SendCallerAudio,
)
from hookflash.core.delivery import Delivery
from hookflash.core.events import ConsultDecided, TargetsChecked
from hookflash.core.record import CallRecord
from hookflash.core.setup import ModelSetup
from hookflash.errors import CarrierError
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.journal import Journals
from hookflash.runtime.ports import EventSink
from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.world import SimulatedWorld


@contextlib.contextmanager
def clock_stands() -> Iterator[None]:
    """Let the virtual clock stand within the block, because a real thread is at work.

    Where the loop would move it to the next timer, the loop waits for the thread.
    """
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)

    def wait(timeout: float | None) -> None:
        if timeout is None or timeout > 0:
            assert loop._woken.wait(60), "the thread has not said anything"
            loop._woken.clear()

    loop.wait = wait  # type: ignore[method-assign]
    try:
        yield
    finally:
        del loop.wait  # type: ignore[method-assign]


class Stream:
    def __init__(self, stream_sid: str = "MZ1") -> None:
        self.stream_sid = stream_sid
        self.sent: list[tuple[str, str]] = []
        self.take: Callable[[bytes, bytes], object] | None = None
        self.closed = False

    def play(self, payload: str) -> None:
        self.sent.append(("play", payload))

    def forward_sound(self, take: Callable[[bytes, bytes], object] | None) -> None:
        self.take = take

    def mark(self, name: str) -> None:
        self.sent.append(("mark", name))

    def clear(self) -> None:
        self.sent.append(("clear", ""))

    def close(self) -> None:
        self.closed = True


class Control:
    """REST that answers with what is put into `answers`: None for success, else raised.

    A human's leg is named after the order in which they were rung: CAleg1, CAleg2 ...
    """

    def __init__(self) -> None:
        self.moves: list[tuple[str, tuple[Instruction, ...]]] = []
        self.rung: list[tuple[str, RingHuman]] = []
        self.ended: list[str] = []
        self.limits: list[tuple[str, int]] = []
        self.pauses: list[bool] = []
        self.recorded = True
        self.answers: list[Exception | None] = []
        self.moved = asyncio.Event()

    async def move(
        self, call_sid: str, instructions: Sequence[Instruction], *, seconds: float
    ) -> None:
        self.moves.append((call_sid, tuple(instructions)))
        self.moved.set()
        self._answer()

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        self.rung.append((call_sid, what))
        self._answer()
        return f"CAleg{len(self.rung)}"

    async def limit(self, call_sid: str, seconds: int) -> None:
        self.limits.append((call_sid, seconds))
        self._answer()

    async def pause_recording(self, call_sid: str, *, paused: bool) -> bool:
        self.pauses.append(paused)
        self._answer()
        return self.recorded

    async def end_leg(self, leg_sid: str) -> None:
        self.ended.append(leg_sid)
        self._answer()

    def _answer(self) -> None:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer


class Checks:
    """Finds out what a test says: nothing, so that everybody is there."""

    def __init__(self) -> None:
        self.answers: list[Exception] = []
        self.stuck = False

    async def check(self, command: CheckTargets) -> TargetsChecked:
        if self.stuck:
            await asyncio.Event().wait()
        if self.answers:
            raise self.answers.pop(0)
        return TargetsChecked(command.check, free=(0,))


class Consults:
    """Talks with humans that are only written down."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, OpenConsult]] = []
        self.reported: list[tuple[str, ConsultDecided]] = []

    def open(self, parent_sid: str, wanted: OpenConsult) -> tuple[Instruction, ...]:
        self.opened.append((parent_sid, wanted))
        return (ConnectAgent(1),)

    def report(self, parent_sid: str, decided: ConsultDecided) -> None:
        self.reported.append((parent_sid, decided))


class Deliveries:
    def __init__(self) -> None:
        self.taken: list[Delivery] = []

    def deliver(self, delivery: Delivery) -> None:
        self.taken.append(delivery)


class Link:
    def __init__(self, setup: ModelSetup, on_event: EventSink) -> None:
        self.setup = setup
        self.on_event = on_event
        self.sent: list[AnyCommand] = []
        self.closed = False

    def carry_out(self, command: AnyCommand) -> None:
        self.sent.append(command)

    def send_sound(self, payload: bytes) -> None:
        self.sent.append(SendCallerAudio(payload.decode(), payload_size(payload.decode())))

    def close(self) -> None:
        self.closed = True


class Connector:
    def __init__(self) -> None:
        self.links: list[Link] = []

    def open(self, setup: ModelSetup, on_event: EventSink) -> Link:
        self.links.append(Link(setup, on_event))
        return self.links[-1]


class Records:
    def __init__(self) -> None:
        self.kept: list[CallRecord] = []

    def put(self, record: CallRecord) -> None:
        self.kept.append(record)


class World:
    """The ports of a process on the virtual clock, and its journals in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        machine = SimulatedWorld(0)
        self.clock = SystemClock(world=machine)
        self.control = Control()
        self.connector = Connector()
        self.records = Records()
        self.checks = Checks()
        self.consults = Consults()
        self.deliveries = Deliveries()
        self.journals = Journals(folder, world=machine)


@pytest.fixture
async def world(tmp_path: Path):
    world = World(tmp_path)
    yield world
    world.journals.close()


@pytest.fixture(autouse=True)
def _streams_may_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The streams here carry no sound unless a test posts it, however long the test lasts."""
    monkeypatch.setattr("hookflash.runtime.stream_watch.FIRST_CHECKS", 1_000_000)


@pytest.fixture
def refused() -> CarrierError:
    return CarrierError("refused", status=500, retryable=True)
