"""`<Refer>`: SIP callers are sent elsewhere by their own device."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.carrier import Human, Leg

DESK = "sip:desk@example.test"
CALLER = "sip:anna@phones.example.test"


async def referred(world: Any, target: str = DESK, **more: Any) -> Leg:
    text = f'<Response><Refer action="/after"><Sip>{target}</Sip></Refer></Response>'
    world.app.answers["/voice"] = text
    call: Leg = await world.carrier.place_call(from_=CALLER, to=world.LINE, **more)
    return call


@pytest.mark.parametrize(
    ("human", "status", "code"),
    [
        (Human(0.5), "in-progress", "200"),
        (Human.busy(), "busy", "486"),
        (Human.fails(), "failed", "500"),
        (Human.no_answer(), "no-answer", "480"),
        (None, "failed", "404"),
    ],
)
async def test_what_became_of_the_referred_call_is_told(
    world: Any, human: Human | None, status: str, code: str
) -> None:
    if human is not None:
        world.carrier.humans[DESK] = human
    call = await referred(world, f"{DESK}?X-Reason=billing")
    form = await world.app.form("/after")
    await call.ended()
    assert form["ReferCallStatus"] == status
    assert form["ReferSipResponseCode"] == "202"
    assert form["NotifySipResponseCode"] == code
    assert form["CallStatus"] == "in-progress"
    assert not world.carrier.alerts


async def test_after_success_the_device_hangs_up_and_after_failure_the_call_goes_on(
    world: Any,
) -> None:
    world.app.answers["/after"] = '<Response><Say>still here</Say><Pause length="9"/></Response>'
    world.carrier.humans[DESK] = Human(0.5)
    call = await referred(world)
    await call.ended()
    assert call.timeline.find("ended")[0].detail["by"] == "party"
    world.carrier.humans[DESK] = Human.busy()
    call = await referred(world)
    await call.ended()
    assert call.timeline.find("ended")[0].detail["by"] == "twiml"


async def test_a_device_may_refuse(world: Any) -> None:
    call = await referred(world, refer_answer="405")
    form = await world.app.form("/after")
    await call.ended()
    assert (form["ReferCallStatus"], form["ReferSipResponseCode"]) == ("failed", "405")
    assert "NotifySipResponseCode" not in form


async def test_the_caller_gone_in_between_is_canceled(world: Any) -> None:
    world.carrier.humans[DESK] = Human(60.0)
    call = await referred(world)
    await call.timeline.until("referring")
    await world.carrier.line(call).hang_up()
    form = await world.app.form("/after")
    assert (form["ReferCallStatus"], form["NotifySipResponseCode"]) == ("canceled", "180")


async def test_only_sip_callers_can_be_referred(world: Any) -> None:
    text = f'<Response><Refer action="/after"><Sip>{DESK}</Sip></Refer><Say>no</Say></Response>'
    call = await world.call(text)
    await call.ended()
    assert world.carrier.alerts.codes() == [13801]
    assert world.app.forms("/after") == []
    assert call.timeline.find("say")


@pytest.mark.parametrize(
    ("inner", "code"),
    [("<Sip>desk</Sip>", 13243), (f"<Sip>{DESK}</Sip>" * 2, 12200)],
)
async def test_a_wrong_target_is_alerted(world: Any, inner: str, code: int) -> None:
    world.app.answers["/voice"] = f"<Response><Refer>{inner}</Refer></Response>"
    call = await world.carrier.place_call(from_=CALLER, to=world.LINE)
    await call.ended()
    assert world.carrier.alerts.codes() == [code]
