"""CarrierRequests: each ends in one event, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from hookflash.core.commands import (
    CheckTargets,
    EndLeg,
    HangUp,
    LimitCall,
    MoveCall,
    RingHuman,
)
from hookflash.core.events import (
    AnyEvent,
    CallMoved,
    CarrierRefused,
    LegPlaced,
    LegRefused,
    TargetsChecked,
)
from hookflash.core.handoff_plan import Target
from hookflash.core.setup import CallSetup, ModelSetup
from hookflash.errors import CarrierError, ConfigError
from hookflash.runtime.call_ports import CallPorts
from hookflash.runtime.carrier_requests import (
    AVAILABILITY_CHECK_SECONDS,
    END_PAUSES,
    LIMIT_PAUSES,
    RECORDING_PAUSES,
    CarrierRequests,
    EventInput,
)
from hookflash.runtime.tool_runner import ToolRunner, ToolThreads

from .conftest import World

RING = RingHuman(2, 1, Target.phone("+15550177"), 20)
BUSY = CarrierError("busy", status=503, retryable=True)


class Told:
    """Where events go; `until` waits for the next."""

    def __init__(self, world: World) -> None:
        self.events: asyncio.Queue[AnyEvent] = asyncio.Queue()
        ports = CallPorts(
            clock=world.clock,
            control=world.control,
            checks=world.checks,
            consults=world.consults,
            deliveries=world.deliveries,
            connector=world.connector,
            model_setup=lambda history: ModelSetup(instructions="x"),
            make_tools=lambda post, digits, keys: ToolRunner({}, None, post, threads=ToolThreads()),
            records=world.records,
            journal=world.journals.begin("CA1", CallSetup()),
            chance=lambda: 0.5,
        )
        self.wanted = True
        self.errands = CarrierRequests(
            "CA1", ports, self.events.put_nowait, wanted=lambda what: self.wanted
        )

    async def next(self) -> AnyEvent:
        async with asyncio.timeout(60):
            return await self.events.get()


@pytest.fixture
async def told(world: World):
    told = Told(world)
    yield told
    await told.errands.close()


async def test_a_call_is_moved(world: World, told: Told) -> None:
    told.errands.move(MoveCall(3, (HangUp(),), 2.0))
    assert await told.next() == CallMoved(3)
    assert world.control.moves == [("CA1", (HangUp(),))]


@pytest.mark.parametrize(
    ("trouble", "refused"),
    [
        (CarrierError("no", status=404, carrier_code=20404, gone=True), (404, 20404, True)),
        (CarrierError("no", status=500), (500, None, False)),
        (RuntimeError("a bug in the adapter"), (None, None, False)),
    ],
)
async def test_a_call_that_is_not_moved_is_told(
    world: World, told: Told, trouble: Exception, refused: tuple[int | None, int | None, bool]
) -> None:
    world.control.answers = [trouble]
    told.errands.move(MoveCall(3, (HangUp(),), 2.0))
    assert await told.next() == CarrierRefused(3, *refused)


async def test_one_move_is_asked_for_after_another(
    world: World, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The carrier carries them out as they come: the newest must come last."""
    answered = asyncio.Event()
    move = world.control.move

    async def slow(*what: Any, seconds: float) -> None:
        await move(*what, seconds=seconds)
        await answered.wait()

    monkeypatch.setattr(world.control, "move", slow)
    told.errands.move(MoveCall(3, (HangUp(),), 2.0))
    told.errands.move(MoveCall(4, (), 2.0))
    await world.control.moved.wait()
    assert len(world.control.moves) == 1
    answered.set()
    assert [await told.next(), await told.next()] == [CallMoved(3), CallMoved(4)]
    assert [what for _, what in world.control.moves] == [(HangUp(),), ()]


async def test_a_human_is_rung_for_the_call(world: World, told: Told) -> None:
    told.errands.ring(RING)
    assert await told.next() == LegPlaced(2, 1, "CAleg1")
    assert world.control.rung == [("CA1", RING)]


@pytest.mark.parametrize(
    ("trouble", "refused"),
    [
        (CarrierError("invalid To", status=400, carrier_code=21211), (400, 21211, "invalid To")),
        (ConfigError("set caller_id"), (None, None, "set caller_id")),
        (RuntimeError("a bug"), (None, None, "ringing failed: see the log")),
    ],
)
async def test_a_human_who_is_not_rung_is_told_and_never_rung_again(
    world: World, told: Told, trouble: Exception, refused: tuple[int | None, int | None, str]
) -> None:
    world.control.answers = [trouble]
    told.errands.ring(RING)
    assert await told.next() == LegRefused(2, 1, *refused)
    assert len(world.control.rung) == 1


