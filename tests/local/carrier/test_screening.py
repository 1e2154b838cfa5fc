"""`<Dial>` with a screening url: accepted, declined, hung up, ignored; one or several at once."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.carrier import Human, Leg, Line
from hookflash_local.carrier.media import sounds

WHISPER = "a caller about an invoice"
SCREEN = (
    '<Response><Gather numDigits="1" action="/key" timeout="8"><Say>'
    + WHISPER
    + "</Say></Gather><Hangup/></Response>"
)


def key(form: dict[str, str]) -> str:
    return "<Response/>" if form["Digits"] == "1" else "<Response><Hangup/></Response>"


async def dialled(world: Any, inner: str, script: Any = None, attributes: str = "") -> Leg:
    world.app.answers |= {"/screen": SCREEN, "/key": key}
    text = f'<Response><Dial action="/after" {attributes}>{inner}</Dial></Response>'
    call: Leg = await world.call(text, script)
    return call


def noun(kind: str, address: str) -> str:
    return f'<{kind} url="/screen">{address}</{kind}>'


TARGETS = [
    ("Number", "+15550100002", "+15550100002"),
    ("Client", "anna", "client:anna"),
    ("Sip", "sip:anna@example.test", "sip:anna@example.test"),
]


@pytest.mark.parametrize(("kind", "address", "key_of"), TARGETS)
async def test_pressing_1_connects_whatever_rang(
    world: Any, kind: str, address: str, key_of: str
) -> None:
    async def talk(line: Line) -> None:
        await line.say("how can i help")
        await line.hang_up()

    world.carrier.humans[key_of] = Human.accepts(0.5, then=talk)
    call = await dialled(world, noun(kind, address))
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["DialBridged"]) == ("completed", "true")
    heard = call.recording().heard
    assert sounds.voice_pattern("how can i help") in heard
    assert sounds.voice_pattern(WHISPER) not in heard
    assert not world.carrier.alerts


@pytest.mark.parametrize(
    "human",
    [
        Human.declines(0.5),
        Human.hangs_up(0.5),
        Human.ignores(0.5),
        Human.mailbox(0.5),
    ],
)
async def test_whoever_does_not_accept_is_completed_but_not_bridged(
    world: Any, human: Human
) -> None:
    world.carrier.humans[world.ANNA] = human
    call = await dialled(world, noun("Number", world.ANNA))
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["DialBridged"]) == ("completed", "false")
    assert form["DialCallSid"] == call.children[0].sid
    assert not call.timeline.find("bridged")
    assert not world.carrier.alerts


async def test_the_first_to_finish_the_screening_wins_though_another_answered_first(
    worlds: Any,
) -> None:
    world = await worlds()

    async def talk(line: Line) -> None:
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human.accepts(0.2, after_seconds=60.0)
    world.carrier.humans["client:bert"] = Human.accepts(3.0, then=talk)
    world.carrier.humans["sip:carl@example.test"] = Human.no_answer()
    world.carrier.humans[world.BERT] = Human.declines(0.2)
    inner = (
        noun("Number", world.ANNA)
        + noun("Client", "bert")
        + noun("Sip", "sip:carl@example.test")
        + noun("Number", world.BERT)
    )
    call = await dialled(world, inner)
    form = await world.app.form("/after")
    await call.ended()
    anna, bert, carl, declined = call.children
    assert (form["DialCallSid"], form["DialBridged"]) == (bert.sid, "true")
    assert [leg.status for leg in call.children] == [
        "completed",
        "completed",
        "canceled",
        "completed",
    ]
    bridged = call.timeline.find("bridged", bert.sid)[0].at
    for loser in (anna, carl):
        assert call.timeline.find("ended", loser.sid)[0].detail["by"] == "dial"
        assert call.timeline.find("ended", loser.sid)[0].at >= bridged - 0.1
    assert call.timeline.find("ended", declined.sid)[0].detail["by"] == "twiml"
    assert not world.carrier.alerts


async def test_a_group_in_which_all_decline_reports_the_best_outcome(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.declines(0.2)
    world.carrier.humans["client:bert"] = Human.busy()
    call = await dialled(world, noun("Number", world.ANNA) + noun("Client", "bert"))
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallStatus"], form["DialBridged"]) == ("completed", "false")
    assert form["DialCallSid"] == call.children[0].sid


async def test_sequential_screening_goes_on_to_the_next_after_a_decline(world: Any) -> None:
    async def talk(line: Line) -> None:
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human.declines(0.2)
    world.carrier.humans["client:bert"] = Human.accepts(0.2, then=talk)
    inner = noun("Number", world.ANNA) + noun("Client", "bert")
    call = await dialled(world, inner, attributes='sequential="true"')
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialCallSid"], form["DialBridged"]) == (call.children[1].sid, "true")


async def test_the_caller_gone_ends_the_whisper_of_every_human(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.wait_for("gone")
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human.ignores(0.2)
    world.carrier.humans["client:bert"] = Human.ignores(0.2)
    inner = noun("Number", world.ANNA) + noun("Client", "bert")
    call = await dialled(world, inner, caller)
    await call.timeline.until("whisper", count=2)
    call.note("gone")
    form = await world.app.form("/after")
    await call.ended()
    assert (form["DialBridged"], form["CallStatus"]) == ("false", "completed")
    assert {leg.status for leg in call.children} == {"completed"}
    assert world.carrier.leftovers() == []


async def test_keys_are_sent_before_the_whisper(world: Any) -> None:
    world.carrier.humans[world.ANNA] = Human.declines(0.2)
    inner = f'<Number url="/screen" sendDigits="w12">{world.ANNA}</Number>'
    call = await dialled(world, inner)
    await call.ended()
    sent, whisper = call.timeline.find("send-digits")[0], call.timeline.find("whisper")[0]
    assert whisper.at - sent.at == pytest.approx(0.9)
    assert not world.carrier.alerts
