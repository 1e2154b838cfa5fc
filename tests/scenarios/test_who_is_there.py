"""Before anybody is rung: hours, the owner's word on who is free, and the key for a human."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from hookflash import Target
from hookflash_local.carrier import Human, Line
from hookflash_local.simulation.world import EPOCH

from .acts import WELCOME, caller_until, hear, script_whole_agent
from .conftest import DESK, SECOND_DESK, samples, shop
from .test_meeting import (
    BACK,
    HUMAN,
    RINGING,
    asked_to,
    caller,
    desk,
    other_legs,
    say,
    whispered,
)

DESKS = (Target.phone(DESK), Target.phone(SECOND_DESK))
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours_on_another_day() -> str:
    """Return hours that are neither today nor tomorrow anywhere on earth."""
    day = (datetime.fromtimestamp(EPOCH, UTC) + timedelta(days=3)).weekday()
    return f"{DAYS[day]} 09:00-17:30 Asia/Tokyo"


def told(s) -> str:
    """Everything that the model was told: results of tools, and notes."""
    items = [event["item"] for event in s.model.received.of("conversation.item.create")]
    return " ".join(str(item.get("output", item.get("content"))) for item in items)


async def press_0(line: Line) -> None:
    await line.wait_for_sound()
    await line.wait_for_silence(0.8)
    await line.press("0")


async def test_a_closed_desk_is_not_rung_and_the_agent_knows_when_it_opens(stage):
    async with stage(shop(manner="warm", hours=hours_on_another_day())) as s:
        script_whole_agent(s)
        call = await s.call(caller_until(s, RINGING, 700))
        record = await s.record(call)
        assert other_legs(s, call) == []
        assert "Desk is closed now and opens" in told(s)
        assert [attempt.outcome for attempt in record.handoffs] == ["closed"]
        assert record.disposition == "handled_by_agent"


async def test_a_desk_that_is_open_all_day_is_rung(stage):
    async with stage(shop(manner="warm", hours="daily 00:00-24:00 Europe/Berlin")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


async def test_only_who_is_free_is_rung(stage):
    agent = shop(manner="warm", targets=DESKS)

    @agent.presence
    async def is_free(target: Target) -> bool:
        return target.address == SECOND_DESK

    async with stage(agent) as s:
        script_whole_agent(s)
        s.carrier.humans[SECOND_DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        assert [leg.about.to for leg in other_legs(s, call)] == [SECOND_DESK]
        assert [attempt.target for attempt in record.handoffs] == [1]
        assert record.disposition == "handed_off"


async def test_nobody_is_free_and_the_caller_is_told_so_at_once(stage):
    agent = shop(manner="cold", targets=DESKS)

    @agent.presence
    async def is_free(target: Target) -> bool:
        return False

    async with stage(agent) as s:
        script_whole_agent(s)
        call = await s.call(caller_until(s, RINGING, 700))
        record = await s.record(call)
        assert other_legs(s, call) == []
        assert "Nobody is free at desk right now." in told(s)
        assert record.disposition == "handled_by_agent"


async def test_an_owner_who_does_not_say_who_is_free_holds_nobody_up(stage):
    agent = shop(manner="warm")

    @agent.presence
    async def is_free(target: Target) -> bool:
        await asyncio.Event().wait()
        return False

    async with stage(agent) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)
        call = await s.call(caller(s))
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


async def test_a_key_brings_a_human_who_hears_why(stage):
    agent = shop(manner="warm")
    agent.key_to_human = "0"
    async with stage(agent) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(0.5, then=desk)

        async def script(line: Line) -> None:
            await press_0(line)
            await line.connected()

        call = await s.call(script)
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        assert "the caller pressed the key for a human" in whispered(leg)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert [attempt.source for attempt in record.handoffs] == ["caller"]


async def test_the_key_leads_to_a_sentence_while_the_desk_is_closed(stage):
    agent = shop(manner="warm", hours=hours_on_another_day())
    agent.key_to_human = "0"
    async with stage(agent) as s:
        closed = asked_to("desk is closed now and opens")
        s.model.on("response.create", [say("closed", 900, WELCOME)], where=closed)
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await press_0(line)
            await hear(line, WELCOME)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, WELCOME) == 900 * 8
        assert samples(call.recording().heard, BACK) == 0
        assert [attempt.outcome for attempt in record.handoffs] == ["closed"]
