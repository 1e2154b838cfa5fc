"""What Twilio refuses, takes late or cannot tell, and telephones that forward back to the line."""

from __future__ import annotations

import asyncio

import pytest

from hookflash import Target
from hookflash_local.carrier import Human, Line, Refused, alerts

from ..simulation.named.handoff_parts import (
    BACK,
    GREETING,
    ask_for_a_human,
    asks_for_a_human,
    both_talked,
    greeted,
    hears,
    other_legs,
    outcomes,
    presses,
    script_agent,
    talks,
    told,
    whole_call,
)
from .conftest import CALLER, DESK, LINE, SECOND_DESK, samples, shop

CALL_TOKEN = {"CallToken": "the token of this call"}
SIP_CALLER = "sip:joe@pbx.example.com"


def comes_back(s):
    """A caller who asks for a human, hears that there is none, and hangs up."""

    async def script(line: Line) -> None:
        await greeted(line)
        await ask_for_a_human(s)
        await hears(line, BACK, 900, within=90)
        await line.hang_up()

    return script


async def call_from(s, caller: str, script, **extra: str):
    """Place a call that another caller makes; return it and its record when it is over."""
    call = await s.carrier.place_call(from_=caller, to=LINE, script=script, extra=extra)
    async with asyncio.timeout(150):
        await call.ended()
    return call, await s.record(call)


# --- the number that is shown -------------------------------------------------------------------


async def test_the_callers_number_is_shown_by_the_token_of_their_call(stage):
    async with stage(shop(manner="warm", caller_id="caller")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=9.0)
        call, record = await call_from(s, CALLER, asks_for_a_human(s), **CALL_TOKEN)
        (leg,) = other_legs(s, call)
        assert leg.about.from_ == CALLER
        assert outcomes(record) == ["bridged"]


@pytest.mark.parametrize("code", [21210, 21212])
async def test_where_twilio_does_not_show_the_callers_number_it_shows_ours(stage, code, caplog):
    async with stage(shop(manner="warm", caller_id="caller")) as s:
        script_agent(s)
        refusal = Refused(400, code, f"The source phone number provided, {CALLER}, is not verified")
        s.carrier.faults.creates.append(refusal)
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=9.0)
        call, record = await call_from(s, CALLER, asks_for_a_human(s), **CALL_TOKEN)
        (leg,) = other_legs(s, call)
        assert leg.about.from_ == LINE
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
        assert str(code) in caplog.text and CALLER not in caplog.text


async def test_what_twilio_says_about_a_refusal_does_not_reach_the_model(stage, caplog):
    async with stage(shop(manner="warm", caller_id="caller")) as s:
        script_agent(s)
        text = f"The source phone number provided, {CALLER}, is not yet verified"
        s.carrier.faults.creates.extend([Refused(400, 21210, text)] * 2)
        call, record = await call_from(s, CALLER, comes_back(s), **CALL_TOKEN)
        assert other_legs(s, call) == []
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert "the call did not go through" in told(s)
        for word in (CALLER, CALLER[1:], "verified", "Twilio", "words"):
            assert word not in told(s)
        (attempt,) = record.handoffs
        assert (attempt.outcome, attempt.note) == ("refused", "")
        assert "21210" in caplog.text and CALLER not in caplog.text


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        (Target.client("anna"), "client:hookflash"),
        (Target.sip("sip:desk@example.com"), "hookflash"),
    ],
)
async def test_a_caller_who_came_by_sip_is_shown_as_twilio_accepts_it(stage, target, shown):
    async with stage(shop(targets=(target,))) as s:
        script_agent(s)
        address = f"client:{target.address}" if target.kind == "client" else target.address
        s.carrier.humans[address] = Human(answer_after=1.0, script=talks)
        s.carrier.numbers["sip:shop@example.com"] = s.carrier.numbers[LINE]
        script = asks_for_a_human(s)
        call = await s.carrier.place_call(
            from_=SIP_CALLER, to="sip:shop@example.com", script=script
        )
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        assert leg.about.from_ == shown
        assert outcomes(record) == ["bridged"]


