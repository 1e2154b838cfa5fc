"""The line calls somebody, on whole calls: each outcome, and what it protects people from."""

from __future__ import annotations

import asyncio
import contextlib
import runpy
from pathlib import Path
from typing import Any

import pytest

from hookflash import (
    Agent,
    CallContext,
    CallNotPlaced,
    CallStarted,
    CarrierError,
    ConfigError,
    RunningLine,
)
from hookflash.agents.load_agent import load_agent
from hookflash.runtime.calls_out import CallOrder, PlacedCall
from hookflash.runtime.journal_replay import read_journal
from hookflash_local.carrier import Human, Line, Refused
from hookflash_local.carrier.media import sounds
from hookflash_local.simulation.world import SimulatedWorld

from .conftest import DESK, LINE, PUBLIC, another_process, eventually, samples, shop
from .test_console import page, users
from .test_handoff import GREETING, asked_to, desk, greeted, say, script_agent
from .test_owner_hooks import calls, hears, transfer

__all__ = ["users"]
CALLEE = "+15550100007"
MESSAGE, TALK = 0x5A, 0x6B
SETTINGS = {"calling_hours": "off", "caller_id": LINE}


def order(**given: Any) -> CallOrder:
    return CallOrder(**({"to": CALLEE} | given))


async def place(s: Any, human: Human | None, **given: Any) -> tuple[Any, Any]:
    """Place a call to somebody; return its record and the carrier's leg when it is over."""
    if human is not None:
        s.carrier.humans[CALLEE] = human
    placed: PlacedCall = await s.line.calls_out.place(order(**given))
    (leg,) = [each for each in s.carrier.calls if each.sid == placed.call_sid]
    record = await placed.ended()
    await s.carrier.callbacks_sent()
    await s.line.writer.flush()
    stored = await s.line.store.get(placed.call_sid)
    assert stored is not None
    assert (stored.disposition, stored.direction) == (record.disposition, "outbound")
    assert (stored.caller, stored.called) == (LINE, CALLEE)
    return stored, leg


async def test_a_person_answers_and_talks_with_the_agent(stage: Any) -> None:
    agent = shop()
    seen: list[str] = []

    @agent.tool
    async def note(call: CallContext) -> str:
        """Note it."""
        seen.append(f"{call.direction} {call.called}")
        return "noted"

    @agent.on_call_started
    def started(call: CallStarted) -> None:
        seen.append(call.direction)

    async def talks(line: Line) -> None:
        await line.say("Hello?")
        await greeted(line)
        await s.model.perform([hears("yes, I ordered it"), calls("note")])
        await line.wait_for_sound()
        await line.wait_for_silence(1.0)
        await line.hang_up()

    async with stage(agent, settings=SETTINGS) as s:
        script_agent(s)
        s.model.on("response.create", [say("talk", 700, TALK)])
        known = "Ms Miller has ordered a bicycle."
        record, leg = await place(s, Human(answer_after=3.0, script=talks), known=known)
        assert samples(leg.recording().heard, GREETING) == 800 * 8
        assert samples(leg.recording().heard, TALK) >= 700 * 8
        items = [each["item"] for each in s.model.received.of("conversation.item.create")]
        assert any(known in str(item) for item in items)
        assert record.disposition == "handled_by_agent"
        assert record.answered_by == "human"
        assert record.answered_after == pytest.approx(3.0, abs=0.1)
    assert seen == ["outbound", f"outbound {CALLEE}"]


async def test_who_was_called_is_handed_to_a_human(stage: Any) -> None:
    async def asks(line: Line) -> None:
        await greeted(line)
        await s.model.perform([hears("a person please"), transfer()])
        await line.wait_for("bridged")

    async with stage(settings=SETTINGS) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        record, _ = await place(s, Human(answer_after=1.0, script=asks))
        assert record.disposition == "handed_off"


