"""The cold hand-off on the stand-in's truth: what each party heard, and which way the call went."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Target
from hookflash.core.handoff_plan import HandoffPlan
from hookflash_local.carrier import BrokenOff, Human, Late, Line, Refused, Silent, Twice

from .conftest import DESK, SECOND_DESK, samples, shop

GREETING, FAREWELL, BACK, HUMAN, CALLER = 0x11, 0x22, 0x33, 0x44, 0x55
FRAME = 160


def asked_to(text: str) -> dict:
    return {"response": {"instructions": {"$contains": text}}}


def say(item: str, ms: int, byte: int, text: str = "") -> dict:
    return {"say": {"item": item, "ms": ms, "byte": byte, "rate": 4, "text": text}}


def script_agent(s, *, farewell_ms: int = 1200) -> None:
    """An agent that greets, says goodbye before a hand-off, and says why when it did not work."""
    s.model.on("response.create", [say("greeting", 800, GREETING)], where=asked_to("just begun"))
    s.model.on(
        "response.create", [say("bye", farewell_ms, FAREWELL)], where=asked_to("connected to")
    )
    s.model.on("response.create", [say("back", 900, BACK)], where=asked_to("could not reach"))


async def ask_for_a_human(s) -> None:
    """The caller asks, and the model calls the tool without a word."""
    arguments = {"destination": "desk", "reason": "wants a person", "summary": "A new bicycle."}
    await s.model.perform(
        [
            {"hears": {"text": "a person please", "ms": 600, "respond": True}},
            {"call_tool": {"name": "transfer_to_human", "arguments": arguments}},
        ]
    )


async def greeted(line: Line) -> None:
    await line.wait_for_sound()
    await line.wait_for_silence(0.8)


def caller(s):
    async def script(line: Line) -> None:
        await greeted(line)
        await ask_for_a_human(s)
        await line.wait_for("bridged")
        await line.play(bytes([CALLER]) * 6400)

    return script


async def desk(line: Line) -> None:
    """A human who speaks for a second, listens for a while and hangs up."""
    await line.play(bytes([HUMAN]) * 8000)
    await line.pause(1.5)
    await line.hang_up()


FAREWELL_SECONDS, ANSWER_SECONDS = 1.2, 1.0
OTHER_ROAD_SECONDS = 0.2

ROADS = {
    "REST": ([], 0.0),
    "500 once": ([Refused(500)], OTHER_ROAD_SECONDS),
    "500 for good": ([Refused(500)] * 4, OTHER_ROAD_SECONDS),
    "429": ([Refused(429)] * 4, OTHER_ROAD_SECONDS),
    "no answer": ([Silent()] * 4, 2.0),
    "connection breaks": ([BrokenOff()] * 4, 0.0),
    "done but answered late": ([Late(1.0)], 0.0),
}


@pytest.mark.parametrize(("faults", "later_seconds"), ROADS.values(), ids=ROADS.keys())
async def test_the_farewell_is_heard_to_its_last_sample_and_the_human_answers(
    stage, faults, later_seconds
):
    async with stage() as s:
        script_agent(s)
        s.carrier.faults.updates.extend(faults)
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        heard = call.recording().heard
        assert samples(heard, GREETING) == 800 * 8
        assert samples(heard, FAREWELL) == 1200 * 8
        assert samples(heard, HUMAN) == 8000
        leg = next(leg for leg in s.carrier.calls if leg is not call)
        assert samples(leg.recording().heard, CALLER) == 6400
        assert len(s.carrier.calls) == 2
        assert record.disposition == "handed_off"
        (attempt,) = record.handoffs
        assert (attempt.destination, attempt.outcome) == ("desk", "bridged")
        expected = FAREWELL_SECONDS + ANSWER_SECONDS + later_seconds
        assert attempt.seconds_to_human == pytest.approx(expected, abs=1e-6)


async def test_a_farewell_in_the_same_response_as_the_tool_call_is_not_said_twice(stage):
    async with stage() as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform(
                [
                    {"hears": {"text": "a person please", "ms": 600, "respond": True}},
                    {"say": {"item": "bye", "ms": 1500, "byte": FAREWELL, "done": False}},
                    {
                        "call_tool": {
                            "name": "transfer_to_human",
                            "arguments": {"destination": "desk", "reason": "", "summary": ""},
                        }
                    },
                ]
            )

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, FAREWELL) == 1500 * 8
        assert record.disposition == "handed_off"


@pytest.mark.parametrize(
    ("human", "outcome", "why"),
    [
        (Human.busy(), "busy", "the line was busy"),
        (Human.no_answer(), "no-answer", "nobody answered"),
        (Human.fails(), "failed", "the call did not go through"),
    ],
    ids=["busy", "no answer", "failed"],
)
async def test_the_caller_comes_back_to_an_agent_that_says_why_and_remembers(
    stage, human, outcome, why
):
    async with stage() as s:
        script_agent(s)
        s.carrier.humans[DESK] = human

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await s.model.until("response.create", where=asked_to("could not reach"))
            await line.wait_for("stream-started", 2)
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, FAREWELL) == 1200 * 8
        assert samples(call.recording().heard, BACK) == 900 * 8
        asked = await s.model.until("response.create", where=asked_to("could not reach"))
        assert why in asked["response"]["instructions"]
        remembered = [entry.item for entry in s.model.items.values() if "content" in entry.item]
        texts = [part.get("text") for item in remembered for part in item["content"]]
        assert "a person please" in texts
        assert any(text and why in text for text in texts)
        assert [attempt.outcome for attempt in record.handoffs] == [outcome]
        assert record.disposition == "handled_by_agent"


async def test_a_caller_who_says_no_during_the_farewell_stays(stage):
    async with stage() as s:
        script_agent(s, farewell_ms=4000)
        s.carrier.humans[DESK] = Human(answer_after=0.5, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.wait_for_sound()
            await line.pause(1.0)
            await s.model.perform(
                [
                    {"hears": {"text": "no, wait", "ms": 700, "respond": True}},
                    say("listening", 1000, BACK),
                ]
            )
            await line.wait_for_silence(1.0)
            await line.pause(9.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert len(s.carrier.calls) == 1
        heard_ms = samples(call.recording().heard, FAREWELL) / 8
        assert s.model.truncations == [("bye", heard_ms)]
        assert heard_ms == 1020, "a second, and the frame by which the caller knew"
        assert samples(call.recording().heard, BACK) == 1000 * 8
        assert [attempt.outcome for attempt in record.handoffs] == ["cancelled"]
        assert record.disposition == "handled_by_agent"
        notes = [
            part["text"]
            for entry in s.model.items.values()
            if entry.item.get("role") == "system"
            for part in entry.item["content"]
        ]
        assert any("the transfer is off" in note for note in notes)


@pytest.mark.parametrize("path", ["/voice", "/dial", "/leg", "/status", ""])
async def test_webhooks_delivered_twice_change_nothing(stage, path):
    async with stage() as s:
        script_agent(s)
        s.carrier.faults.webhooks.append(Twice(path, times=100))
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert record.disposition == "handed_off"
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged"]
        assert len(s.carrier.calls) == 2
        assert samples(call.recording().heard, FAREWELL) == 1200 * 8
        assert len(s.model.received.of("session.update")) == 1


async def test_a_hunt_group_rings_one_after_another(stage):
    plan = {"targets": (Target.phone(DESK), Target.phone(SECOND_DESK))}
    async with stage(shop(**plan)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.busy()
        s.carrier.humans[SECOND_DESK] = Human(answer_after=1.0, script=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert [attempt.outcome for attempt in record.handoffs] == ["busy", "bridged"]
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_a_ring_group_stops_ringing_where_nobody_answered(stage):
    plan = {"targets": (Target.phone(DESK), Target.client("anna")), "order": "ring"}
    async with stage(shop(**plan)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        s.carrier.humans["client:anna"] = Human(answer_after=1.0, script=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert record.disposition == "handed_off"
        assert samples(call.recording().heard, HUMAN) == 8000


async def test_the_caller_comes_back_when_the_plan_says_so_after_the_human(stage):
    async with stage(shop(afterwards="return")) as s:
        script_agent(s)
        s.model.on("response.create", [say("again", 700, BACK)], where=asked_to("Welcome"))
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.wait_for("stream-started", 2)
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, BACK) == 700 * 8
        assert record.disposition == "handed_off"


async def test_nobody_there_and_a_plan_that_ends_says_sorry(stage):
    async with stage(shop(otherwise="hang-up")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.busy()
        call = await s.call(caller(s))
        record = await s.record(call)
        (spoken,) = [event for event in call.timeline.find("say")]
        assert spoken.detail["text"] == HandoffPlan(targets=(Target.phone(DESK),)).sorry
        assert record.disposition == "failed"


async def test_a_caller_who_hangs_up_while_it_rings_leaves_no_leg(stage):
    async with stage() as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.leg.timeline.until("ringing")
            await line.pause(2.0)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        await asyncio.gather(*(leg.ended() for leg in s.carrier.calls))
        assert record.disposition == "abandoned"
        assert [attempt.outcome for attempt in record.handoffs] == ["caller-gone"]