@pytest.mark.parametrize("manner", ["cold", "warm"])
@pytest.mark.parametrize("caller", [SIP_CALLER, "client:web"])
async def test_a_telephone_is_shown_the_number_of_the_settings(stage, caller, manner):
    agent = shop(manner=manner, accept="any-answer")
    async with stage(agent, settings={"caller_id": SECOND_DESK}) as s:
        script_agent(s)
        s.carrier.verified.add(SECOND_DESK)
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=talks_when_connected)
        s.carrier.numbers["sip:shop@example.com"] = s.carrier.numbers[LINE]
        call = await s.carrier.place_call(
            from_=caller, to="sip:shop@example.com", script=asks_for_a_human(s)
        )
        record = await s.record(call)
        (leg,) = other_legs(s, call)
        assert leg.about.from_ == SECOND_DESK
        assert outcomes(record) == ["bridged"]


async def talks_when_connected(line: Line) -> None:
    await line.connected()
    await talks(line)


async def test_why_twilio_dials_nobody_is_in_the_log_without_a_number(stage, caplog):
    """The stand-in takes nobody's number as a caller ID after a call that came by SIP."""
    async with stage(shop(), notices=False) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(answer_after=1.0, script=talks)
        s.carrier.numbers["sip:shop@example.com"] = s.carrier.numbers[LINE]
        call = await s.carrier.place_call(
            from_="sip:+15550142@pbx.example.com", to="sip:shop@example.com", script=comes_back(s)
        )
        record = await s.record(call)
        assert s.carrier.alerts.codes() == [alerts.BAD_CALLER_ID]
        assert outcomes(record) == ["failed"]
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert "error 13214" in caplog.text and "15550142" not in caplog.text


@pytest.mark.parametrize("caller", ["+266696687", "Anonymous", "RESTRICTED"])
async def test_who_withholds_their_number_is_a_caller_and_shown_as_the_line(stage, caller):
    async with stage(shop(manner="warm", caller_id="caller")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=12.0)
        call, record = await call_from(s, caller, asks_for_a_human(s), **CALL_TOKEN)
        (leg,) = other_legs(s, call)
        assert leg.about.from_ == LINE
        (said, *_) = leg.timeline.find("say", leg.sid)
        assert "A caller is on the line" in said.detail["text"]
        assert record.caller == "anonymous"
        assert outcomes(record) == ["bridged"]


# --- too many orders ----------------------------------------------------------------------------


def seconds_to_the_order(s, call, record) -> float:
    """How long after a hand-off began Twilio took the order to ring the human."""
    (leg,) = other_legs(s, call)
    (attempt,) = record.handoffs
    return leg.about.created - call.about.created - attempt.started_at


async def test_an_order_that_was_one_too_many_is_given_again_while_it_would_ring(stage):
    """Four refusals: the fifth order is given after 0.5, 1, 2 and 4 s, less up to half of each."""
    async with stage(shop(manner="warm", ring_seconds=20)) as s:
        script_agent(s)
        s.carrier.faults.creates.extend([Refused(429)] * 4)
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=9.0)
        call, record = await whole_call(s, asks_for_a_human(s))
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
        assert 3.75 <= seconds_to_the_order(s, call, record) <= 7.5


async def test_twilio_is_not_asked_before_it_wants_to_be(stage):
    async with stage(shop(manner="warm", ring_seconds=20)) as s:
        script_agent(s)
        s.carrier.faults.creates.append(Refused(429, retry_after=6))
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=9.0)
        call, record = await whole_call(s, asks_for_a_human(s))
        assert seconds_to_the_order(s, call, record) == pytest.approx(6.0, abs=0.01)
        assert outcomes(record) == ["bridged"]


async def test_orders_that_are_always_too_many_end_with_the_ring_time(stage):
    async with stage(shop(manner="warm", ring_seconds=8)) as s:
        script_agent(s)
        s.carrier.faults.creates.extend([Refused(429)] * 50)
        call, record = await whole_call(s, comes_back(s))
        assert other_legs(s, call) == []
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert outcomes(record) == ["refused"]
        orders = 50 - len(s.carrier.faults.creates)
        assert 4 <= orders <= 6


async def test_a_caller_who_hangs_up_meanwhile_rings_nobody(stage):
    async with stage(shop(manner="warm", ring_seconds=20)) as s:
        script_agent(s)
        s.carrier.faults.creates.append(Refused(429, retry_after=5))
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=9.0)

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.pause(3.0)
            await line.hang_up()

        call, record = await whole_call(s, script)
        await asyncio.sleep(10)
        assert other_legs(s, call) == []
        assert record.disposition == "abandoned"


# --- telephones that forward back ---------------------------------------------------------------


