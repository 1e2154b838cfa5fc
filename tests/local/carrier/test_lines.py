"""Parties, their scripts, and the record of what they heard and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hookflash_local.carrier import Human, Line, StandinCarrier, says
from hookflash_local.carrier.media import sounds


def response(inner: str) -> str:
    return f"<Response>{inner}</Response>"


async def test_a_recording_is_a_script_and_the_party_stays_on_the_line(
    world: Any, tmp_path: Path
) -> None:
    (tmp_path / "hello.ulaw").write_bytes(b"\x10" * 1600)
    call = await world.call(response('<Say>one</Say><Pause length="2"/>'), tmp_path / "hello.ulaw")
    await call.ended()
    recording = call.recording()
    assert b"\x10" * 1600 in recording.said
    assert len(recording.said) == len(recording.heard)
    answered = call.timeline.find("answered")[0].at
    assert recording.answered_at == pytest.approx(answered, abs=0.02)
    assert call.timeline.find("ended")[0].detail["by"] == "twiml"


async def test_a_recording_may_hang_up_at_its_end(world: Any) -> None:
    script = says(b"\x10" * 1600, then_hang_up=True)
    call = await world.call(response('<Say>x</Say><Pause length="60"/>'), script)
    await call.ended()
    assert call.timeline.find("ended")[0].detail["by"] == "party"
    assert b"\x10" * 1600 in call.recording().said


async def test_waiting_for_sound_and_silence_follows_what_is_heard(world: Any) -> None:
    moments: dict[str, float] = {}

    async def caller(line: Line) -> None:
        await line.wait_for_sound()
        moments["sound"] = line.now
        await line.wait_for_silence(0.8)
        moments["silence"] = line.now
        await line.hang_up()

    call = await world.call(
        response('<Pause length="1"/><Say>a few words</Say><Pause length="60"/>'), caller
    )
    await call.ended()
    began = call.timeline.find("say")[0].at
    spoken = len(sounds.voice_pattern("a few words")) / 8000
    assert moments["sound"] >= began
    assert moments["silence"] >= began + spoken + 0.7


async def test_frames_go_in_and_out_as_a_browser_would_have_them(world: Any) -> None:
    heard: list[bytes] = []

    async def browser(line: Line) -> None:
        async for frame in line.frames():
            heard.append(frame)
            line.send(b"\x10" * 160)

    call = await world.call(response("<Say>hello</Say>"), browser)
    await call.ended()
    assert {len(frame) for frame in heard} == {160}
    assert b"".join(heard) in call.recording().heard
    assert b"\x10" * 320 in call.recording().said


async def test_a_callers_speech_is_written_on_the_timeline(world: Any) -> None:
    async def caller(line: Line) -> None:
        await line.say("good morning")
        await line.hang_up()

    call = await world.call(response('<Say>x</Say><Pause length="60"/>'), caller)
    await call.ended()
    assert call.timeline.find("party-says")[0].detail == {"text": "good morning"}
    assert sounds.voice_pattern("good morning") in call.recording().said
    assert "party-says text=good morning" in str(call.timeline.find("party-says")[0])


async def test_a_caller_who_hangs_up_while_it_rings_is_canceled(world: Any) -> None:
    call = await world.call(lambda form: response("<Say>late</Say>"))
    await world.carrier.line(call).hang_up()
    await call.ended()
    assert call.status == "canceled"
    assert not await call.answered()


async def test_a_mistake_in_a_script_hangs_up_and_is_raised_at_the_end() -> None:
    async def wrong(line: Line) -> None:
        raise ValueError("wrong script")

    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="wrong script")):
        async with StandinCarrier(speed=20) as carrier:
            carrier.humans["+15550100002"] = Human(0.1, wrong)
            await carrier.take_from_queue("q", "+15550100002")
            call = carrier.calls[0]
            await call.ended()
            assert call.timeline.find("ended")[0].detail["by"] == "script-error"


async def test_leaving_the_carrier_ends_every_call() -> None:
    async with StandinCarrier(speed=20) as carrier:
        carrier.humans["+15550100002"] = Human(0.1)
        call = await carrier.take_from_queue("q", "+15550100002")
        await call.answered()
        assert carrier.leftovers() == [f"leg {call.sid} (outbound-api) is in-progress"]
    assert carrier.leftovers() == []
    assert call.status == "completed"


def test_a_mailbox_greets_beeps_and_presses_nothing() -> None:
    human = Human.mailbox(2.0, b"\x10" * 8)
    assert human.answer_after == 2.0
    assert human.script == b"\x10" * 8 + sounds.beep()
    assert sounds.is_sound(sounds.beep())
