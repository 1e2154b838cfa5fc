"""The model falls silent: it does not answer a turn, stops in a sentence, or never ends one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash_local.carrier import Line

from ...scenarios.conftest import Stage, open_stage, shop
from .model_parts import (
    ANSWER,
    ANSWER_MS,
    CALLER,
    STORY,
    SetUpFailed,
    act,
    assert_answered,
    hear_all,
    hear_answer_and_hang_up,
    hear_greeting,
    heard_ms,
    ignore,
    owe,
    say,
    script_agent,
    script_answers,
    speak,
    stop_speaking,
    whole_call,
)

# --- no answer begins -------------------------------------------------------------------------


async def test_a_turn_that_the_model_does_not_answer_is_answered_on_request(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await speak(s, line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)


async def test_a_second_turn_that_the_model_does_not_answer_is_answered_on_request(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await speak(s, line, "hello?", answer=[say("yes", 700, STORY)])
            await hear_all(line, STORY, 700)
            await line.pause(0.5)
            await speak(s, line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert heard_ms(call, STORY) == 700
        assert_answered(call)


async def test_a_turn_whose_end_the_model_never_detects_is_answered(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await act(s, ["speech_started"])
            await line.play(bytes([CALLER]) * 800 * 8)
            owe(line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)


# --- a sentence stops -------------------------------------------------------------------------


@pytest.mark.parametrize("ms", [400, 1000])
@pytest.mark.parametrize("item_ends", [False, True], ids=["in an item", "after an item"])
async def test_an_answer_that_stops_after_its_first_sound_is_given_again(
    tmp_path: Path, ms: int, item_ends: bool
):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            if item_ends:
                story = say("story", ms, STORY, rate=1, done=False)
            else:
                story = say("story", 9000, STORY, rate=1, wait=False)
            await speak(s, line, answer=[story])
            if not item_ends:
                await hear_all(line, STORY, ms - 250)
                await stop_speaking(s.model.session, ms)
            await hear_all(line, STORY, ms)
            owe(line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert heard_ms(call, STORY) == ms
        assert_answered(call)


async def test_a_response_that_makes_no_sound_after_it_began_is_replaced(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await speak(s, line, answer=[])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)


# --- a response does not end ------------------------------------------------------------------


async def interrupt_a_story(s: Stage, line: Line) -> None:
    """Let the model tell a story, and speak over it; the turn has not ended yet."""
    story = say("story", 9000, STORY, rate=1, wait=False)
    await speak(s, line, "tell me a story", answer=[story])
    await hear_all(line, STORY, 1500)


async def test_a_turn_after_a_cancelled_response_whose_end_is_never_told_is_answered(
    tmp_path: Path,
):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            ignore(s.model.session, "response.cancel", but_do=True)
            await interrupt_a_story(s, line)
            answer = say("answer", ANSWER_MS, ANSWER)
            await speak(s, line, "stop, where is my order?", answer=[answer])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert 1500 <= heard_ms(call, STORY) < 2500
        assert_answered(call)


@pytest.mark.parametrize("answers", [True, False], ids=["cancelled untold", "not cancelled"])
async def test_a_turn_is_answered_although_the_cancelled_response_hangs(
    tmp_path: Path, answers: bool
):
    """The session obeys the cancellation without a word, or not at all; and does not answer the
    turn by itself."""
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await interrupt_a_story(s, line)
            ignore(s.model.session, "response.cancel", but_do=answers)
            if not answers:
                await stop_speaking(s.model.session)
            await speak(s, line, "stop, where is my order?")
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert 1500 <= heard_ms(call, STORY) < 2500
        assert_answered(call)


# --- the greeting -----------------------------------------------------------------------------


async def test_a_greeting_that_begins_and_makes_no_sound_is_asked_for_again(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        s.model.on("response.create", [], times=1)
        script_answers(s)
        call = await whole_call(s, hear_answer_and_hang_up)
        assert_answered(call)


async def test_a_greeting_that_the_model_does_not_begin_is_asked_for_again(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_answers(s)

        async def script(line: Line) -> None:
            if not s.model.server.sessions:
                raise SetUpFailed("no session was opened before the call was answered")
            first = s.model.session
            ignore(first, "response.create")
            await hear_answer_and_hang_up(line)
            if first.conversation.responses:
                raise SetUpFailed("the first session was asked before it was told to ignore that")

        call = await whole_call(s, script)
        assert_answered(call)
