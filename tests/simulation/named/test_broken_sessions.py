"""The session with the model is lost, cannot be had, or ends: the call goes on with another."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from hookflash_local.carrier import Human, Line

from ...scenarios.acts import said_on
from ...scenarios.conftest import DESK, Stage, open_stage, shop
from .model_parts import (
    ANSWER,
    ANSWER_MS,
    CALLER,
    COMPANY,
    GREETING,
    GREETING_MS,
    HUMAN,
    HUMAN_MS,
    STORY,
    SetUpFailed,
    act,
    assert_answered,
    assert_brought_to_human,
    assert_no_silence,
    hear,
    hear_all,
    hear_answer_and_hang_up,
    hear_greeting,
    heard_ms,
    model_connections,
    note_sessions,
    owe,
    say,
    script_agent,
    script_greeting,
    shop_without_humans,
    speak,
    staff_desk,
    stay,
    texts,
    whole_call,
)

# --- between a turn and its answer ------------------------------------------------------------


@pytest.mark.parametrize("network_ms", [0.0, 80.0], ids=["near", "far"])
async def test_a_session_that_dies_before_it_answers_leaves_the_answer_to_the_next(
    tmp_path: Path, network_ms: float
):
    async with open_stage(tmp_path, shop(), network_ms=network_ms) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await speak(s, line)
            await act(s, ["drop"])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)
        assert "where is my order?" in texts(s, "user")


async def test_a_session_that_dies_while_the_caller_speaks_leaves_the_answer_to_the_next(
    tmp_path: Path,
):
    """The turn has begun with one session and ends with none that knows of it."""
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            line.send(bytes([CALLER]) * 900 * 8)
            await act(s, ["speech_started", {"wait_ms": 600}, "drop"])
            await line.pause(0.3)
            owe(line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)


async def test_a_session_that_freezes_before_it_answers_is_replaced_and_answers(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            (connection,) = model_connections(s)
            await speak(s, line)
            await line.pause(0.1)
            connection.freeze()
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)


async def test_a_session_that_freezes_in_its_answer_is_replaced_and_answers(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            (connection,) = model_connections(s)
            story = say("story", 9000, STORY, rate=1, wait=False)
            await speak(s, line, answer=[story])
            await hear_all(line, STORY, 1000)
            connection.freeze()
            await line.wait_for_silence(0.2)
            owe(line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert 1000 <= heard_ms(call, STORY) <= 1300
        assert_answered(call)


# --- a session that is never ready ------------------------------------------------------------


@pytest.mark.parametrize("silent", ["session", "upgrade"])
async def test_a_model_that_never_says_a_word_leaves_the_caller_to_the_human(
    tmp_path: Path, silent: str
):
    async with open_stage(tmp_path, shop()) as s:
        s.model.faults.silent = silent
        staff_desk(s)
        call = await whole_call(s, stay)
        assert_brought_to_human(call)


@pytest.mark.parametrize("silent", ["session", "upgrade"])
async def test_a_model_that_never_says_a_word_and_no_human_leave_an_apology(
    tmp_path: Path, silent: str
):
    async with open_stage(tmp_path, shop_without_humans()) as s:
        s.model.faults.silent = silent
        call = await whole_call(s, stay)
        assert len(said_on(call)) == 1
        assert_no_silence(call)


# --- sessions that die one after another ------------------------------------------------------


def script_short_lives(s: Stage) -> None:
    """Each session makes 300 ms of sound and dies."""
    brief = say("brief", 300, STORY, rate=1, done=False)
    s.model.on("response.create", [brief, {"wait_ms": 100}, "drop"])


def assert_pauses_grow(opened: list[float]) -> None:
    assert len(opened) <= 10, f"{len(opened)} sessions in {opened[-1] - opened[0]:.0f} s"
    pauses = [later - earlier for earlier, later in pairwise(opened)]
    assert all(later >= earlier - 0.05 for earlier, later in pairwise(pauses))
    assert len(pauses) < 2 or pauses[-1] >= pauses[0] + 0.2


async def test_sessions_that_die_after_their_first_sound_end_with_the_human(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_short_lives(s)
        staff_desk(s)
        opened = note_sessions(s)
        call = await whole_call(s, stay_a_while)
        assert_pauses_grow(opened)
        assert_brought_to_human(call)


async def test_sessions_that_die_after_their_first_sound_end_with_an_apology(tmp_path: Path):
    async with open_stage(tmp_path, shop_without_humans()) as s:
        script_short_lives(s)
        opened = note_sessions(s)
        call = await whole_call(s, stay_a_while)
        assert_pauses_grow(opened)
        assert len(said_on(call)) == 1
        assert_no_silence(call)


async def stay_a_while(line: Line) -> None:
    await line.pause(40.0)
    await line.hang_up()


# --- lost while something else goes on --------------------------------------------------------


def tool_outputs(s: Stage) -> list[dict]:
    """Return the tool outputs that the newest session was given."""
    items = [entry.item for entry in s.model.items.values()]
    return [item for item in items if item["type"] == "function_call_output"]


async def ask_for_a_human_and_lose_the_model(s: Stage, line: Line) -> None:
    await hear_greeting(line)
    arguments = {"destination": "desk", "reason": "a refund", "summary": "Order 7 is late."}
    tool = {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}
    await speak(s, line, "a person please", answer=[tool])
    await line.pause(0.3)
    if tool_outputs(s):
        raise SetUpFailed("the tool was answered before the session was lost")
    await act(s, ["drop"])
    owe(line)


async def test_a_new_session_is_told_that_a_human_is_rung_and_gets_no_output_of_a_tool(
    tmp_path: Path,
):
    agent = shop(manner="warm", ring_seconds=20)

    @agent.presence
    async def is_free(target: object) -> bool:
        await asyncio.sleep(0.9)
        return True

    async with open_stage(tmp_path, agent) as s:
        script_greeting(s)
        s.model.on("response.create", [say("company", 700, COMPANY)])
        s.carrier.humans[DESK] = Human.accepts(6.0, then=line_of_human)
        outputs: list[dict] = []
        notes: list[str] = []

        async def script(line: Line) -> None:
            await ask_for_a_human_and_lose_the_model(s, line)
            await line.pause(5.0)
            if len(s.model.server.sessions) > 1:
                outputs.extend(tool_outputs(s))
                notes.extend(texts(s, "system"))
            await hear(line, HUMAN, HUMAN_MS)
            await line.hang_up()

        call = await whole_call(s, script)
        assert outputs == []
        assert any("desk" in note.lower() for note in notes)
        assert_brought_to_human(call)


async def line_of_human(line: Line) -> None:
    await line.play(bytes([HUMAN]) * HUMAN_MS * 8)
    await line.pause(2.0)
    await line.hang_up()


async def test_a_new_session_is_told_that_nobody_is_free_and_tells_the_caller(tmp_path: Path):
    agent = shop(manner="warm")

    @agent.presence
    async def is_free(target: object) -> bool:
        await asyncio.sleep(0.9)
        return False

    async with open_stage(tmp_path, agent) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await ask_for_a_human_and_lose_the_model(s, line)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert tool_outputs(s) == []
        assert any("desk" in note.lower() for note in texts(s, "system"))
        assert_no_silence(call, ANSWER)
        assert heard_ms(call, ANSWER) >= ANSWER_MS


WORDS = "one two three four five six seven eight nine ten eleven twelve"


async def test_a_sentence_that_outlives_its_session_and_is_cut_is_remembered_as_it_was_heard(
    tmp_path: Path,
):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            # Generated in 1.5 s, heard in 6.
            await speak(s, line, "count", answer=[say("story", 6000, STORY, text=WORDS)])
            await hear_all(line, STORY, 1600)
            await act(s, ["drop"])
            await line.pause(1.0)
            if len(s.model.server.sessions) < 2 or not texts(s, "user"):
                raise SetUpFailed("no other session was given the conversation")
            await hear_all(line, STORY, 3000)
            answer = say("answer", ANSWER_MS, ANSWER)
            await speak(s, line, "stop, where is my order?", answer=[answer])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)
        assert 3000 <= heard_ms(call, STORY) < 3600
        assert s.model.refused == []
        said = " ".join(texts(s, "assistant"))
        assert "one two three" in said
        assert "ten" not in said and "twelve" not in said


# --- a session at its end ---------------------------------------------------------------------


async def test_a_session_is_replaced_in_a_pause_before_its_hour_is_over(tmp_path: Path):
    """An answer that is given across the end of the first session's hour is heard whole."""
    agent = shop()
    agent.away_timeout = None
    async with open_stage(tmp_path, agent, media_frame_ms=500) as s:
        script_agent(s)
        opened = note_sessions(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            noted = say("noted", 700, COMPANY)
            await speak(s, line, "my order is number seven", answer=[noted])
            over_at = opened[0] + 3600.0
            await line.pause(over_at - asyncio.get_running_loop().time() - 8.0)
            answer = say("answer", 16_000, ANSWER, rate=1, wait=False)
            await speak(s, line, "tell me all about it", answer=[answer])
            await line.pause(20.0)
            await line.hang_up()

        call = await whole_call(s, script)
        assert heard_ms(call, ANSWER) == 16_000
        assert (heard_ms(call, GREETING), heard_ms(call, COMPANY)) == (GREETING_MS, 700)
        assert len(opened) > 1
        assert all(late - early < 3592 for early, late in pairwise(opened))
        assert "my order is number seven" in texts(s, "user")


async def test_a_session_is_replaced_in_a_call_of_twenty_thousand_lines(tmp_path: Path):
    """The next session gets the newest lines, and of the older ones not more than it can take."""
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            # Put where the product keeps them: to say them would take a day, even of this clock.
            transcript = s.line.switchboard.find(line.leg.sid).call.conversation.transcript
            for number in range(20_000):
                transcript.caller_said(f"line_{number}", f"This is line {number} of many.", 0.0)
            await speak(s, line)
            await act(s, ["drop"])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)
        remembered = texts(s, "user")
        assert remembered[-2:] == ["This is line 19999 of many.", "where is my order?"]
        assert "This is line 0 of many." not in remembered
        summary = texts(s, "system")
        assert summary
        assert sum(len(text) for text in [*remembered, *summary]) < 400_000
