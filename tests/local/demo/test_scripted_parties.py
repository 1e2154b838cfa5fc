"""The parties of the demo on the stand-in carrier, with no agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hookflash_local.carrier import Line, StandinCarrier
from hookflash_local.carrier.media.sounds import voice_pattern
from hookflash_local.demo import scripted_parties


@pytest.fixture
async def carrier() -> AsyncIterator[StandinCarrier]:
    async with StandinCarrier() as carrier:
        yield carrier


def phone(carrier: StandinCarrier) -> Line:
    """A telephone that was picked up and hears nothing yet."""
    leg = carrier.exchange.new_leg("+15550100009", "+15550100001", "inbound")
    leg.answer()
    return carrier.line(leg)


async def test_a_turn_is_heard_to_its_end(carrier: StandinCarrier) -> None:
    near, far = phone(carrier), phone(carrier)
    near.leg.listen_to(far.leg.inbound_audio)
    began = near.now
    spoken = voice_pattern("the quick brown fox jumps over the lazy dog")
    far.send(spoken)
    await scripted_parties.hear_to_the_end(near)
    assert 1.3 <= near.now - began - len(spoken) / 8000 < 1.4


async def test_nobody_waits_for_ever_for_somebody_who_does_not_speak(
    carrier: StandinCarrier,
) -> None:
    near = phone(carrier)
    began = near.now
    await scripted_parties.hear_to_the_end(near)
    assert near.now - began == pytest.approx(15.0)


async def test_without_a_hand_off_there_is_no_human(carrier: StandinCarrier) -> None:
    near, far = phone(carrier), phone(carrier)
    near.leg.listen_to(far.leg.inbound_audio)
    far.send(voice_pattern("we are open from nine"))
    assert not await scripted_parties.reached_human(near)


async def test_a_human_is_reached_as_soon_as_both_are_bridged(carrier: StandinCarrier) -> None:
    near = phone(carrier)
    near.leg.note("bridged", with_="CAhuman")
    began = near.now
    assert await scripted_parties.reached_human(near)
    assert near.now == began


async def test_a_call_to_a_human_that_is_a_call_of_its_own_is_waited_for(
    carrier: StandinCarrier,
) -> None:
    near = phone(carrier)
    near.leg.note(scripted_parties.HUMAN_RINGS)
    reached = asyncio.ensure_future(scripted_parties.reached_human(near))
    await near.pause(20.0)
    assert not reached.done(), "the agent says nothing, but a telephone rings"
    near.leg.note("conference-joined")
    assert await reached


async def test_a_human_hears_the_whisper_out_and_takes_the_call(carrier: StandinCarrier) -> None:
    near, whispering = phone(carrier), phone(carrier)
    near.leg.listen_to(whispering.leg.inbound_audio)
    pressed = near.leg.timeline.until("digit", near.leg.sid)
    human = asyncio.ensure_future(scripted_parties.demo_human(near))
    near.leg.note("gathering")
    whisper = voice_pattern("ben is on the line about a refund")
    whispering.send(whisper)
    digit = await pressed
    assert digit.detail == {"digit": "1"}
    assert 1.3 <= digit.at - len(whisper) / 8000 < 1.4
    said = near.leg.inbound_audio.segments(carrier.now())
    assert not said, "nothing is said before both are connected"
    near.leg.note("bridged")
    await human
    assert near.leg.inbound_audio.segments(carrier.now())


def test_humans_do_what_was_chosen() -> None:
    outcomes = [scripted_parties.human(each).outcome for each in ("answers", "busy", "no-answer")]
    assert outcomes == ["answers", "busy", "no-answer"]


@pytest.mark.parametrize("name", ["caller-hours", "caller-bye", "human-hello", "human-done"])
def test_the_recordings_are_there(name: str) -> None:
    assert len(scripted_parties.sound(name)) > 8000
