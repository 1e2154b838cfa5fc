"""The REST side, asked by Twilio's own client and by plain HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from hookflash_local.carrier import (
    BrokenOff,
    Human,
    Late,
    Refused,
    Silent,
    StandinCarrier,
    Unconfirmed,
)

HOLD = "<Response><Say>please hold the line</Say><Pause length='300'/></Response>"


class Async(AsyncTwilioHttpClient):
    """Twilio's client, pointed at the stand-in."""

    base = ""

    async def request(self, method: str, url: str, *rest: Any, **more: Any) -> Any:
        there = url.replace("https://api.twilio.com", self.base)
        return await super().request(method, there, *rest, **more)


class Sync(TwilioHttpClient):
    base = ""

    def request(self, method: str, url: str, *rest: Any, **more: Any) -> Any:
        there = url.replace("https://api.twilio.com", self.base)
        return super().request(method, there, *rest, **more)


def path(world: Any, sid: str = "") -> str:
    whole = f"/2010-04-01/Accounts/{world.carrier.account_sid}/Calls"
    return f"{world.carrier.api_url}{whole}{'/' + sid if sid else ''}.json"


async def update(world: Any, sid: str, seconds: float = 5.0, **form: str) -> httpx.Response:
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    async with httpx.AsyncClient(auth=auth, timeout=seconds, trust_env=False) as client:
        return await client.post(path(world, sid), data=form)