def too_many(retry_after: float | None = None) -> CarrierError:
    return CarrierError("too many", status=429, carrier_code=20429, retry_after=retry_after)


async def test_an_order_that_was_one_too_many_is_given_again_after_longer_and_longer_pauses(
    world: World, told: Told
) -> None:
    world.control.answers = [too_many()] * 6
    began = world.clock.now()
    told.errands.ring(msgspec.structs.replace(RING, ring_seconds=60))
    assert await told.next() == LegPlaced(2, 1, "CAleg7")
    expected = 0.75 * sum((0.5, 1.0, 2.0, 4.0, 8.0, 8.0))
    assert world.clock.now() - began == pytest.approx(expected)


async def test_the_carrier_may_say_how_long_to_wait(world: World, told: Told) -> None:
    world.control.answers = [too_many(6), too_many(0)]
    began = world.clock.now()
    told.errands.ring(RING)
    assert await told.next() == LegPlaced(2, 1, "CAleg3")
    assert world.clock.now() - began == pytest.approx(6 + 0.75 * 1.0)


@pytest.mark.parametrize(
    ("retry_after", "orders", "seconds"), [(None, 7, 17.625), (21, 1, 0.0), (9, 3, 18.0)]
)
async def test_no_order_is_given_again_after_the_time_that_the_telephone_was_to_ring(
    world: World, told: Told, retry_after: float | None, orders: int, seconds: float
) -> None:
    world.control.answers = [too_many(retry_after)] * 100
    began = world.clock.now()
    told.errands.ring(RING)
    assert await told.next() == LegRefused(2, 1, 429, 20429, "too many")
    assert len(world.control.rung) == orders
    assert world.clock.now() - began == pytest.approx(seconds)


async def test_nobody_is_rung_any_more_for_a_caller_who_has_gone_meanwhile(
    world: World, told: Told
) -> None:
    world.control.answers = [too_many()]
    told.wanted = False
    told.errands.ring(RING)
    assert await told.next() == LegRefused(2, 1, 429, 20429, "too many")
    assert len(world.control.rung) == 1


async def ended(told: Told) -> None:
    async with asyncio.timeout(60):
        await asyncio.gather(*told.errands._tasks)


async def test_a_leg_is_ended_again_until_it_was_taken(world: World, told: Told, caplog) -> None:
    world.control.answers = [BUSY, BUSY]
    told.errands.end_leg(EndLeg("CA9"))
    await ended(told)
    assert world.control.ended == ["CA9"] * 3
    assert "may ring on" not in caplog.text


async def test_a_leg_that_cannot_be_ended_is_not_passed_over_in_silence(
    world: World, told: Told, caplog
) -> None:
    world.control.answers = [BUSY] * (len(END_PAUSES) + 1)
    began = world.clock.now()
    told.errands.end_leg(EndLeg("CA9"))
    await ended(told)
    assert len(world.control.ended) == len(END_PAUSES) + 1
    assert world.clock.now() - began == pytest.approx(sum(END_PAUSES))
    assert "it may keep ringing" in caplog.text


@pytest.mark.parametrize("trouble", [CarrierError("no", status=401), RuntimeError("a bug")])
async def test_a_refusal_for_good_is_not_argued_with(
    world: World, told: Told, caplog, trouble: Exception
) -> None:
    world.control.answers = [trouble]
    told.errands.end_leg(EndLeg("CA9"))
    await ended(told)
    assert world.control.ended == ["CA9"]
    assert "CA9" in caplog.text


async def test_a_call_is_limited_again_until_the_carrier_takes_it(world: World, told: Told) -> None:
    world.control.answers = [BUSY, BUSY]
    began = world.clock.now()
    told.errands.limit(LimitCall(700))
    await ended(told)
    assert world.control.limits == [("CA1", 700)] * 3
    assert world.clock.now() - began == pytest.approx(sum(LIMIT_PAUSES[:2]))


async def test_a_limit_that_is_never_taken_is_given_up(world: World, told: Told) -> None:
    world.control.answers = [BUSY] * (len(LIMIT_PAUSES) + 1)
    told.errands.limit(LimitCall(700))
    await ended(told)
    assert len(world.control.limits) == len(LIMIT_PAUSES) + 1


