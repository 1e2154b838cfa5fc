"""Signed requests and callbacks: parameters, time limits, retries, fallback, types, faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.responses import RedirectResponse, Response

from hookflash_local.carrier import Delayed, Dropped, NumberConfig, Twice

SAY = "<Response><Say>hello</Say></Response>"


async def called(world: Any, answer: Any, url: str = "", **config: Any) -> Any:
    """Let a call to LINE with this voice URL run to its end."""
    whole = world.ORIGIN + (url or "/voice")
    world.carrier.numbers[world.LINE] = NumberConfig(whole, **config)
    call = await world.call(answer)
    await call.ended()
    return call


async def test_the_first_webhook_says_who_calls_whom(world: Any) -> None:
    world.app.answers["/voice"] = SAY
    call = await world.carrier.place_call(
        from_=world.CALLER, to=world.LINE, extra={"StirVerstat": "TN-Validation-Passed-A"}
    )
    await call.ended()
    assert world.app.forms("/voice") == [
        {
            "CallSid": call.sid,
            "AccountSid": world.carrier.account_sid,
            "From": world.CALLER,
            "To": world.LINE,
            "Caller": world.CALLER,
            "Called": world.LINE,
            "CallStatus": "ringing",
            "ApiVersion": "2010-04-01",
            "Direction": "inbound",
            "StirVerstat": "TN-Validation-Passed-A",
        }
    ]
    request = world.app.requests[0]
    assert request.headers["host"] == f"127.0.0.1:{world.app.port}"
    assert request.headers["x-forwarded-proto"] == "https"
    assert world.app.bad_signatures == []
    assert not world.carrier.alerts


async def test_a_call_to_a_number_that_is_not_ours_is_a_mistake_of_the_test(world: Any) -> None:
    with pytest.raises(KeyError):
        await world.carrier.place_call(from_=world.CALLER, to="+15550109999")


async def test_get_webhooks_carry_and_sign_the_query(world: Any) -> None:
    config = NumberConfig(f"{world.ORIGIN}/voice?a=1", voice_method="GET")
    world.carrier.numbers[world.LINE] = config
    call = await world.call(SAY)
    await call.ended()
    query = world.app.requests[0].query_params
    assert (query["a"], query["CallSid"]) == ("1", call.sid)
    assert world.app.bad_signatures == []


async def test_the_status_callback_of_a_number_tells_the_end(world: Any) -> None:
    call = await called(world, SAY, status_callback=f"{world.ORIGIN}/status")
    form = await world.app.form("/status")
    assert (form["CallSid"], form["CallStatus"]) == (call.sid, "completed")
    assert (form["SequenceNumber"], form["CallDuration"]) == ("0", "0")
    assert form["Timestamp"].endswith("+0000")
    assert len(world.app.forms("/status")) == 1


async def test_a_redirect_is_followed_and_signed_anew(world: Any) -> None:
    world.app.answers["/second"] = SAY
    call = await called(world, RedirectResponse("/second", 307))
    assert call.timeline.find("say")
    assert world.app.forms("/second")[0]["CallSid"] == call.sid
    assert world.app.bad_signatures == []


async def test_eleven_redirects_are_too_many(world: Any) -> None:
    await called(world, RedirectResponse("/voice", 307))
    assert world.carrier.alerts.codes() == [11215]
    assert len(world.app.forms("/voice")) == 11


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("no", 500), 11200),
        (Response("", 404), 11200),
        (Response("<Response", media_type="text/xml"), 12100),
        (Response("<Hello/>", media_type="text/xml"), 12100),
        (Response("", media_type="text/xml"), 12100),
        (Response("{}", media_type="application/json"), 12300),
        (Response("<Response>" + " " * 70_000 + "</Response>", media_type="text/xml"), 11750),
    ],
)
async def test_an_answer_of_no_use_ends_the_call_after_an_apology(
    world: Any, answer: Response, code: int
) -> None:
    call = await called(world, answer)
    assert world.carrier.alerts.codes() == [code]
    assert "application error" in call.timeline.find("say")[0].detail["text"]


async def test_the_fallback_url_takes_over_and_is_told_why(world: Any) -> None:
    world.app.answers["/fallback"] = SAY
    call = await called(world, Response("", 503), fallback_url=f"{world.ORIGIN}/fallback")
    form = world.app.forms("/fallback")[0]
    assert form["ErrorCode"] == "11200"
    assert form["ErrorUrl"] == f"{world.ORIGIN}/voice"
    assert call.timeline.find("say")[0].detail["text"] == "hello"


async def test_plain_text_that_is_no_twiml_is_spoken(world: Any) -> None:
    call = await called(world, Response("good day", media_type="text/plain"))
    assert call.timeline.find("say")[0].detail["text"] == "good day"


async def test_html_is_read_as_twiml(world: Any) -> None:
    call = await called(world, Response(SAY, media_type="text/html"))
    assert call.timeline.find("say")


async def test_a_server_that_does_not_answer_is_given_up_after_15_seconds(world: Any) -> None:
    gate = asyncio.Event()

    async def never(form: dict[str, str]) -> str:
        await gate.wait()
        return SAY

    call = await called(world, never)
    assert world.carrier.alerts.codes() == [11200]
    assert call.timeline.find("say")[0].at == pytest.approx(15.0)
    gate.set()


async def test_the_fragment_shortens_the_wait_and_is_neither_sent_nor_signed(world: Any) -> None:
    gate = asyncio.Event()

    async def never(form: dict[str, str]) -> str:
        await gate.wait()
        return SAY

    call = await called(world, never, "/voice?x=1#tt=4000")
    assert call.timeline.find("say")[0].at == pytest.approx(4.0)
    assert world.app.bad_signatures == []
    assert str(world.app.requests[0].url).endswith("/voice?x=1")
    gate.set()


async def test_the_fragment_asks_for_retries_with_the_same_token(world: Any) -> None:
    answers = [Response("", 503), Response("", 503), Response(SAY, media_type="text/xml")]
    call = await called(world, lambda form: answers.pop(0), "/voice#rc=3&rp=5xx")
    tokens = {request.headers["i-twilio-idempotency-token"] for request in world.app.requests}
    assert len(world.app.requests) == 3
    assert len(tokens) == 1
    assert call.timeline.find("say")
    assert not world.carrier.alerts


async def test_by_default_a_5xx_is_not_retried_but_a_failed_connection_is_once(
    world: Any,
) -> None:
    await called(world, Response("", 503))
    assert len(world.app.requests) == 1
    world.carrier.faults.webhooks.append(Dropped("/voice", times=1))
    call = await called(world, SAY)
    assert call.timeline.find("say")
    world.carrier.faults.webhooks.append(Dropped("/voice", times=2))
    await called(world, SAY)
    assert world.carrier.alerts.codes() == [11200, 11205]


async def test_a_webhook_may_come_twice(world: Any) -> None:
    world.carrier.faults.webhooks.append(Twice("/voice"))
    call = await called(world, SAY)
    await world.app.form("/voice", 1)
    assert world.app.forms("/voice") == [world.app.forms("/voice")[0]] * 2
    tokens = {request.headers["i-twilio-idempotency-token"] for request in world.app.requests}
    assert len(tokens) == 1
    assert len(call.timeline.find("answer")) == 1


async def test_a_webhook_may_come_late(world: Any) -> None:
    world.carrier.faults.webhooks.append(Delayed("/voice", seconds=3.0))
    call = await called(world, SAY)
    assert call.timeline.find("answer")[0].at == pytest.approx(3.0)


async def test_nothing_is_ever_sent_beyond_loopback(world: Any) -> None:
    world.carrier.numbers[world.LINE] = NumberConfig("https://elsewhere.example.test/voice")
    call = await world.call(SAY)
    await call.ended()
    assert world.carrier.alerts.codes() == [11210]
    assert world.carrier.requests == []


async def test_cookies_are_kept_for_the_call(world: Any) -> None:
    first = Response("<Response><Redirect>/second</Redirect></Response>", media_type="text/xml")
    first.set_cookie("step", "1")
    await called(world, first)
    assert world.app.requests[1].cookies == {"step": "1"}
    await called(world, SAY)
    assert world.app.requests[2].cookies == {}


async def test_a_failing_status_callback_is_noticed_and_disturbs_nothing(world: Any) -> None:
    world.app.answers["/status"] = Response("", 500)
    call = await called(world, SAY, status_callback=f"{world.ORIGIN}/status")
    await world.carrier.callbacks_sent()
    assert world.carrier.alerts.codes() == [11200]
    assert call.status == "completed"