@pytest.mark.parametrize("says_so", [True, False])
@pytest.mark.parametrize("manner", ["cold", "warm"])
async def test_a_telephone_that_forwards_back_to_the_line_is_busy(stage, manner, says_so):
    async with stage(shop(manner=manner)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.forwards(LINE, says_so=says_so)
        call, record = await whole_call(s, comes_back(s))
        leg, onward = other_legs(s, call)
        assert (leg.about.to, leg.status) == (DESK, "busy")
        assert (onward.about.from_, onward.about.to, onward.status) == (LINE, LINE, "busy")
        assert onward.about.answered is None and onward.streams == []
        assert outcomes(record) == ["busy"]
        assert samples(call.recording().heard, BACK) == 900 * 8
        assert await s.line.store.get(onward.sid) is None


@pytest.mark.parametrize("manner", ["cold", "warm"])
async def test_so_is_one_that_was_shown_the_callers_number(stage, manner):
    async with stage(shop(manner=manner, caller_id="caller")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.forwards(LINE)
        call, record = await call_from(s, CALLER, comes_back(s), **CALL_TOKEN)
        _, onward = other_legs(s, call)
        assert (onward.about.from_, onward.status) == (CALLER, "busy")
        assert onward.about.extra["ForwardedFrom"] == DESK
        assert outcomes(record) == ["busy"]


async def test_the_next_target_is_rung_after_one_that_forwards_back(stage):
    targets = (Target.phone(DESK), Target.phone(SECOND_DESK))
    async with stage(shop(manner="warm", targets=targets)) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.forwards(LINE)
        s.carrier.humans[SECOND_DESK] = presses("1", answers_at=1.0, presses_at=9.0)
        call, record = await whole_call(s, asks_for_a_human(s))
        assert outcomes(record) == ["busy", "bridged"]
        assert both_talked(s, call)


async def test_somebody_else_whose_call_the_rung_telephone_forwards_talks_with_the_agent(stage):
    """They have called the desk, which is busy with our ringing, and come to the line for that."""
    async with stage(shop(manner="warm")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.no_answer()
        others = []

        async def somebody_else(line: Line) -> None:
            await greeted(line)
            await line.hang_up()

        async def script(line: Line) -> None:
            await greeted(line)
            await ask_for_a_human(s)
            await line.pause(2.0)
            others.append(
                await s.carrier.place_call(
                    from_="+15550100077",
                    to=LINE,
                    script=somebody_else,
                    extra={"ForwardedFrom": DESK},
                )
            )
            await others[0].ended()
            await line.hang_up()

        await whole_call(s, script)
        (other,) = others
        assert other.status == "completed"
        assert samples(other.recording().heard, GREETING) > 0


# --- who has answered, and behind which extension -----------------------------------------------


async def test_where_twilio_cannot_tell_who_answered_a_key_is_asked_for(stage):
    """Somebody answers and says nothing for five seconds, which is `AnsweredBy=unknown`."""
    async with stage(shop(manner="warm", accept="human-detected")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=12.0)
        call, record = await whole_call(s, asks_for_a_human(s))
        (leg,) = other_legs(s, call)
        assert leg.about.answered_by == "unknown"
        (said, *_) = leg.timeline.find("say", leg.sid)
        assert "Press 1" in said.detail["text"]
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]


async def test_whoever_presses_nothing_then_does_not_get_the_caller(stage):
    async with stage(shop(manner="warm", accept="human-detected")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(1.0, None)
        call, record = await whole_call(s, comes_back(s))
        assert call.timeline.find("conference-joined", call.sid) == []
        assert outcomes(record) == ["machine"]


@pytest.mark.parametrize("manner", ["cold", "warm"])
async def test_an_extension_is_dialled_before_the_human_is_asked(stage, manner):
    target = Target.phone(DESK, extension=",12#")
    async with stage(shop(manner=manner, targets=(target,), accept="press-1")) as s:
        script_agent(s)
        s.carrier.humans[DESK] = presses("1", answers_at=1.0, presses_at=14.0)
        call, record = await whole_call(s, asks_for_a_human(s))
        (leg,) = other_legs(s, call)
        (sent,) = leg.timeline.find("send-digits", leg.sid)
        (answered,) = leg.timeline.find("answered", leg.sid)
        (said, *_) = leg.timeline.find("say", leg.sid)
        assert sent.detail["digits"] == "WW12#"
        assert answered.at <= sent.at and said.at - sent.at == pytest.approx(2.6, abs=0.03)
        assert both_talked(s, call)
        assert outcomes(record) == ["bridged"]
