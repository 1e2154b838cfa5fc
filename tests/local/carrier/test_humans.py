"""The makers of humans, on a call made by REST with a whisper; and what a script can ask."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash import g711
from hookflash_local.carrier import Human, Leg, Line
from hookflash_local.carrier.media import sounds

from .rest_parts import create

WHISPER = "a caller about an invoice press one to accept"


def whisper(world: Any) -> str:
    return (
        f'<Response><Gather numDigits="1" action="{world.ORIGIN}/keys" timeout="4">'
        f"<Say>{WHISPER}</Say></Gather><Hangup/></Response>"
    )


async def screened(world: Any, human: Human) -> Leg:
    """Let `human` hear the whisper; both keys lead to a silence of their own."""
    world.carrier.humans[world.ANNA] = human
    world.app.answers["/keys"] = "<Response><Pause length='3'/></Response>"
    call = await create(world, Twiml=whisper(world))
    await call.ended()
    assert not world.carrier.alerts
    return call


@pytest.mark.parametrize(("human", "key"), [(Human.accepts(), "1"), (Human.declines(), "2")])
async def test_who_listens_to_the_end_presses_after_the_whisper(
    world: Any, human: Human, key: str
) -> None:
    call = await screened(world, human)
    assert world.app.forms("/keys")[0]["Digits"] == key
    heard, said = call.recording().heard, call.recording().said
    assert sounds.voice_pattern(WHISPER) in heard
    assert sounds.voice_pattern("hello") in said


async def test_who_is_in_a_hurry_presses_during_the_whisper(world: Any) -> None:
    call = await screened(world, Human.accepts(after_seconds=1.0, hello=""))
    pressed = call.timeline.find("digit")[0].at - call.timeline.find("answered")[0].at
    assert pressed == pytest.approx(1.0, abs=0.021)
    assert sounds.voice_pattern(WHISPER) not in call.recording().heard
    assert world.app.forms("/keys")[0]["Digits"] == "1"


async def test_who_hangs_up_in_the_whisper_has_heard_some_of_it(world: Any) -> None:
    call = await screened(world, Human.hangs_up())
    assert call.timeline.find("ended")[0].detail["by"] == "party"
    heard = call.recording().heard
    assert sounds.is_sound(heard[-1600:]) and sounds.voice_pattern(WHISPER) not in heard
    assert world.app.forms("/keys") == []


@pytest.mark.parametrize("human", [Human.ignores(), Human.mailbox(0.5), Human.fax(0.5)])
async def test_who_presses_nothing_hears_the_whisper_out(world: Any, human: Human) -> None:
    call = await screened(world, human)
    assert world.app.forms("/keys") == []
    assert call.timeline.find("gathered")[0].detail == {"digits": ""}
    assert call.timeline.find("ended")[0].detail["by"] == "twiml"


async def test_sentences_are_said_one_after_another(world: Any) -> None:
    call = await screened(world, Human.says("hello", "who is there", pause=0.5))
    said = call.recording().said
    first, second = sounds.voice_pattern("hello"), sounds.voice_pattern("who is there")
    assert said.index(second) - said.index(first) - len(first) >= 3900


async def test_after_accepting_a_human_goes_on_once_they_are_connected(world: Any) -> None:
    async def talk(line: Line) -> None:
        await line.say("this is anna")
        await line.hang_up()

    world.carrier.humans[world.ANNA] = Human.accepts(0.5, then=talk)
    world.app.answers["/screen"] = whisper(world)
    world.app.answers["/keys"] = "<Response/>"
    inner = f'<Number url="/screen">{world.ANNA}</Number>'
    call = await world.call(f"<Response><Dial>{inner}</Dial></Response>")
    await call.ended()
    assert sounds.voice_pattern("this is anna") in call.recording().heard


async def test_a_script_can_ask_what_it_heard(world: Any) -> None:
    asked: dict[str, Any] = {}

    async def caller(line: Line) -> None:
        await line.wait_to_hear("good morning")
        asked["at"] = line.since_answer
        asked["heard"] = [await line.has_heard(text) for text in ("good morning", "good night")]
        await line.wait_to_hear("good morning")
        asked["samples"] = line.samples()
        asked["last"] = line.samples(since=0.5)
        await line.hang_up()

    words = '<Say>one</Say><Pause length="1"/><Say>good morning</Say><Pause length="60"/>'
    call = await world.call(f"<Response>{words}</Response>", caller)
    await call.ended()
    whole = g711.decode(call.recording().heard)
    assert asked["heard"] == [True, False]
    spoken = sum(len(sounds.voice_pattern(text)) for text in ("one", "good morning")) / 8000
    assert asked["at"] == pytest.approx(1.0 + spoken, abs=0.021)
    assert whole[: len(asked["samples"])] == asked["samples"]
    assert len(asked["last"]) == len(asked["samples"]) - 4000
