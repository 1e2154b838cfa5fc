"""Calls made by REST: who rings, what is reported, what ends them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hookflash_local.carrier import (
    Delayed,
    Human,
    Leg,
    Never,
    OutOfOrder,
    Refused,
    Twice,
    Unconfirmed,
)
from hookflash_local.carrier.media import sounds

from .rest_parts import HOLD, ask, create, post


async def callbacks(world: Any, count: int, path: str = "/status") -> list[tuple[str, str]]:
    """Wait for so many callbacks and return their (SequenceNumber, CallStatus) as they came."""
    await world.app.form(path, count - 1)
    return [(form["SequenceNumber"], form["CallStatus"]) for form in world.app.forms(path)]


def reported(world: Any) -> dict[str, str]:
    return {
        "StatusCallback": f"{world.ORIGIN}/status",
        "StatusCallbackEvent": "initiated ringing answered completed",
    }


@pytest.mark.parametrize(
    ("human", "last"),
    [
        (Human.busy(), "busy"),
        (Human.no_answer(), "no-answer"),
        (Human.fails(), "failed"),
        (Human.hangs_up(0.5, after_seconds=1.0), "completed"),
    ],
)
async def test_each_outcome_is_told_in_order(world: Any, human: Human, last: str) -> None:
    world.carrier.humans[world.ANNA] = human
    call = await create(world, Timeout="5", **reported(world))
    await call.ended()
    await world.carrier.callbacks_sent()
    middle = ["in-progress"] if last == "completed" else []
    expected = ["initiated", "ringing", *middle, last]
    assert sorted(await callbacks(world, len(expected))) == list(
        zip(map(str, range(len(expected))), expected, strict=True)
    )
    assert not world.carrier.alerts


async def test_nobody_at_the_number_fails_at_once(world: Any) -> None:
    call = await create(world, **reported(world))
    await call.ended()
    assert sorted(await callbacks(world, 2)) == [("0", "initiated"), ("1", "failed")]


async def test_a_ringing_call_is_canceled_and_says_so(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.no_answer()
    call = await create(world, **reported(world))
    await call.timeline.until("ringing")
    await create(world, call.sid, Status="canceled")
    assert call.status == "canceled"
    assert (await callbacks(world, 3))[-1] == ("2", "canceled")
    assert world.carrier.leftovers() == []


async def test_an_answered_call_is_completed_by_rest(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    call = await create(world)
    await call.answered()
    refused = await post(world, call.sid, Status="canceled")
    assert refused.json()["code"] == 21220
    await create(world, call.sid, Status="completed")
    assert (call.status, call.timeline.find("ended")[0].detail["by"]) == ("completed", "rest")


async def test_an_answer_in_the_very_instant_of_the_cancel_is_one_or_the_other(world: Any) -> None:
    async def as_it_is_canceled(leg: Leg) -> None:
        await leg.timeline.until("now", leg.sid)

    world.carrier.humans[world.ANNA] = Human.accepts().when(as_it_is_canceled)
    call = await create(world)
    await call.timeline.until("ringing")
    call.note("now")
    answer = await post(world, call.sid, Status="canceled")
    if call.about.answered is None:
        assert (answer.status_code, call.status) == (200, "canceled")
    else:
        assert (answer.status_code, call.status) == (400, "in-progress")
        await create(world, call.sid, Status="completed")


async def test_a_human_who_answers_when_told_does_not_answer_before(world: Any) -> None:
    async def soon(leg: Leg) -> None:
        await leg.tools.clock.sleep(3.0)

    async def never(leg: Leg) -> None:
        await asyncio.Event().wait()

    world.carrier.humans[world.ANNA] = Human().when(soon)
    call = await create(world, Timeout="30")
    await call.answered()
    rang = call.timeline.find("ringing")[0].at
    assert call.timeline.find("answered")[0].at - rang == pytest.approx(3.0)
    world.carrier.humans[world.ANNA] = Human().when(never)
    late = await create(world, Timeout="2")
    await late.ended()
    assert late.status == "no-answer"
    await create(world, call.sid, Status="completed")


async def test_calls_start_one_a_second_and_say_how_long_they_wait(worlds: Any) -> None:
    world = await worlds(calls_per_second=0.2)
    assert world.carrier.calls_per_second == 0.2
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    first, second = await create(world), await create(world)
    body = (await post(world, second.sid)).json()
    assert int(body["queue_time"]) == 5000
    assert (first.about.queue_ms, second.status) == (0, "queued")
    await second.ended()
    gap = second.timeline.start + second.timeline.find("initiated")[0].at
    gap -= first.timeline.start + first.timeline.find("initiated")[0].at
    assert gap == pytest.approx(5.0)


async def test_a_call_that_waits_for_its_turn_can_be_canceled(worlds: Any) -> None:
    world = await worlds(calls_per_second=0.01)
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    await (await create(world)).ended()
    waiting = await create(world)
    await create(world, waiting.sid, Status="completed")
    assert waiting.status == "canceled"
    assert not waiting.timeline.find("ringing")


async def test_keys_are_sent_before_the_document(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    call = await create(world, SendDigits="WW12", MachineDetection="Enable")
    said = await call.timeline.until("say")
    sent = call.timeline.find("send-digits")[0]
    assert sent.detail == {"digits": "WW12"}
    assert said.at - sent.at == pytest.approx(2.4)
    assert world.carrier.alerts.codes() == [20001], "MachineDetection is ignored"
    await create(world, call.sid, Status="completed")


async def test_the_time_limit_ends_a_call_and_can_be_set_later(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    call = await create(world, TimeLimit="2")
    await call.ended()
    assert call.seconds == pytest.approx(2.0)
    assert call.timeline.find("ended")[0].detail["by"] == "carrier"
    other = await create(world)
    await other.answered()
    await create(world, other.sid, TimeLimit="1")
    await other.ended()
    assert other.timeline.find("ended")[0].detail["by"] == "carrier"


async def test_a_later_time_limit_takes_the_place_of_an_earlier_one(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    call = await create(world, TimeLimit="2")
    await call.answered()
    await create(world, call.sid, TimeLimit="5")
    await call.ended()
    assert call.seconds == pytest.approx(5.0, abs=0.2)


async def test_the_fallback_takes_over_with_its_method(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    fallback = {"FallbackUrl": f"{world.ORIGIN}/fallback", "FallbackMethod": "GET"}
    world.app.answers["/fallback"] = "<Response><Say>fallback</Say></Response>"
    call = await create(world, Url=f"{world.ORIGIN}/gone", Twiml="", **fallback)
    world.app.answers["/gone"] = "no twiml"
    await call.ended()
    request = next(each for each in world.app.requests if each.url.path == "/fallback")
    assert (request.method, request.query_params["ErrorCode"]) == ("GET", "12100")
    assert world.app.bad_signatures == []


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"From": "+15550109999"}, 21210),
        ({"To": "sip:desk"}, 21211),
        ({"To": "sip:desk@example.test;transport=x"}, 13243),
        ({"To": "sip:desk@example.test?Via=x"}, 21228),
        ({"MachineDetection": "yes"}, 20001),
        ({"Timeout": "0"}, 20001),
        ({"StatusCallbackMethod": "PUT"}, 20001),
    ],
)
async def test_wrong_values_are_refused_and_alerted(
    world: Any, form: dict[str, str], code: int
) -> None:
    whole = {"To": world.ANNA, "From": world.LINE, "Twiml": HOLD, **form}
    answer = await post(world, **whole)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert world.carrier.calls == []


async def test_wrong_values_may_be_let_pass_with_an_alert(worlds: Any) -> None:
    world = await worlds(unconfirmed=Unconfirmed(wrong_values_refused=False))
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    await (await create(world, MachineDetection="yes", Label="x")).ended()
    assert world.carrier.alerts.codes() == [20001, 20001]


async def test_a_verified_number_may_be_shown_and_a_word_to_sip(world: Any) -> None:
    world.carrier.verified.add("+15550109999")
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    world.carrier.humans["sip:desk@example.test"] = Human.busy(0.1)
    await (await create(world, From="+15550109999")).ended()
    desk = "sip:desk@example.test;transport=tls?x-order=42"
    call = await create(world, From="hookflash", To=desk)
    await call.ended()
    assert (call.about.to, call.status) == (desk, "busy")
    assert not world.carrier.alerts


async def test_relative_urls_in_a_created_document_are_alerted(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    text = "<Response><Gather action='/accept'/></Response>"
    await (await create(world, Twiml=text)).ended()
    assert world.carrier.alerts.codes() == [15004]


async def test_callbacks_may_be_lost_doubled_or_out_of_order(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.hangs_up(0.5, after_seconds=0.5)
    world.carrier.faults.webhooks += [Never("/status"), OutOfOrder("/status"), Twice("/status")]
    call = await create(world, **reported(world))
    await call.ended()
    await world.carrier.callbacks_sent()
    came = await callbacks(world, 4)
    assert came[0] == ("2", "in-progress"), "`initiated` never came, `ringing` was overtaken"
    assert sorted(came[1:]) == [("1", "ringing"), ("2", "in-progress"), ("3", "completed")]
    assert came.index(("1", "ringing")) > 0
    assert not world.carrier.alerts


async def test_a_held_callback_goes_alone_if_nothing_follows(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    world.carrier.faults.webhooks.append(OutOfOrder("/status", seconds=3.0))
    url = f"{world.ORIGIN}/status"
    call = await create(world, StatusCallback=url)
    await call.ended()
    before = world.carrier.now()
    await world.app.form("/status")
    assert world.carrier.now() - before == pytest.approx(3.0)


async def test_a_question_that_is_lost_is_lost_with_its_repetitions(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.2)
    world.carrier.faults.webhooks.append(Never("/voice"))
    call = await create(world, Url=f"{world.ORIGIN}/voice#rc=5&rp=all", Twiml="")
    await call.ended()
    assert world.app.forms("/voice") == []
    assert world.carrier.alerts.codes() == [11205]
    assert "application error" in call.timeline.find("say")[0].detail["text"]


async def test_a_late_callback_may_come_after_any_time(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy(0.1)
    world.carrier.faults.webhooks.append(Delayed("/status", seconds=40.0))
    call = await create(world, StatusCallback=f"{world.ORIGIN}/status")
    await call.ended()
    before = world.carrier.now()
    assert (await world.app.form("/status"))["CallStatus"] == "busy"
    assert world.carrier.now() - before == pytest.approx(40.0)
    assert not world.carrier.alerts


async def test_a_fault_may_wait_for_any_rest_request(world: Any) -> None:
    world.carrier.faults.requests.append(Refused(503))
    first = await ask(world, "GET", "/Conferences.json")
    second = await ask(world, "GET", "/Conferences.json")
    assert (first.status_code, second.status_code) == (503, 200)


# --- refusals, and whose number is shown --------------------------------------------------------


async def test_a_refusal_may_say_when_to_ask_again(world: Any) -> None:
    world.carrier.faults.creates.extend([Refused(429, retry_after=7), Refused(429)])
    first = await post(world, To=world.ANNA, From=world.LINE, Twiml=HOLD)
    assert (first.status_code, first.json()["code"]) == (429, 20429)
    assert first.headers["Retry-After"] == "7"
    second = await post(world, To=world.ANNA, From=world.LINE, Twiml=HOLD)
    assert second.status_code == 429
    assert "Retry-After" not in second.headers


async def test_a_callers_number_is_shown_only_with_the_token_of_their_call(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy()
    call = await world.call(HOLD, extra={"CallToken": "T1"})
    wanted = {"To": world.ANNA, "From": call.about.from_, "Twiml": HOLD}
    for token in ({}, {"CallToken": ""}, {"CallToken": "T2"}):
        refused = await post(world, **wanted, **token)
        assert (refused.status_code, refused.json()["code"]) == (400, 21210)
    shown = await post(world, **wanted, CallToken="T1")
    assert shown.status_code == 201
    assert shown.json()["from"] == call.about.from_
    other = await post(world, **{**wanted, "From": "+15550100077"}, CallToken="T1")
    assert other.json()["code"] == 21210


# --- telephones that forward --------------------------------------------------------------------


async def test_a_forwarded_call_ends_as_it_ends_elsewhere(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.forwards(world.LINE)
    world.app.answers["/voice"] = '<Response><Reject reason="busy"/></Response>'
    call = await create(world)
    await call.ended()
    assert call.status == "busy"
    onward = world.carrier.calls[-1]
    assert (onward.about.from_, onward.about.to) == (world.LINE, world.LINE)
    (asked,) = world.app.forms("/voice")
    assert asked["ForwardedFrom"] == world.ANNA
    assert (asked["CallStatus"], asked["Direction"]) == ("ringing", "inbound")


async def test_not_every_network_says_who_has_forwarded_a_call(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.forwards(world.LINE, says_so=False)
    world.app.answers["/voice"] = '<Response><Reject reason="busy"/></Response>'
    await (await create(world)).ended()
    assert "ForwardedFrom" not in world.app.forms("/voice")[0]


async def test_a_forwarded_call_that_is_answered_carries_sound_both_ways(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.forwards(world.LINE)
    world.app.answers["/voice"] = (
        "<Response><Pause/><Say>you have called the line</Say><Pause/></Response>"
    )
    call = await create(
        world, Twiml="<Response><Pause/><Say>hold</Say><Pause length='30'/></Response>"
    )
    await call.ended()
    assert call.status == "completed"
    onward = world.carrier.calls[-1]
    assert sounds.voice_pattern("you have called the line") in call.recording().said
    assert sounds.voice_pattern("hold") in onward.recording().said


async def test_a_caller_who_gives_up_ends_the_forwarded_call(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.forwards(world.LINE)
    world.app.answers["/voice"] = (
        '<Response><Dial answerOnBridge="true"><Number>+15550100088</Number></Dial></Response>'
    )
    world.carrier.humans["+15550100088"] = Human.no_answer()
    call = await create(world, Timeout="5")
    await call.ended()
    assert call.status == "no-answer"
    await asyncio.gather(*(leg.ended() for leg in world.carrier.calls))
    assert world.carrier.leftovers() == []