@pytest.mark.realtime
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_the_official_async_client_moves_a_live_call(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    async with Async() as http:
        http.base = world.carrier.api_url
        client = Client(world.carrier.account_sid, world.carrier.auth_token, http_client=http)
        moved = await client.calls(call.sid).update_async(
            twiml="<Response><Say>moved</Say></Response>"
        )
        assert (moved.sid, moved.status, moved.direction) == (call.sid, "in-progress", "inbound")
        await media.over.wait()
        await call.ended()
        fetched = await client.calls(call.sid).fetch_async()
        assert fetched.status == "completed"
        assert fetched.start_time is not None
        with pytest.raises(TwilioRestException) as gone:
            await client.calls(call.sid).update_async(twiml=HOLD)
        assert (gone.value.status, gone.value.code) == (400, 21220)
        with pytest.raises(TwilioRestException) as unknown:
            await client.calls("CA" + "0" * 32).update_async(status="completed")
        assert (unknown.value.status, unknown.value.code) == (404, 20404)
    assert [event.detail["text"] for event in call.timeline.find("say")] == ["moved"]


@pytest.mark.realtime
async def test_the_official_sync_client_creates_and_lists_calls(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(answer_after=0.5)
    http = Sync()
    http.base = world.carrier.api_url
    client = Client(world.carrier.account_sid, world.carrier.auth_token, http_client=http)
    made = await asyncio.to_thread(
        client.calls.create,
        to=world.ANNA,
        from_=world.LINE,
        url=f"{world.ORIGIN}/voice",
        status_callback=f"{world.ORIGIN}/status",
        status_callback_event=["initiated", "ringing", "answered", "completed"],
    )
    assert (made.status, made.direction) == ("queued", "outbound-api")
    for number in range(4):
        await world.app.form("/status", number)
    forms = sorted(world.app.forms("/status"), key=lambda form: int(form["SequenceNumber"]))
    statuses = [form["CallStatus"] for form in forms]
    assert statuses == ["initiated", "ringing", "in-progress", "completed"]
    assert forms[0]["CallbackSource"] == "call-progress-events"
    assert "CallDuration" in forms[3]
    listed = await asyncio.to_thread(client.calls.list)
    assert [call.sid for call in listed] == [made.sid]
    assert world.app.bad_signatures == []


async def test_an_update_throws_away_what_is_buffered_and_sends_stop(world: Any) -> None:
    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.play(b"\x11" * 80_000)
    await media.until("media", 10)
    answer = await update(world, call.sid, Twiml=HOLD)
    assert answer.status_code == 200
    await media.over.wait()
    assert media.messages[-1]["event"] == "stop"
    assert media.connection.close_code == 1000
    stream = call.streams[0]
    played = stream.playout.played(world.carrier.now())
    assert 0 < played < 80_000
    assert call.recording().heard.count(0x11) == played
    assert call.status == "in-progress"
    assert world.app.forms("/next") == []
    await update(world, call.sid, Status="completed")
    await call.ended()


async def test_whether_an_update_asks_the_connect_action_can_be_switched(worlds: Any) -> None:
    world = await worlds(unconfirmed=Unconfirmed(connect_action_on_redirect=True))
    call = await world.call(world.STREAM)
    await world.stream(call)
    await update(world, call.sid, Twiml=HOLD)
    assert (await world.app.form("/next"))["CallSid"] == call.sid
    assert call.status == "in-progress"


async def test_an_update_by_url_asks_that_url(world: Any) -> None:
    world.app.answers["/other"] = "<Response><Say>other</Say></Response>"
    call = await world.call(world.STREAM)
    await world.stream(call)
    await update(world, call.sid, Url=f"{world.ORIGIN}/other")
    await call.ended()
    assert len(world.app.forms("/other")) == 1


@pytest.mark.parametrize(
    ("form", "status", "code"),
    [
        ({"Twiml": "<Response>" + "<Pause/>" * 500 + "</Response>"}, 400, 21609),
        ({"Twiml": "no xml"}, 400, 12100),
        ({"Url": "/relative"}, 400, 21205),
        ({"Status": "paused"}, 400, 21218),
        ({"Status": "canceled"}, 400, 21220),
    ],
)
async def test_updates_that_break_a_rule_change_nothing(
    world: Any, form: dict[str, str], status: int, code: int
) -> None:
    call = await world.call(HOLD)
    await call.answered()
    answer = await update(world, call.sid, **form)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["more_info"].endswith(str(code))
    assert call.status == "in-progress"


async def test_relative_urls_in_updated_twiml_are_alerted(world: Any) -> None:
    call = await world.call(HOLD)
    await call.answered()
    text = f'<Response><Dial action="/after">{world.ANNA}</Dial></Response>'
    assert (await update(world, call.sid, Twiml=text)).status_code == 200
    await call.ended()
    assert world.carrier.alerts.codes()[0] == 15004


async def test_relative_urls_can_be_refused_instead(worlds: Any) -> None:
    world = await worlds(unconfirmed=Unconfirmed(relative_urls_refused=True))
    call = await world.call(HOLD)
    await call.answered()
    answer = await update(world, call.sid, Twiml="<Response><Redirect>/a</Redirect></Response>")
    assert (answer.status_code, answer.json()["code"]) == (400, 15004)


async def test_a_ringing_call_cannot_be_moved(world: Any) -> None:
    waiting = asyncio.Event()

    async def slow(form: dict[str, str]) -> str:
        await waiting.wait()
        return "<Response/>"

    call = await world.call(slow)
    answer = await update(world, call.sid, Twiml=HOLD)
    assert answer.json()["code"] == 21220
    waiting.set()
    await call.ended()


async def test_wrong_credentials_and_unknown_paths(world: Any) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        wrong = await client.get(path(world), auth=("AC", "no"))
        assert (wrong.status_code, wrong.json()["code"]) == (401, 20003)
        right = (world.carrier.account_sid, world.carrier.auth_token)
        missing = await client.get(world.carrier.api_url + "/nothing", auth=right)
        assert (missing.status_code, missing.json()["code"]) == (404, 20404)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"From": "+15550100001", "Twiml": HOLD}, 21201),
        ({"To": "+15550100002", "Twiml": HOLD}, 21213),
        ({"To": "nobody", "From": "+15550100001", "Twiml": HOLD}, 21211),
        ({"To": "+15550100001", "From": "+15550100001", "Twiml": HOLD}, 21211),
        ({"To": "+15550100002", "From": "+15550100001"}, 21205),
        ({"To": "+15550100002", "From": "+15550100001", "ApplicationSid": "AP"}, 21218),
        ({"To": "+15550100002", "From": "+15550100001", "Url": "https://a_b.test/"}, 21205),
    ],
)
async def test_calls_that_cannot_be_made(world: Any, form: dict[str, str], code: int) -> None:
    answer = await update(world, "", **form)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert world.carrier.calls == []