@pytest.mark.parametrize(
    ("human", "disposition", "answered_by"),
    [
        (Human.busy(), "busy", ""),
        (Human.no_answer(), "no_answer", ""),
        (Human.fails(), "failed", ""),
        (None, "failed", ""),
        (Human.fax(), "fax", "fax"),
        (Human.mailbox(), "machine", "machine"),
    ],
    ids=["busy", "no answer", "failed", "no such number", "fax", "mailbox"],
)
async def test_nobody_is_reached(
    stage: Any, human: Human | None, disposition: str, answered_by: str
) -> None:
    async with stage(settings=SETTINGS) as s:
        script_agent(s)
        record, leg = await place(s, human, ring_seconds=12)
        assert (record.disposition, record.answered_by) == (disposition, answered_by)
        assert leg.about.status in ("completed", "busy", "no-answer", "failed")
        assert s.line.calls_out.live == 0


async def test_a_message_is_left_after_the_tone(stage: Any) -> None:
    async with stage(settings=SETTINGS) as s:
        script_agent(s)
        s.model.on(
            "response.create", [say("message", 1500, MESSAGE)], where=asked_to("Your bicycle is")
        )
        message = "Your bicycle is ready."
        record, leg = await place(s, Human.mailbox(), on_machine="leave_message", message=message)
        assert record.disposition == "message_left"
        heard = leg.recording().heard
        assert samples(heard, MESSAGE) == 1500 * 8
        # The message begins after the tone, whose time the mailbox's own sound shows.
        spoken = leg.recording().said
        tone_ends = len(spoken.rstrip(b"\xff"))
        assert heard.index(bytes([MESSAGE]) * 24) >= tone_ends


async def test_a_mailbox_is_recognised_by_its_words(stage: Any) -> None:
    """The greeting has no tone, and the carrier takes it for a person."""

    async def greets(line: Line) -> None:
        await line.play(sounds.voice_pattern("hi there"))
        await line.pause(1.0)
        await s.model.perform(
            [{"hears": {"text": "Please leave a message after the beep.", "ms": 900}}]
        )
        await line.pause(30)

    async with stage(settings=SETTINGS) as s:
        script_agent(s)
        s.model.on(
            "response.create", [say("message", 900, MESSAGE)], where=asked_to("Your bicycle is")
        )
        given = {"on_machine": "leave_message", "message": "Your bicycle is ready."}
        record, leg = await place(s, Human(answer_after=1.0, script=greets), **given)
        assert record.answered_by == "machine"
        assert record.disposition == "message_left"
        assert samples(leg.recording().heard, MESSAGE) == 900 * 8


async def test_the_consent_line_comes_first_and_is_protected(stage: Any) -> None:
    agent = shop()
    agent.record = True
    consent = 0x77

    async def talks(line: Line) -> None:
        await line.wait_for_sound()
        await s.model.perform([hears("who is that")])
        await line.pause(4)
        await line.hang_up()

    async with stage(agent, settings=SETTINGS) as s:
        s.model.on("response.create", [say("c", 900, consent)], where=asked_to("must hear this"))
        script_agent(s)
        record, leg = await place(s, Human(answer_after=1.0, script=talks))
        heard = leg.recording().heard
        assert samples(heard, consent) == 900 * 8
        assert heard.index(bytes([consent]) * 24) < heard.index(bytes([GREETING]) * 24)
        assert record.recorded_from is not None


# --- who may be called, and when ------------------------------------------------------------------


async def refused(s: Any, **given: Any) -> CallNotPlaced:
    with pytest.raises(CallNotPlaced) as caught:
        await s.line.calls_out.place(order(**given), wait=False)
    assert s.carrier.calls == []
    return caught.value


async def test_people_are_not_called_at_night_where_they_are(stage: Any) -> None:
    # It is 08:00 UTC: morning in London, night in New York.
    async with stage(settings={"caller_id": LINE}) as s:
        assert (await refused(s)).reason == "time_zone"
        night = await refused(s, time_zone="America/New_York")
        assert night.reason == "hours"
        assert "03:00 in America/New_York" in str(night)
        assert night.retry_after == pytest.approx(5 * 3600, abs=60)
        with pytest.raises(ConfigError, match="no time zone 'Mars/Base'"):
            await s.line.calls_out.place(order(time_zone="Mars/Base"))
        record, _ = await place(s, Human.busy(), time_zone="Europe/London")
        assert record.disposition == "busy"


