"""Responses that bring no sound, are refused or cross each other: each line is heard once."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from hookflash import Agent
from hookflash_local.carrier import Human, Line

from ...scenarios.acts import said_on
from ...scenarios.conftest import DESK, Stage, open_stage, samples, shop
from .model_parts import (
    ANSWER,
    ANSWER_MS,
    CALLER,
    CLOSING,
    CONSENT,
    GREETING,
    GREETING_MS,
    GREETING_TEXT,
    HUMAN,
    HUMAN_MS,
    STORY,
    SetUpFailed,
    act,
    asked_to,
    assert_answered,
    assert_brought_to_human,
    assert_no_silence,
    before_request,
    begins_answers,
    desk,
    end_turn,
    first_second_of,
    hear,
    hear_all,
    hear_answer_and_hang_up,
    hear_greeting,
    heard_ms,
    note_requests,
    say,
    script_agent,
    script_answers,
    script_greeting,
    shop_without_humans,
    speak,
    staff_desk,
    stay,
    whole_call,
)

# --- responses without a sound ----------------------------------------------------------------

WRITTEN = {
    "response_id": "resp_written",
    "item_id": "item_written",
    "output_index": 0,
    "content_index": 0,
}

WITHOUT_SOUND: dict[str, list[Any]] = {
    "empty": [{"finish": {}}],
    "words only": [{"say": {"ms": 0, "text": "Hello."}}],
    "text only": [
        {"send": {"type": "response.output_text.delta", "delta": "Hello.", **WRITTEN}},
        {"send": {"type": "response.output_text.done", "text": "Hello.", **WRITTEN}},
        {"finish": {}},
    ],
    "filtered": [{"finish": {"status": "incomplete", "reason": "content_filter"}}],
    "out of tokens": [{"finish": {"status": "incomplete", "reason": "max_output_tokens"}}],
}
without_sound = pytest.mark.parametrize("steps", WITHOUT_SOUND.values(), ids=WITHOUT_SOUND.keys())


async def hear_greeting_and_hang_up(line: Line) -> None:
    if await hear(line, GREETING, GREETING_MS):
        await line.pause(2.0)
    await line.hang_up()


@without_sound
async def test_a_greeting_that_ends_without_a_sound_is_asked_for_again(
    tmp_path: Path, steps: list[Any]
):
    async with open_stage(tmp_path, shop()) as s:
        s.model.on("response.create", steps, times=1)
        script_agent(s)
        call = await whole_call(s, hear_greeting_and_hang_up)
        assert_no_silence(call, GREETING)
        assert heard_ms(call, GREETING) == GREETING_MS


@without_sound
async def test_a_model_whose_responses_never_have_a_sound_leaves_the_caller_to_the_human(
    tmp_path: Path, steps: list[Any]
):
    async with open_stage(tmp_path, shop()) as s:
        s.model.on("response.create", steps)
        staff_desk(s)
        requests = note_requests(s)
        call = await whole_call(s, stay)
        assert 1 < len(requests) <= 10
        assert_brought_to_human(call)


@without_sound
async def test_a_model_whose_responses_never_have_a_sound_and_no_human_leave_an_apology(
    tmp_path: Path, steps: list[Any]
):
    async with open_stage(tmp_path, shop_without_humans()) as s:
        s.model.on("response.create", steps)
        requests = note_requests(s)
        call = await whole_call(s, stay)
        assert 1 < len(requests) <= 10
        assert len(said_on(call)) == 1
        assert_no_silence(call)


@without_sound
async def test_an_answer_of_a_tool_that_is_not_spoken_is_asked_for_again(
    tmp_path: Path, steps: list[Any]
):
    agent = shop()

    @agent.tool
    async def order_status() -> str:
        """Return where the caller's order is."""
        return "on its way"

    async with open_stage(tmp_path, agent) as s:
        script_greeting(s)
        s.model.on("response.create", steps, times=1)
        script_answers(s)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            await speak(s, line, answer=[{"call_tool": {"name": "order_status"}}])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert_answered(call)


# --- a limit of the rate ----------------------------------------------------------------------

LIMIT_SECONDS = 4.0
LIMITED = {
    "type": "tokens",
    "code": "rate_limit_exceeded",
    "message": (
        "Rate limit reached for gpt-realtime on tokens per min (TPM): Limit 40000, Used 40000,"
        " Requested 600. Please try again in 4s."
    ),
}


