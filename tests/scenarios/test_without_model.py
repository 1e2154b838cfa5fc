"""The model goes in the middle of a hand-off: the caller still comes to the human."""

from __future__ import annotations

from hookflash_local.carrier import Human, Line

from .acts import caller_until, hear, longest_silence, script_whole_agent
from .conftest import DESK, samples, shop
from .test_meeting import (
    BACK,
    CALLER,
    CLOSING,
    FRAME,
    HUMAN,
    RINGING,
    ask_for_a_human,
    desk,
    other_legs,
)
from .test_nobody_reached import lose_the_model


async def test_a_caller_whose_agent_is_gone_waits_with_music_and_meets_the_human(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.accepts(6.0, then=desk)
        lost_at = 0.0

        async def script(line: Line) -> None:
            nonlocal lost_at
            await ask_for_a_human(s, line)
            await hear(line, RINGING, 700)
            lost_at = line.since_answer
            await lose_the_model(s)
            await line.connected()
            await line.play(bytes([CALLER]) * 8000)

        call = await s.call(script)
        record = await s.record(call)
        heard = call.recording().heard
        assert samples(heard, HUMAN) == 8000
        assert samples(heard, CLOSING) == 0
        waited = heard[round(lost_at * 8000) : heard.index(bytes([HUMAN]) * FRAME)]
        assert longest_silence(waited) < 0.5
        (leg,) = other_legs(s, call)
        assert samples(leg.recording().heard, CALLER) == 8000
        assert record.disposition == "handed_off"


async def test_a_model_that_is_gone_before_its_closing_line_holds_nobody_up(stage):
    async with stage(shop(manner="warm")) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await line.wait_for_sound()
            await lose_the_model(s)
            await line.press("1")
            await line.connected()
            await desk(line)

        s.carrier.humans[DESK] = Human(0.5, human)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, HUMAN) == 8000
        assert record.disposition == "handed_off"


async def test_a_caller_comes_back_while_the_model_is_still_connecting(stage):
    async with stage() as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.busy()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.leg.timeline.until("stream-stopped")
            s.model.faults.session_created_delay_ms = 6000
            await line.wait_for("stream-started", 2)
            await line.pause(2.0)
            assert samples(line.heard, BACK) == 0
            s.model.faults.session_created_delay_ms = 0
            await hear(line, BACK)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert record.disposition == "handled_by_agent"


async def test_a_caller_comes_back_to_a_model_that_is_refused_twice_at_first(stage):
    async with stage() as s:
        script_whole_agent(s)
        s.carrier.humans[DESK] = Human.busy()

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.leg.timeline.until("stream-stopped")
            s.model.faults.refuse_upgrade = 503
            await line.wait_for("stream-started", 2)
            await line.pause(0.5)
            s.model.faults.refuse_upgrade = None
            await hear(line, BACK)
            await line.hang_up()

        call = await s.call(script)
        record = await s.record(call)
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert [attempt.outcome for attempt in record.handoffs] == ["busy"]


async def test_a_caller_with_a_human_does_not_notice_that_no_model_can_be_had(stage):
    async with stage(shop(manner="warm", afterwards="return", ring_seconds=5)) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            s.model.faults.refuse_upgrade = 401
            await desk(line)

        s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
        call = await s.call(caller_until(s, HUMAN, 1900))
        record = await s.record(call)
        # The human hung up, no agent was there: the human was rung once more, and talked again.
        assert [attempt.outcome for attempt in record.handoffs] == ["bridged", "bridged"]
        assert [attempt.source for attempt in record.handoffs] == ["tool", "failure"]
        assert record.disposition == "handed_off"