@pytest.mark.parametrize("trouble", [CarrierError("no", status=401), RuntimeError("a bug")])
async def test_a_limit_that_is_refused_for_good_is_logged_once(
    world: World, told: Told, caplog, trouble: Exception
) -> None:
    world.control.answers = [trouble]
    told.errands.limit(LimitCall(700))
    await ended(told)
    assert world.control.limits == [("CA1", 700)]
    assert "limit" in caplog.text


async def test_a_newer_limit_takes_the_place_of_one_that_was_not_taken(
    world: World, told: Told
) -> None:
    world.control.answers = [BUSY]
    told.errands.limit(LimitCall(700))
    await asyncio.sleep(LIMIT_PAUSES[0] / 2)
    told.errands.limit(LimitCall(14400))
    await ended(told)
    assert world.control.limits == [("CA1", 700), ("CA1", 14400)]
    told.errands.limit(LimitCall(800))
    told.errands.limit(LimitCall(900))
    await ended(told)
    assert world.control.limits[-1] == ("CA1", 900)


async def test_a_recording_at_the_carrier_is_paused_until_it_is(
    world: World, told: Told, caplog
) -> None:
    world.control.answers = [BUSY, BUSY]
    told.errands.pause_recording(paused=True)
    told.errands.pause_recording(paused=False)
    await ended(told)
    assert world.control.pauses == [True, True, True, False], "one after another"
    assert "could not be paused" not in caplog.text


async def test_where_nobody_records_nothing_is_resumed(world: World, told: Told) -> None:
    world.control.recorded = False
    told.errands.pause_recording(paused=True)
    told.errands.pause_recording(paused=False)
    await ended(told)
    assert world.control.pauses == [True]


async def test_a_process_that_takes_over_resumes_what_another_has_paused(
    world: World, told: Told
) -> None:
    told.errands.pause_recording(paused=False)
    await ended(told)
    assert world.control.pauses == [False]


@pytest.mark.parametrize(
    ("answers", "tries"),
    [
        ([BUSY] * (len(RECORDING_PAUSES) + 1), len(RECORDING_PAUSES) + 1),
        ([CarrierError("no", status=401)], 1),
        ([RuntimeError("a bug")], 1),
    ],
)
async def test_a_recording_that_cannot_be_paused_is_said_aloud(
    world: World, told: Told, caplog, answers: list[Exception | None], tries: int
) -> None:
    world.control.answers = answers
    told.errands.pause_recording(paused=True)
    await ended(told)
    assert world.control.pauses == [True] * tries
    assert caplog.text.count("could not be paused: if there is one, it has the tones") == 1


async def test_a_recording_of_a_call_that_is_over_needs_no_pause(
    world: World, told: Told, caplog
) -> None:
    world.control.answers = [CarrierError("over", status=400, carrier_code=21220, gone=True)]
    told.errands.pause_recording(paused=True)
    await ended(told)
    assert "could not" not in caplog.text


async def test_who_is_free_is_found_out(told: Told) -> None:
    told.errands.check(CheckTargets(4, "desk"))
    assert await told.next() == TargetsChecked(4, free=(0,))


async def test_where_nobody_can_tell_everybody_is_free(world: World, told: Told, caplog) -> None:
    world.checks.answers = [RuntimeError("a bug")]
    told.errands.check(CheckTargets(4, "desk"))
    assert await told.next() == TargetsChecked(4)
    world.checks.stuck = True
    began = world.clock.now()
    told.errands.check(CheckTargets(5, "desk"))
    assert await told.next() == TargetsChecked(5)
    assert world.clock.now() - began == pytest.approx(AVAILABILITY_CHECK_SECONDS)
    assert "was not known within" in caplog.text


async def test_closing_gives_up_what_is_under_way(world: World, told: Told) -> None:
    world.checks.stuck = True
    told.errands.check(CheckTargets(4, "desk"))
    await told.errands.close()
    assert told.events.empty()


def test_what_is_posted_to_a_call_is_valid_text() -> None:
    events: list[AnyEvent] = []
    half = json.loads('"\\ud83d"')
    EventInput(events.append)(LegRefused(1, 0, reason=f"refused {half}"))
    assert events == [LegRefused(1, 0, reason="refused \N{REPLACEMENT CHARACTER}")]


def test_what_is_posted_to_a_call_that_was_let_go_is_dropped() -> None:
    events: list[AnyEvent] = []
    event_input = EventInput(events.append)
    event_input(CallMoved(1))
    event_input.close()
    event_input(CallMoved(2))
    assert events == [CallMoved(1)]
