"""The parties of the demo on the stand-in carrier, with no agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hookflash.replay.timeline import JournalReader, Stage
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


def progress(*stages: str) -> scripted_parties.CallProgress:
    """The progress of a call that is in the last of these stages."""
    reader = JournalReader()
    reader.timeline.stages = [Stage(name, 0.0, 0.0) for name in stages]
    return scripted_parties.CallProgress(reader)


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
    assert not await scripted_parties.reached_human(near, progress())


async def test_a_human_is_reached_as_soon_as_both_are_bridged(carrier: StandinCarrier) -> None:
    near = phone(carrier)
    near.leg.note("bridged", with_="CAhuman")
    began = near.now
    assert await scripted_parties.reached_human(near, progress())
    assert near.now == began


async def test_a_call_to_a_human_that_is_a_call_of_its_own_is_waited_for(
    carrier: StandinCarrier,
) -> None:
    near = phone(carrier)
    near.leg.note(scripted_parties.HUMAN_RINGS)
    reached = asyncio.ensure_future(scripted_parties.reached_human(near, progress("ringing")))
    await near.pause(200.0)
    assert not reached.done(), "the agent says nothing, but a telephone rings"
    near.leg.note("conference-joined")
    assert await reached


async def test_a_caller_waits_no_longer_when_nobody_was_reached(carrier: StandinCarrier) -> None:
    near = phone(carrier)
    call = progress("ringing")
    reached = asyncio.ensure_future(scripted_parties.reached_human(near, call))
    await near.pause(20.0)
    assert not reached.done() and call.handing_off
    call._reader.timeline.stages.append(Stage("talking", 20.0, 20.0))
    await near.pause(20.0)
    assert reached.done() and not reached.result()


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("On which number may they call you back?", "You can call me back on five five five"),
        ("What number can we call you on?", "You can call me back on"),
        ("I have the number 5 5 5. Is that right?", "Yes, that is right."),
        ("That is arranged. Is there anything else I can do for you?", "No, thank you. Goodbye."),
        ("Good day. What is it about?", "It is about my order."),
        ("We are open from nine.", None),
    ],
)
def test_a_caller_answers_what_an_agent_asks(question: str, answer: str | None) -> None:
    told = scripted_parties.answer_to(question)
    assert told is None if answer is None else (told or "").startswith(answer)


def test_a_call_that_takes_too_long_says_what_it_waits_for() -> None:
    assert progress("ringing").waits_for() == "a human to answer"
    assert progress().waits_for() == "the server to answer the call"
    assert progress("dancing").waits_for() == "the stage 'dancing' to end"
    assert progress().agent_words == ""


async def test_a_human_in_a_consult_hears_the_agent_out_and_asks_for_the_caller(
    carrier: StandinCarrier,
) -> None:
    near, agent = phone(carrier), phone(carrier)
    near.leg.listen_to(agent.leg.inbound_audio)
    human = asyncio.ensure_future(scripted_parties.demo_human(near))
    near.leg.note("stream-started")
    agent.send(voice_pattern("a caller asks for you about a refund"))
    said = await near.leg.timeline.until("party-says", near.leg.sid)
    assert said.detail == {"text": "Yes, please put them through."}
    near.leg.note("conference-joined")
    await human


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