async def test_a_rate_limit_on_the_greeting_is_waited_for_as_told(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        loop = asyncio.get_running_loop()
        requests = note_requests(s)

        def is_limited(_: object) -> bool:
            return loop.time() < requests[0] + LIMIT_SECONDS - 1e-6

        refusal = [{"finish": {"status": "failed", "error": LIMITED}}]
        s.model.on("response.create", refusal, where={"type": is_limited})
        script_agent(s)
        staff_desk(s)
        call = await whole_call(s, hear_greeting_and_hang_up)
        assert [at - requests[0] for at in requests[1:] if at < requests[0] + LIMIT_SECONDS] == []
        assert_no_silence(call, GREETING)
        assert heard_ms(call, GREETING) == GREETING_MS
        assert s.carrier.calls == [call]


# --- lines that the caller cannot interrupt ---------------------------------------------------

LINE_MS = 3000

# What becomes of the model's own answer to a caller who speaks over a line of ours (`crossing`):
#
#   answers afterwards   the line was generated, so the answer begins while it still plays
#   is refused           the line is still generated: `conversation_already_has_active_response`
#   does not answer      as before, and no error says so
#   fails                the answer begins and fails, and no error says so
#   crosses              the answer has begun when the line is asked for: that request is refused


def turn_of_the_caller(s: Stage) -> list[Any]:
    """Return the events of a turn that has just ended; the model may answer it by itself."""
    conversation = s.model.session.conversation
    begins = conversation.speech_started(0)
    ends = conversation.speech_stopped(500, b"\xff" * 4000)
    said = conversation.transcribed(list(conversation.items)[-1].id, "where is my order?")
    return [*begins, *ends, *said]


async def speak_over(s: Stage, line: Line, byte: int, crossing: str) -> None:
    """Let the caller speak over the line of ours that is `byte`."""
    if crossing == "crosses":
        return
    await hear_all(line, byte, 500)
    answers: dict[str, list[Any] | None] = {
        "answers afterwards": [say("answer", ANSWER_MS, ANSWER)],
        "is refused": [],
        "does not answer": None,
        "fails": [{"finish": {"status": "failed"}}],
    }
    await speak(s, line, answer=answers[crossing])


def line_of_ours(item: str, byte: int, crossing: str) -> dict[str, Any]:
    """Return the step that says a line: generated as it plays, or four times as fast."""
    slowly = crossing in ("is refused", "does not answer")
    return say(item, LINE_MS, byte, rate=1 if slowly else 4)


async def cross_request(s: Stage, text: str | re.Pattern[str]) -> None:
    """Let the model's own answer begin just before the request with `text` arrives."""
    session, wanted = s.model.session, asked_to(text)
    before_request(session, wanted, lambda: turn_of_the_caller(s))
    try:
        await s.model.until("response.create", where=wanted)
    except AssertionError as unmet:
        raise SetUpFailed(str(unmet)) from unmet
    if begins_answers(s):
        await act(s, [say("answer", ANSWER_MS, ANSWER)], session)


def agent_with_a_line(kind: str) -> Agent:
    options: dict[str, Any] = {"greeting_interruptible": False}
    if kind == "consent":
        options = {"record": True, "consent": CONSENT_TEXT}
    return shop_without_humans(**options)


CONSENT_TEXT = "This call is recorded."


@pytest.mark.parametrize(
    ("kind", "crossing"),
    [
        ("consent", "answers afterwards"),
        ("consent", "is refused"),
        ("consent", "does not answer"),
        ("consent", "fails"),
        ("consent", "crosses"),
        ("greeting", "answers afterwards"),
        ("greeting", "is refused"),
        ("greeting", "does not answer"),
        ("greeting", "fails"),
        ("greeting", "crosses"),
    ],
)
async def test_a_caller_who_speaks_over_a_line_hears_it_once_and_is_answered(
    tmp_path: Path, kind: str, crossing: str
):
    byte, text = (CONSENT, CONSENT_TEXT) if kind == "consent" else (GREETING, GREETING_TEXT)
    async with open_stage(tmp_path, agent_with_a_line(kind)) as s:
        step = line_of_ours(kind, byte, crossing)
        s.model.on("response.create", [step], where=asked_to(text))
        script_agent(s)

        async def script(line: Line) -> None:
            if crossing == "crosses":
                await cross_request(s, text)
            await speak_over(s, line, byte, crossing)
            await hear(line, byte, LINE_MS)
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert heard_ms(call, byte) == LINE_MS
        assert_answered(call)
        if kind == "consent":
            assert first_second_of(call, CONSENT) < first_second_of(call, ANSWER)
            assert heard_ms(call, GREETING) in (0, GREETING_MS)


CLOSING_REQUEST = re.compile("has taken the call|has accepted", re.IGNORECASE)


@pytest.mark.parametrize(
    "crossing",
    [
        "answers afterwards",
        "is refused",
        "does not answer",
        "fails",
        "crosses",
    ],
)
async def test_a_caller_who_speaks_over_the_closing_line_hears_it_once_and_meets_the_human(
    tmp_path: Path, crossing: str
):
    async with open_stage(tmp_path, shop(manner="warm")) as s:
        step = line_of_ours("closing", CLOSING, crossing)
        s.model.on("response.create", [step], where=asked_to(CLOSING_REQUEST))
        script_greeting(s)
        script_answers(s)
        s.carrier.humans[DESK] = Human.accepts(1.0, after_seconds=2.0, then=desk)

        async def script(line: Line) -> None:
            await hear_greeting(line)
            arguments = {"destination": "desk", "reason": "a refund", "summary": ""}
            tool = {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}
            await speak(s, line, "a person please", answer=[tool])
            if crossing == "crosses":
                await cross_request(s, CLOSING_REQUEST)
            await speak_over(s, line, CLOSING, crossing)
            await hear(line, HUMAN, HUMAN_MS)

        call = await whole_call(s, script)
        assert heard_ms(call, CLOSING) == LINE_MS
        assert_brought_to_human(call)


# --- one greeting -----------------------------------------------------------------------------


@pytest.mark.parametrize("turn", ["has begun", "has ended"])
async def test_a_caller_who_says_hello_at_once_is_greeted_once(tmp_path: Path, turn: str):
    """The caller has begun to speak, or is done, when the greeting is asked for."""
    async with open_stage(tmp_path, shop(), network_ms=60) as s:
        script_agent(s)
        answer = say("answer", ANSWER_MS, ANSWER)

        async def script(line: Line) -> None:
            line.send(bytes([CALLER]) * 500 * 8)
            if turn == "has ended":
                await cross_request(s, GREETING_TEXT)
            else:
                await begin_a_turn_at_the_request(s)
                await line.pause(0.5)
                await end_turn(s, line, "hello?", answer=[answer])
            while line.since_answer < 20 and not heard_a_greeting(line):
                await line.pause(0.1)
            await line.pause(4.0)
            await line.hang_up()

        call = await whole_call(s, script)
        assert (heard_ms(call, GREETING), heard_ms(call, ANSWER)) in (
            (GREETING_MS, 0),
            (0, ANSWER_MS),
        )


def heard_a_greeting(line: Line) -> bool:
    greeting, answer = samples(line.heard, GREETING) / 8, samples(line.heard, ANSWER) / 8
    return greeting >= GREETING_MS or answer >= ANSWER_MS


async def begin_a_turn_at_the_request(s: Stage) -> None:
    """Let the caller begin to speak just before the request for the greeting arrives."""
    session, wanted = s.model.session, asked_to(GREETING_TEXT)
    before_request(session, wanted, lambda: session.conversation.speech_started(0))
    try:
        await s.model.until("response.create", where=wanted)
    except AssertionError as unmet:
        raise SetUpFailed(str(unmet)) from unmet


async def test_a_greeting_that_is_cut_off_by_hello_is_not_said_again(tmp_path: Path):
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await hear_all(line, GREETING, 200)
            await speak(s, line, "hello?", answer=[say("answer", ANSWER_MS, ANSWER)])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        assert 200 <= heard_ms(call, GREETING) < GREETING_MS
        assert_answered(call)


# --- the model answers too early --------------------------------------------------------------


async def test_an_answer_that_begins_when_the_caller_goes_on_is_not_played_over_them(
    tmp_path: Path,
):
    """The turn seemed to have ended; the answer to it begins when the caller speaks again."""
    async with open_stage(tmp_path, shop()) as s:
        script_agent(s)
        spoke: list[float] = []

        async def script(line: Line) -> None:
            await hear_greeting(line)
            line.send(bytes([CALLER]) * 3000 * 8)
            await act(s, [{"hears": {"text": "where is", "ms": 800}}, "speech_started"])
            spoke.append(line.since_answer)
            if begins_answers(s):
                await act(s, [say("early", 3000, STORY, wait=False)])
            await line.pause(2.2)
            spoke.append(line.since_answer)
            answer = say("answer", ANSWER_MS, ANSWER)
            await end_turn(s, line, "my order?", answer=[answer])
            await hear_answer_and_hang_up(line)

        call = await whole_call(s, script)
        begin, end = (round(at * 8000) for at in spoke)
        over_the_caller = samples(call.recording().heard[begin:end], STORY) / 8
        assert over_the_caller == 0
        assert_answered(call)
