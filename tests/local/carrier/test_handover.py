"""A warm transfer played on the carrier alone: what each side hears, and for how long nothing."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.carrier import Human, Leg, Line
from hookflash_local.carrier.media import sounds

from .rest_parts import create, done, heard_for

TONE = sounds.tone((500.0,), 20_000)
WHISPER = "a caller about an invoice press one to take the call"


def longest_silence(heard: bytes) -> float:
    """Return the longest time without sound, in seconds."""
    longest = run = 0
    for at in range(0, len(heard) - 159, 160):
        run = 0 if sounds.is_sound(heard[at : at + 160]) else run + 1
        longest = max(longest, run)
    return longest * 0.02


def meeting(room: str, attributes: str = "") -> str:
    conference = f'<Conference beep="false" jitterBufferSize="small" {attributes}>{room}'
    return f"<Response><Dial>{conference}</Conference></Dial></Response>"


async def ring_anna(world: Any, human: Human) -> Leg:
    """Call ANNA with a whisper; her keys lead to `/key`."""
    world.carrier.humans[world.ANNA] = human
    world.app.answers["/whisper"] = (
        f'<Response><Gather numDigits="1" action="/key"><Say>{WHISPER}</Say></Gather></Response>'
    )
    form = {"Url": f"{world.ORIGIN}/whisper", "Twiml": ""}
    return await create(world, StatusCallback=f"{world.ORIGIN}/status", **form)


async def test_the_caller_stays_with_the_agent_until_both_meet_without_a_gap(
    worlds: Any,
) -> None:
    world = await worlds()

    async def talks(line: Line) -> None:
        while True:
            await line.play(b"\x10" * 800)

    call = await world.call(world.STREAM)
    media = await world.stream(call)
    await media.play(TONE)
    accepts = Human.accepts(0.5, after_seconds=1.5, then=talks)
    human = await ring_anna(world, accepts)
    world.app.answers["/key"] = meeting(call.sid, 'waitUrl="" endConferenceOnExit="true"')
    await human.timeline.until("joined")
    assert not media.over.is_set(), "the caller's leg has not moved before the human accepted"
    await create(world, call.sid, Twiml=meeting(call.sid, 'waitUrl=""'))
    await media.over.wait()
    await heard_for(call, 1.0)
    for leg in (call, human):
        assert leg.timeline.find("conference-joined", leg.sid)
    heard = call.recording().heard
    assert longest_silence(heard[heard.index(TONE[:800]) :]) <= 0.2
    assert sounds.voice_pattern(WHISPER)[:800] not in heard
    await world.carrier.line(human).hang_up()
    await call.ended()
    assert (await world.app.form("/status"))["CallStatus"] == "completed"
    assert world.carrier.leftovers() == [] and not world.carrier.alerts


async def test_a_human_can_be_briefed_over_a_stream_of_their_own(world: Any) -> None:
    call = await world.call(world.STREAM)
    first = await world.stream(call)
    world.carrier.humans[world.ANNA] = Human.says("what is it about", answer_after=0.2)
    human = await create(world, Twiml=world.STREAM.replace("/next", f"{world.ORIGIN}/next"))
    second = await world.stream(human)
    assert second.messages[1]["start"]["callSid"] == human.sid
    await second.play(b"\x10" * 800)
    await second.mark("told")
    await second.until("mark")
    await second.until("media", 100)
    assert not first.over.is_set()
    assert b"\x10" * 800 not in call.recording().heard
    await create(world, human.sid, Twiml="<Response><Hangup/></Response>")
    await human.ended()
    await world.carrier.line(call).hang_up()
    await call.ended()


@pytest.mark.parametrize("state", ["queued", "ringing", "answered", "joined"])
async def test_a_human_is_called_off_in_each_state(worlds: Any, state: str) -> None:
    world = await worlds(calls_per_second=0.05 if state == "queued" else 20.0)
    if state == "queued":
        await (await ring_anna(world, Human.busy(0.1))).ended()
    answers = Human.accepts(0.2, after_seconds=0.5) if state == "joined" else Human.ignores(0.2)
    world.app.answers["/key"] = meeting("desk")
    human = await ring_anna(world, Human.no_answer() if state == "ringing" else answers)
    if state != "queued":
        await human.timeline.until(state)
    await done(world, "POST", f"/Calls/{human.sid}.json", Status="completed")
    await human.ended()
    assert human.status == ("completed" if state in ("answered", "joined") else "canceled")
    await world.carrier.callbacks_sent()
    assert world.app.forms("/status")[-1]["CallStatus"] == human.status
    assert world.carrier.leftovers() == []