async def test_numbers_on_the_list_are_not_called(stage: Any, tmp_path: Path) -> None:
    numbers = tmp_path / "do-not-call.txt"
    settings = SETTINGS | {"do_not_call": numbers}
    async with stage(settings=settings) as s:
        with pytest.raises(ConfigError, match="the list cannot be read"):
            await s.line.calls_out.place(order())
        numbers.write_text("call me\n")
        with pytest.raises(ConfigError, match="line 1 is no number"):
            await s.line.calls_out.place(order())
        numbers.write_text(f"# asked us not to call\n+1 555 010-0007  # on 3 May\n{DESK}\n")
        assert (await refused(s)).reason == "do_not_call"
        numbers.write_text(f"{DESK}\n")
        record, _ = await place(s, Human.busy())
        assert record.disposition == "busy"


async def test_only_permitted_prefixes_are_called(stage: Any) -> None:
    async with stage(settings=SETTINGS | {"dial_prefixes": ("+44",)}) as s:
        assert (await refused(s)).reason == "prefix"


async def test_calls_wait_for_a_free_line_and_their_turn(stage: Any) -> None:
    settings = SETTINGS | {"max_calls_out": 2, "calls_out_per_second": 0.5}

    async def listens(line: Line) -> None:
        await line.pause(20)
        await line.hang_up()

    async with stage(settings=settings) as s:
        script_agent(s)
        numbers = [f"+1555010020{number}" for number in range(4)]
        for number in numbers:
            s.carrier.humans[number] = Human(answer_after=1.0, script=listens)
        began = asyncio.get_running_loop().time()
        placing = [
            asyncio.create_task(s.line.calls_out.place(order(to=number))) for number in numbers
        ]
        await asyncio.sleep(10)
        assert [task.done() for task in placing] == [True, True, False, False]
        with pytest.raises(CallNotPlaced) as caught:
            await s.line.calls_out.place(order(), wait=False)
        assert caught.value.reason == "lines" and caught.value.retry_after
        placed = await asyncio.gather(*placing)
        records = await asyncio.gather(*(each.ended() for each in placed))
        assert len({each.call_sid for each in records}) == 4
        assert asyncio.get_running_loop().time() - began > 40


# --- faults ---------------------------------------------------------------------------------------


async def test_the_carrier_refuses_an_order(stage: Any) -> None:
    async with stage(settings=SETTINGS, notices=False) as s:
        s.carrier.humans[CALLEE] = Human.busy()
        s.carrier.faults.creates.extend([Refused(500)] * 4)
        with pytest.raises(CarrierError):
            await s.line.calls_out.place(order())
        assert s.line.calls_out.live == 0
        s.carrier.faults.creates.clear()
        record, _ = await place(s, Human.busy())
        assert record.disposition == "busy"


async def test_a_call_is_cancelled_while_it_rings(stage: Any) -> None:
    async with stage(settings=SETTINGS) as s:
        s.carrier.humans[CALLEE] = Human.no_answer()
        placed = await s.line.calls_out.place(order())
        await asyncio.sleep(3)
        (driver,) = s.line.switchboard.live
        assert driver.call.phase.value == "ringing"
        await placed.cancel()
        assert (await placed.ended()).disposition == "cancelled"


async def test_another_process_answers_a_call_that_was_placed_before(stage: Any) -> None:
    """The process that placed it is gone when somebody answers."""
    agent = shop()

    async def talks(line: Line) -> None:
        await greeted(line)
        await line.hang_up()

    async with stage(agent, settings=SETTINGS) as s:
        script_agent(s)
        s.carrier.humans[CALLEE] = Human(answer_after=6.0, script=talks)
        placed = await s.line.calls_out.place(order())
        await asyncio.sleep(2)
        async with another_process(s, agent) as (line, port):
            s.carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
            (leg,) = s.carrier.calls
            await leg.ended()
            await s.carrier.callbacks_sent()
            driver = line.switchboard.find(placed.call_sid)
            assert driver is not None
            await eventually(lambda: driver.call.phase.value == "ended")
            record = driver.call.record(0)
            assert (record.direction, record.disposition) == ("outbound", "handled_by_agent")
            assert samples(leg.recording().heard, GREETING) == 800 * 8
            path = line.journals.find(placed.call_sid)
            assert path is not None
            head, _ = read_journal(path)
            assert head.setup.outbound is not None