async def test_a_created_call_that_is_not_answered_ends_so(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.no_answer()
    form = {"To": world.ANNA, "From": world.LINE, "Twiml": HOLD, "Timeout": "5"}
    answer = await update(world, "", **form)
    assert answer.status_code == 201
    (call,) = world.carrier.calls
    await call.ended()
    assert call.status == "no-answer"
    assert not call.timeline.find("answer")


async def test_created_calls_start_at_the_accounts_pace_and_may_be_canceled(worlds: Any) -> None:
    world = await worlds(calls_per_second=0.1)
    world.carrier.humans[world.ANNA] = Human.no_answer()
    for _ in range(3):
        await update(world, "", To=world.ANNA, From=world.LINE, Twiml=HOLD)
    first, second, third = world.carrier.calls
    await update(world, third.sid, Status="canceled")
    await second.timeline.until("ringing")
    begun = [leg.timeline.start + leg.timeline.find("ringing")[0].at for leg in (first, second)]
    assert begun[1] - begun[0] == pytest.approx(10.0)
    assert third.status == "canceled"
    assert not third.timeline.find("ringing")


async def test_faults_refuse_hold_break_and_delay_updates(world: Any) -> None:
    call = await world.call(HOLD)
    await call.answered()
    faults = world.carrier.faults.updates
    faults.extend([Refused(500), Refused(429), Silent(), BrokenOff(), Late(2.0)])
    assert (await update(world, call.sid, Twiml=HOLD)).json()["code"] == 20500
    assert (await update(world, call.sid, Twiml=HOLD)).json()["code"] == 20429
    with pytest.raises(httpx.ReadTimeout):
        await update(world, call.sid, seconds=0.05, Twiml=HOLD)
    with pytest.raises(httpx.RemoteProtocolError):
        await update(world, call.sid, Twiml=HOLD)
    assert call.timeline.find("moved") == []
    began = world.carrier.now()
    assert (await update(world, call.sid, Twiml=HOLD)).status_code == 200
    assert world.carrier.now() - began == pytest.approx(2.0)
    assert len(call.timeline.find("moved")) == 1
    faults.append(BrokenOff(done=True))
    with pytest.raises(httpx.RemoteProtocolError):
        await update(world, call.sid, Twiml=HOLD)
    assert len(call.timeline.find("moved")) == 2


async def test_rest_can_be_down_and_come_back(world: Any) -> None:
    call = await world.call(HOLD)
    await call.answered()
    await world.carrier.go_down()
    with pytest.raises(httpx.ConnectError):
        await update(world, call.sid, Twiml=HOLD)
    world.carrier.come_back()
    assert (await update(world, call.sid, Status="completed")).status_code == 200
    assert call.status == "completed"


async def test_a_list_can_be_narrowed(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(f"<Response><Dial>{world.ANNA}</Dial></Response>")
    await call.timeline.until("bridged")
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        found = (await client.get(path(world), params={"ParentCallSid": call.sid})).json()
        none = (await client.get(path(world), params={"Status": "busy"})).json()
    assert [each["sid"] for each in found["calls"]] == [call.children[0].sid]
    assert found["calls"][0]["parent_call_sid"] == call.sid
    assert none["calls"] == []


async def test_url_wins_over_twiml_with_an_alert_and_events_must_be_known(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.5)
    both = {"To": world.ANNA, "From": world.LINE, "Twiml": HOLD, "Url": f"{world.ORIGIN}/voice"}
    wrong = await update(world, "", **both, StatusCallbackEvent="rung")
    assert (wrong.status_code, wrong.json()["code"]) == (400, 21626)
    assert (await update(world, "", **both)).status_code == 201
    (call,) = world.carrier.calls
    await call.ended()
    assert 32019 in world.carrier.alerts.codes()
    assert len(world.app.forms("/voice")) == 1


async def test_an_update_may_set_the_status_callback(world: Any) -> None:
    call = await world.call(HOLD)
    await call.answered()
    await update(world, call.sid, StatusCallback=f"{world.ORIGIN}/status")
    assert call.status == "in-progress"
    await update(world, call.sid, Status="completed")
    assert (await world.app.form("/status"))["CallStatus"] == "completed"
    gone = await update(world, call.sid, Status="completed")
    assert (gone.status_code, gone.json()["code"]) == (404, 20404)


async def test_another_account_is_not_found(world: Any) -> None:
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    there = path(world).replace(world.carrier.account_sid, "AC" + "1" * 32)
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        assert (await client.get(there)).json()["code"] == 20404


async def test_a_carrier_can_end_while_it_holds_a_request() -> None:
    async with StandinCarrier(speed=20) as carrier:
        carrier.faults.updates.append(Silent())
        auth = (carrier.account_sid, carrier.auth_token)
        url = f"{carrier.api_url}/2010-04-01/Accounts/{auth[0]}/Calls/CA1.json"
        client = httpx.AsyncClient(auth=auth, trust_env=False)
        asking = asyncio.create_task(client.post(url, data={"Status": "completed"}))
        while carrier.faults.updates:
            await asyncio.wait({asking}, timeout=0.01)
    assert (await asking).status_code == 503
    await client.aclose()
