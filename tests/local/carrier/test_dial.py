"""`<Dial>`: who rings, who is bridged, what the action is told, what each party heard."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.responses import Response

from hookflash_local.carrier import Human, Line, Unconfirmed
from hookflash_local.carrier.media import sounds

HELLO = b"\x10" * 800
GOODBYE = b"\x20" * 800


def dial(inner: str, attributes: str = "") -> str:
    return f'<Response><Dial action="/after" {attributes}>{inner}</Dial></Response>'


async def after(world: Any, call: Any) -> dict[str, str]:
    form: dict[str, str] = await world.app.form("/after")
    await call.ended()
    return form


async def update(world: Any, sid: str, twiml: str) -> None:
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    url = f"{world.carrier.api_url}/2010-04-01/Accounts/{auth[0]}/Calls/{sid}.json"
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        assert (await client.post(url, data={"Twiml": twiml})).status_code == 200


async def test_both_hear_each_other_sample_by_sample_and_then_the_action_is_asked(
    world: Any,
) -> None:
    async def anna(line: Line) -> None:
        await line.wait_for("bridged")
        await line.play(HELLO)
        await line.pause(0.5)
        await line.hang_up()

    async def caller(line: Line) -> None:
        await line.wait_for("bridged")
        await line.play(GOODBYE)

    world.carrier.humans[world.ANNA] = Human(1.0, anna)
    call = await world.call(dial(world.ANNA), caller)
    form = await after(world, call)
    child = call.children[0]
    assert form["DialCallStatus"] == "completed"
    assert form["DialBridged"] == "true"
    assert form["DialCallSid"] == child.sid
    assert form["DialCallDuration"] == "0"
    mine, theirs = call.recording(), child.recording()
    assert HELLO in mine.heard
    assert GOODBYE in theirs.heard
    assert HELLO in theirs.said
    # Aligned on the call's clock: what one said at a moment, the other heard at that moment.
    assert mine.answered_at is not None and theirs.answered_at is not None
    shift = round((theirs.answered_at - mine.answered_at) * 8000)
    assert mine.heard.index(HELLO) == theirs.said.index(HELLO) + shift
    assert len(mine.heard) == len(mine.said)
    assert not world.carrier.alerts
    assert world.app.bad_signatures == []


async def test_the_caller_hears_it_ring(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy(after=1.0)
    call = await world.call(dial(world.ANNA))
    await after(world, call)
    heard = call.recording().heard
    assert sounds.ringing_cycle()[:6000] in heard
    assert sounds.is_sound(heard[:160])


@pytest.mark.parametrize(
    ("human", "status"),
    [
        (Human.busy(), "busy"),
        (Human.no_answer(), "no-answer"),
        (Human.fails(), "failed"),
        (Human(answer_after=60.0), "no-answer"),
    ],
)
async def test_nobody_there_is_said_to_the_action(world: Any, human: Human, status: str) -> None:
    world.carrier.humans[world.ANNA] = human
    call = await world.call(dial(world.ANNA, 'timeout="5"'))
    form = await after(world, call)
    assert form["DialCallStatus"] == status
    assert form["DialBridged"] == "false"
    assert "DialCallDuration" not in form
    assert call.children[0].status == status


async def test_a_declined_screening_is_completed_but_not_bridged(world: Any) -> None:
    world.app.answers["/screen"] = (
        '<Response><Gather numDigits="1" action="/accept" timeout="2">'
        "<Say>a caller about billing</Say></Gather><Hangup/></Response>"
    )
    world.carrier.humans[world.ANNA] = Human.mailbox(answer_after=0.5)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    form = await after(world, call)
    assert (form["DialCallStatus"], form["DialBridged"]) == ("completed", "false")
    assert form["DialCallSid"] == call.children[0].sid
    screen = world.app.forms("/screen")[0]
    assert screen["CallSid"] == call.children[0].sid
    assert screen["ParentCallSid"] == call.sid
    assert world.app.forms("/accept") == []


async def test_a_decline_may_be_reported_as_no_answer(worlds: Any) -> None:
    world = await worlds(unconfirmed=Unconfirmed(declined_is_completed=False))
    world.app.answers["/screen"] = "<Response><Hangup/></Response>"
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    assert (await after(world, call))["DialCallStatus"] == "no-answer"


async def test_pressing_1_in_the_whisper_bridges_and_the_caller_does_not_hear_it(
    world: Any,
) -> None:
    async def anna(line: Line) -> None:
        await line.wait_for("say")
        await line.wait_for_silence(0.5)
        await line.press("1")
        await line.wait_for("bridged")
        await line.pause(0.5)
        await line.hang_up()

    world.app.answers["/screen"] = (
        '<Response><Gather numDigits="1" action="/accept"><Say>about billing</Say></Gather>'
        "<Hangup/></Response>"
    )
    world.carrier.humans[world.ANNA] = Human(0.5, anna)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    form = await after(world, call)
    assert form["DialBridged"] == "true"
    assert world.app.forms("/accept")[0]["Digits"] == "1"
    whisper = sounds.voice_pattern("about billing")
    assert whisper in call.children[0].recording().heard
    assert whisper not in call.recording().heard
    assert not world.carrier.alerts


async def test_all_ring_at_once_and_the_first_to_answer_wins(world: Any) -> None:
    async def bert(line: Line) -> None:
        await line.wait_for("bridged")
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human(answer_after=8.0)
    world.carrier.humans["client:bert"] = Human(1.0, bert)
    world.carrier.humans["sip:desk@example.test"] = Human.busy()
    inner = (
        f"<Number>{world.ANNA}</Number><Client>bert</Client>"
        "<Sip>sip:desk@example.test;transport=tls?x-order=4</Sip>"
    )
    call = await world.call(dial(inner))
    form = await after(world, call)
    assert [leg.status for leg in call.children] == ["canceled", "completed", "busy"]
    assert form["DialCallSid"] == call.children[1].sid
    assert call.children[1].about.to == "client:bert"


async def test_sequential_tries_one_after_another(world: Any) -> None:
    async def bert(line: Line) -> None:
        await line.wait_for("bridged")
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human.busy()
    world.carrier.humans[world.BERT] = Human(0.5, bert)
    inner = f"<Number>{world.ANNA}</Number><Number>{world.BERT}</Number>"
    call = await world.call(dial(inner, 'sequential="true"'))
    assert (await after(world, call))["DialCallSid"] == call.children[1].sid
    ended = call.timeline.find("ended", call.children[0].sid)[0]
    assert ended.at <= call.timeline.find("initiated", call.children[1].sid)[0].at


async def test_the_caller_gone_cancels_what_still_rings(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.pause(1.0)
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human.no_answer()
    call = await world.call(dial(world.ANNA), caller)
    form = await after(world, call)
    assert call.children[0].status == "canceled"
    assert form["DialCallStatus"] == "canceled"
    assert form["CallStatus"] == "completed"


async def test_moving_the_parent_asks_the_action_in_vain_and_drops_the_other_leg(
    world: Any,
) -> None:
    world.app.answers["/after"] = "<Response><Say>never said</Say></Response>"
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(world.ANNA))
    await call.timeline.until("bridged")
    await update(world, call.sid, "<Response><Say>moved</Say></Response>")
    form = await after(world, call)
    assert (form["DialCallStatus"], form["DialBridged"]) == ("completed", "true")
    assert call.children[0].status == "completed"
    assert [event.detail["text"] for event in call.timeline.find("say")] == ["moved"]


async def test_moving_the_parent_asks_a_redirect_that_follows_a_dial_without_action(
    world: Any,
) -> None:
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(
        f"<Response><Dial>{world.ANNA}</Dial><Redirect>/later</Redirect></Response>"
    )
    await call.timeline.until("bridged")
    await update(world, call.sid, "<Response><Hangup/></Response>")
    await world.app.form("/later")
    await call.ended()


async def test_moving_the_dialled_leg_ends_the_dial_without_a_duration(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(world.ANNA))
    await call.timeline.until("bridged")
    child = call.children[0]
    await update(world, child.sid, "<Response><Say>elsewhere</Say></Response>")
    form = await after(world, call)
    assert form["DialCallStatus"] == "completed"
    assert "DialCallDuration" not in form
    await child.ended()
    assert call.timeline.find("say", child.sid)


async def test_star_drops_the_human_and_the_caller_goes_on(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.wait_for("bridged")
        await line.press("*")

    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(world.ANNA, 'hangupOnStar="true"'), caller)
    assert (await after(world, call))["DialBridged"] == "true"


async def test_the_time_limit_ends_the_bridge(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(world.ANNA, 'timeLimit="2"'))
    assert (await after(world, call))["DialCallDuration"] == "2"


async def test_the_callee_may_ring_before_the_caller_is_answered(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human(1.0)
    call = await world.call(dial(world.ANNA, 'answerOnBridge="true"'))
    await call.timeline.until("ringing", call.legs[-1].sid)
    assert call.status == "ringing"
    await call.timeline.until("bridged")
    assert call.status == "in-progress"
    assert call.timeline.find("answered", call.sid)[0].at == pytest.approx(1.0)


async def test_each_dialled_leg_reports_its_own_status(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.busy()
    inner = (
        f'<Number statusCallback="/leg" statusCallbackEvent="initiated ringing completed">'
        f"{world.ANNA}</Number>"
    )
    call = await world.call(dial(inner))
    await after(world, call)
    await world.app.form("/leg", 2)
    forms = sorted(world.app.forms("/leg"), key=lambda form: int(form["SequenceNumber"]))
    assert [form["CallStatus"] for form in forms] == ["initiated", "ringing", "busy"]
    assert {form["ParentCallSid"] for form in forms} == {call.sid}
    assert {form["Direction"] for form in forms} == {"outbound-dial"}


@pytest.mark.parametrize(
    ("inner", "attributes", "code"),
    [
        ("<Number>+15550100002</Number>", 'callerId="+15550109999"', 13214),
        ("<Number>anna</Number>", "", 13223),
        ("<Sip>desk</Sip>", "", 13243),
        ("<Number>+15550100002</Number>" * 11, "", 12200),
        ("", "", 12200),
    ],
)
async def test_what_cannot_be_dialled_is_noticed_and_fails(
    world: Any, inner: str, attributes: str, code: int
) -> None:
    world.carrier.humans[world.ANNA] = Human.busy()
    call = await world.call(dial(inner, attributes))
    form = await after(world, call)
    assert world.carrier.alerts.codes() == [code]
    assert form["DialCallStatus"] in ("failed", "busy")
    told = code if code in (13214, 13223, 13243) else None
    assert form.get("ErrorCode") == (str(told) if told else None)
    assert bool(form.get("ErrorMessage")) is bool(told)


async def test_after_a_sip_call_only_own_numbers_may_be_shown(world: Any) -> None:
    world.app.answers["/voice"] = dial(world.ANNA, f'callerId="{world.LINE}"')
    world.carrier.humans[world.ANNA] = Human.busy()
    for caller_id, codes in ((world.LINE, []), ("sip:a@example.test", [13214])):
        world.app.answers["/voice"] = dial(world.ANNA, f'callerId="{caller_id}"')
        call = await world.carrier.place_call(from_="sip:a@example.test", to=world.LINE)
        await call.ended()
        assert world.carrier.alerts.codes() == codes


async def test_a_dialled_leg_cannot_dial(world: Any) -> None:
    world.app.answers["/screen"] = dial(world.BERT)
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    assert (await after(world, call))["DialBridged"] == "false"
    assert world.carrier.alerts.codes() == [13201]


async def test_a_whisper_that_cannot_be_had_declines(world: Any) -> None:
    world.app.answers["/screen"] = Response("", 500)
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    form = await after(world, call)
    assert (form["DialCallStatus"], form["DialBridged"]) == ("completed", "false")
    assert world.carrier.alerts.codes() == [11200]


async def test_a_human_who_hangs_up_in_the_whisper_is_not_bridged(world: Any) -> None:
    async def anna(line: Line) -> None:
        await line.wait_for("say")
        await line.hang_up()

    world.app.answers["/screen"] = "<Response><Say>about billing</Say></Response>"
    world.carrier.humans[world.ANNA] = Human(0.5, anna)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    assert (await after(world, call))["DialBridged"] == "false"


async def test_moving_a_leg_during_its_whisper_takes_it_out_of_the_dial(world: Any) -> None:
    world.app.answers["/screen"] = "<Response><Pause length='60'/></Response>"
    world.carrier.humans[world.ANNA] = Human(0.5)
    call = await world.call(dial(f'<Number url="/screen">{world.ANNA}</Number>'))
    await call.timeline.until("whisper")
    child = call.children[0]
    await update(world, child.sid, "<Response><Say>elsewhere</Say></Response>")
    assert (await after(world, call))["DialBridged"] == "false"
    await child.ended()
    assert call.timeline.find("say", child.sid)


async def test_a_client_may_be_named_by_an_identity_element(world: Any) -> None:
    world.carrier.humans["client:anna"] = Human.busy()
    call = await world.call(dial("<Client><Identity>anna</Identity></Client>"))
    assert (await after(world, call))["DialCallStatus"] == "busy"
    assert call.children[0].about.to == "client:anna"
    assert not world.carrier.alerts


async def test_a_ringing_leg_can_be_canceled_by_rest(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.no_answer()
    call = await world.call(dial(world.ANNA))
    ringing = await call.timeline.until("ringing", count=2)
    auth = (world.carrier.account_sid, world.carrier.auth_token)
    url = f"{world.carrier.api_url}/2010-04-01/Accounts/{auth[0]}/Calls/{ringing.call_sid}.json"
    async with httpx.AsyncClient(auth=auth, trust_env=False) as client:
        assert (await client.post(url, data={"Status": "completed"})).status_code == 200
    assert (await after(world, call))["DialCallStatus"] == "canceled"


async def test_nobody_at_a_number_is_a_failed_call(world: Any) -> None:
    call = await world.call(dial(world.BERT))
    assert (await after(world, call))["DialCallStatus"] == "failed"