def test_an_order_is_checked() -> None:
    for given, told in (
        ({"to": "5550123"}, "expected a number"),
        ({"caller_id": "me"}, "caller_id is a number"),
        ({"on_machine": "sing"}, "on_machine is"),
        ({"on_machine": "leave_message"}, "needs the message"),
        ({"message": "Hello."}, "only left with on_machine"),
        ({"ring_seconds": 1}, "ring_seconds is 5 to 120"),
        ({"known": "x" * 5000}, "at most 4000"),
    ):
        with pytest.raises(ConfigError, match=told):
            order(**given).check()


async def test_an_order_needs_an_agent_and_a_number_of_ours(stage: Any) -> None:
    async with stage(settings={"calling_hours": "off"}) as s:
        with pytest.raises(ConfigError, match="HOOKFLASH_CALLER_ID"):
            await s.line.calls_out.place(order())
        with pytest.raises(ConfigError, match=r"the name of an agent \(shop\), got 'bank'"):
            await s.line.calls_out.place(order(agent="bank", caller_id=LINE))


# --- how owners use it ----------------------------------------------------------------------------


async def test_the_example_calls_everybody_once(stage: Any) -> None:
    path = str(Path(__file__).parents[2] / "examples" / "12_call_out.py")
    agent = load_agent(path)
    assert isinstance(agent, Agent)
    example = runpy.run_path(path)
    settings = {"caller_id": LINE, "calling_hours": "daily 00:00-24:00"}
    async with stage(agent, settings=settings) as s:
        script_agent(s)
        s.model.on(
            "response.create", [say("message", 700, MESSAGE)], where=asked_to("bicycle is ready")
        )
        first, second = example["PEOPLE"]
        s.carrier.humans[first] = Human.mailbox()
        s.carrier.humans[second] = Human.busy()
        with contextlib.closing(SimulatedWorld("program")) as world:
            async with RunningLine(agent, s.settings, world=world) as line:
                s.carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{line.port}"
                outcomes = await example["remind"](line, example["PEOPLE"])
                await s.carrier.callbacks_sent()
        assert outcomes == {first: "message_left", second: "busy"}
        with pytest.raises(ConfigError, match="async with RunningLine"):
            await RunningLine(agent).place(first)


async def test_a_program_places_a_call_by_the_api(stage: Any, users: Any) -> None:
    async with stage(settings=SETTINGS | users) as s:
        script_agent(s)
        s.carrier.humans[CALLEE] = Human.busy(after=5.0)
        async with page(s) as p:

            async def post(**body: Any) -> Any:
                headers = {"X-CSRF-Token": p.csrf}
                return await p.client.post("/api/calls", json=body, headers=headers)

            answer = await post(to=CALLEE, known="Order 7.", on_machine="hang_up")
            assert answer.status_code == 201
            call_sid = answer.json()["call_sid"]
            (entry,) = (await p.get("/api/calls"))["calls"]
            assert (entry["call_sid"], entry["phase"]) == (call_sid, "ringing")
            assert (entry["direction"], entry["called"]) == ("outbound", CALLEE)
            for body, status in (
                ({"to": "me"}, 400),
                ({"to": CALLEE, "agent": "bank"}, 400),
                ({"to": CALLEE, "message": "Hello."}, 400),
            ):
                assert (await post(**body)).status_code == status
            (leg,) = s.carrier.calls
            await leg.ended()
            await s.carrier.callbacks_sent()
            await eventually(lambda: not s.line.switchboard.live)
            await s.line.writer.flush()
            past = await p.get(f"/api/past/{call_sid}")
            assert past["entry"]["direction"] == "outbound"
            assert past["entry"]["disposition"] == "busy"
        async with page(s, "vera") as p:
            assert (await post(to=CALLEE)).status_code == 403


async def test_the_api_says_why_a_call_is_not_placed(stage: Any, users: Any) -> None:
    settings = SETTINGS | users | {"dial_prefixes": ("+44",)}
    async with stage(settings=settings) as s, page(s) as p:
        headers = {"X-CSRF-Token": p.csrf}
        answer = await p.client.post("/api/calls", json={"to": CALLEE}, headers=headers)
        assert answer.status_code == 409
        assert answer.json()["code"] == "prefix"
