"""Callers who say nothing, or make sounds that are no words: silence, coughs, music, machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash import Agent
from hookflash_local.carrier import Leg, Line
from hookflash_local.carrier.media import sounds

from ...scenarios.conftest import Stage, open_stage, samples, shop
from .handoff_parts import (
    ANSWER,
    GREETING,
    STORY,
    WORDS,
    bursts,
    caller_says,
    greeted,
    hears,
    request,
    say,
    script_agent,
    whole_call,
)

STORY_MS = 6000


def an_agent(**about) -> Agent:
    """An agent with settings that it may not have yet."""
    return Agent("shop", instructions="We sell bicycles.", greeting="Hello.", **about)


def ended_by_the_line(call: Leg) -> bool:
    """Whether it was not the caller who hung up."""
    (end,) = call.timeline.find("ended", call.sid)
    return end.detail["by"] != "party"


# --- a caller who says nothing ----------------------------------------------------------------


def silent_caller(seconds: float):
    async def script(line: Line) -> None:
        await greeted(line)
        await line.pause(seconds)
        await line.hang_up()

    return script


async def test_a_caller_who_says_nothing_for_90_seconds_is_asked_twice_and_hears_a_goodbye(
    tmp_path: Path,
):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)
        call, record = await whole_call(s, silent_caller(110.0))
        assert ended_by_the_line(call)
        heard = call.recording().heard
        assert len(heard) <= 100 * 8000
        greeting, first, second, goodbye = bursts(heard)
        pauses = [first[0] - greeting[1], second[0] - first[1], goodbye[0] - second[1]]
        assert min(pauses) >= 5.0
        assert record.disposition != "handed_off"


async def test_an_owner_says_after_how_many_seconds_a_silent_caller_is_asked(tmp_path: Path):
    async with open_stage(tmp_path, an_agent(away_timeout=10.0)) as s:
        script_agent(s)
        call, _ = await whole_call(s, silent_caller(60.0))
        assert ended_by_the_line(call)
        greeting, first, *_ = bursts(call.recording().heard)
        assert 9.0 <= first[0] - greeting[1] <= 12.0


async def test_a_silent_caller_who_answers_when_asked_is_not_let_go(tmp_path: Path):
    async with open_stage(tmp_path, an_agent(away_timeout=10.0)) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            for _ in range(4):
                await line.wait_for_sound()
                await line.wait_for_silence(1.0)
                await caller_says(s, line, "I am still here.", 900)
                await line.wait_for_sound()
                await line.wait_for_silence(1.0)
            await line.hang_up()

        call, record = await whole_call(s, script)
        assert not ended_by_the_line(call)
        heard = call.recording().heard
        assert len(heard) >= 30 * 8000
        assert len(bursts(heard)) == 4
        assert record.disposition == "handled_by_agent"


# --- sounds that are no words -----------------------------------------------------------------


def listening_agent() -> Agent:
    """An agent that goes on when what has interrupted it was nothing."""
    from hookflash import Interruption

    interruption = Interruption(
        mode="vad",
        min_duration=0.6,
        resume_false_interruption=True,
        false_interruption_timeout=1.5,
    )
    return an_agent(interruption=interruption)


def script_story(s: Stage) -> None:
    """The first answer of the agent is a long one."""

    def untold(kind: str) -> bool:
        return not any(WORDS[STORY] in str(entry.item) for entry in s.model.items.values())

    s.model.on("response.create", [say(GREETING, 800)], where=request(GREETING))
    s.model.on("response.create", [say(STORY, STORY_MS)], where={"type": untold})
    script_agent(s)


def interrupts(s: Stage, text: str, ms: int):
    """A caller who asks something and makes a sound two seconds into the answer."""

    async def script(line: Line) -> None:
        await greeted(line)
        await caller_says(s, line, "Do you repair bicycles?", 800, answer=say(STORY, STORY_MS))
        await hears(line, STORY, 2000, within=10)
        await caller_says(s, line, text, ms)
        await line.pause(12.0)
        await line.hang_up()

    return script


NOTHING = {
    "noise": ("", 150),
    "cough": ("", 450),
    "long cough": ("", 900),
    "mm-hm": ("Mm-hm.", 500),
}


@pytest.mark.parametrize(("text", "ms"), NOTHING.values(), ids=NOTHING.keys())
async def test_an_agent_goes_on_where_it_was_after_a_sound_that_was_no_interruption(
    tmp_path: Path, text, ms
):
    async with open_stage(tmp_path, listening_agent()) as s:
        script_story(s)
        call, _ = await whole_call(s, interrupts(s, text, ms))
        heard = call.recording().heard
        assert abs(samples(heard, STORY) / 8 - STORY_MS) <= 300
        assert samples(heard, ANSWER) == 0


async def test_an_agent_that_is_really_interrupted_leaves_its_answer_and_listens(tmp_path: Path):
    async with open_stage(tmp_path, an_agent()) as s:
        script_story(s)
        call, _ = await whole_call(s, interrupts(s, "No, I mean cars.", 1200))
        heard = call.recording().heard
        assert 1900 * 8 <= samples(heard, STORY) <= 3500 * 8
        assert samples(heard, ANSWER) == 900 * 8


# --- nobody at the caller's end ---------------------------------------------------------------

PATIENCE_SECONDS = 240.0


async def test_a_call_at_whose_other_end_only_music_plays_is_ended(tmp_path: Path):
    """Turn detection takes the music for speech that does not end."""
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform(["speech_started"])
            until = line.now + PATIENCE_SECONDS
            while line.now < until:
                await line.play(sounds.hold_music())
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=PATIENCE_SECONDS + 20)
        assert ended_by_the_line(call)
        assert record.disposition != "handed_off"


async def test_a_call_at_whose_other_end_a_recorded_queue_speaks_is_ended(tmp_path: Path):
    """Every twelve seconds the same words, with music in between that is taken for nothing."""
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)
        words = "Your call is important to us. Please hold the line."

        async def script(line: Line) -> None:
            await greeted(line)
            until = line.now + PATIENCE_SECONDS
            while line.now < until:
                await caller_says(s, line, words, 3000)
                for _ in range(4):
                    await line.play(sounds.hold_music())
            await line.hang_up()

        call, record = await whole_call(s, script, seconds=PATIENCE_SECONDS + 20)
        assert ended_by_the_line(call)
        assert record.disposition != "handed_off"
