from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from hookflash import Agent, CallContext, ConfigError, ToolError
from hookflash.agents.hooks import AnswerHook
from hookflash.agents.view import CallView
from hookflash.core.commands import RunTool
from hookflash.core.events import QuestionAnswered, QuestionAsked, ToolFinished
from hookflash.runtime import wait_within as module
from hookflash.runtime.clock import SystemClock
from hookflash.runtime.questions import Questions
from hookflash.runtime.tool_runner import ToolRunner, ToolThreads
from hookflash_local.simulation.world import SimulatedWorld

from .conftest import clock_stands


class Bench:
    """A call whose events are observed as a driver does; `answers` plays the console."""

    def __init__(self, hook: AnswerHook | None = None) -> None:
        self.events: list[Any] = []
        self.news = asyncio.Event()
        self.questions = Questions(
            clock=SystemClock(world=SimulatedWorld(0)),
            post=self.post,
            view=lambda: CallView(call_sid="CA1"),
            entropy=Random(1),
            hook=hook,
        )
        self.agent = Agent("shop", instructions="Help.")
        self.context = CallContext(call_sid="CA1", post=self.post, ask=self.questions.ask)
        self.runner = ToolRunner(
            self.agent.tools, self.context, self.post, call_sid="CA1", threads=ToolThreads()
        )

    def post(self, event: Any) -> None:
        self.events.append(event)
        self.questions.observe(event)
        self.news.set()

    async def wait_for(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(3600):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self.news.clear()
                await self.news.wait()

    async def answers(self, text: str) -> str:
        asked = await self.wait_for(QuestionAsked)
        self.post(QuestionAnswered(asked.question_id, text, by="ann"))
        return str(asked.question_id)

    async def run(self, function: Callable[..., Any], timeout_seconds: float = 0.5) -> ToolFinished:
        self.agent.tool(name="tool", description="Ask.", timeout_seconds=timeout_seconds)(function)
        self.runner.run(RunTool("call_1", "tool", "{}"))
        finished = await self.wait_for(ToolFinished)
        assert isinstance(finished, ToolFinished)
        return finished


async def test_the_console_answers_by_the_questions_id() -> None:
    bench = Bench()
    asking = asyncio.create_task(bench.context.ask_human("May I give 20 % off?"))
    question_id = await bench.answers("Yes, this once.")
    assert await asking == "Yes, this once."
    assert bench.events == [
        QuestionAsked(question_id, "May I give 20 % off?", "console"),
        QuestionAnswered(question_id, "Yes, this once.", "ann"),
    ]
    assert bench.questions.open == {}


async def test_an_open_question_can_be_seen_and_another_answer_is_none() -> None:
    bench = Bench()
    asking = asyncio.create_task(bench.context.ask_human("Which colour?"))
    asked = await bench.wait_for(QuestionAsked)
    assert bench.questions.open == {asked.question_id: "Which colour?"}
    bench.post(QuestionAnswered("Q-other", "Red."))
    bench.post(QuestionAnswered(asked.question_id, "  "))
    await asyncio.sleep(0.01)
    assert not asking.done()
    bench.post(QuestionAnswered(asked.question_id, "Blue."))
    bench.post(QuestionAnswered(asked.question_id, "Green."))
    assert await asking == "Blue."


async def test_the_owners_function_answers_and_knows_the_call() -> None:
    async def answer(question: str, call: CallView) -> str:
        return f" {call.call_sid}: {question} Yes. "

    bench = Bench(answer)
    assert await bench.context.ask_human("Really?") == "CA1: Really? Yes."
    asked, answered = bench.events
    assert asked.via == "hook"
    assert answered == QuestionAnswered(asked.question_id, "CA1: Really? Yes.", by="hook")


async def test_whoever_answers_first_has_answered() -> None:
    async def answer(question: str, call: CallView) -> str:
        await asyncio.sleep(60)
        return "too late"

    bench = Bench(answer)
    asking = asyncio.create_task(bench.context.ask_human("Really?"))
    await bench.answers("From the console.")
    assert await asking == "From the console."
    await asyncio.gather(*module._cancelled, return_exceptions=True)


async def test_when_nobody_answers_the_tool_is_told_so_in_time() -> None:
    bench, loop = Bench(), asyncio.get_running_loop()
    assert await bench.context.ask_human("Anybody?") == "Nobody answered within 60 seconds."
    assert loop.time() == 60
    asked, answered = bench.events
    assert answered == QuestionAnswered(asked.question_id, "")
    assert bench.questions.open == {}


@pytest.mark.parametrize("result", [ValueError("no"), None, 7, " "])
async def test_a_function_that_fails_means_that_there_is_no_answer(
    result: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(question: str, call: CallView) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    bench = Bench(answer)
    assert await bench.context.ask_human("Anybody?") == "Nobody could answer this."
    assert bench.events[1] == QuestionAnswered(bench.events[0].question_id, "")
    assert ("CA1 ! @agent.answers failed" in caplog.text) is (result != " ")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
async def test_a_function_that_would_end_the_process_has_no_answer(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(question: str, call: CallView) -> str:
        raise error

    assert await Bench(answer).context.ask_human("Really?") == "Nobody could answer this."
    assert "CA1 ! @agent.answers failed" in caplog.text


async def test_an_answer_is_valid_text() -> None:
    async def answer(question: str, call: CallView) -> str:
        return json.loads('"Yes\\ud83d"')  # type: ignore[no-any-return]  # a text

    bench = Bench(answer)
    valid = "Yes\N{REPLACEMENT CHARACTER}"
    assert await bench.context.ask_human("Really?") == valid
    assert bench.events[-1].answer == valid


@pytest.mark.parametrize(
    ("about", "complaint"),
    [
        ({"question": " "}, "the question must be a text"),
        ({"seconds": 0}, "seconds must be more than 0 and at most 3600, got 0"),
        ({"seconds": float("nan")}, "seconds must be more than 0"),
        ({"via": "pigeon"}, "via must be 'hook' or 'console', got 'pigeon'"),
        ({"via": "hook"}, "give the agent one with @agent.answers"),
    ],
)
async def test_what_cannot_be_asked_is_refused(about: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        await Bench().context.ask_human(**{"question": "Why?", **about})


# --- the time of the tool that asks -----------------------------------------------------------


async def test_while_a_tool_waits_for_a_human_its_time_stands_still() -> None:
    bench = Bench()

    async def tool(call: CallContext) -> str:
        return await call.ask_human("May I?")

    async def answer_late() -> None:
        await asyncio.sleep(0.8)
        await bench.answers("You may.")

    answering = asyncio.create_task(answer_late())
    assert await bench.run(tool) == ToolFinished("call_1", "You may.")
    await answering


async def test_a_plain_function_asks_from_its_thread() -> None:
    bench = Bench()

    def tool(call: CallContext) -> str:
        return call.ask_human_blocking("May I?").upper()

    async def answer_late() -> None:
        with clock_stands():
            await bench.wait_for(QuestionAsked)
        await asyncio.sleep(0.8)
        with clock_stands():
            await bench.answers("You may.")
            await bench.wait_for(ToolFinished)

    answering = asyncio.create_task(answer_late())
    assert await bench.run(tool) == ToolFinished("call_1", "YOU MAY.")
    await answering


async def test_afterwards_it_has_what_was_left_of_its_time() -> None:
    bench, loop = Bench(), asyncio.get_running_loop()

    async def tool(call: CallContext) -> str:
        await asyncio.sleep(0.3)
        await call.ask_human("Anybody?", seconds=600)
        await asyncio.sleep(60)
        return "never"

    finished = await bench.run(tool, timeout_seconds=0.4)
    assert finished.output == "tool did not answer within 0.4 seconds."
    assert finished.failed
    assert loop.time() == pytest.approx(0.3 + 600 + 0.1)


async def test_two_questions_at_once_stop_the_time_until_both_are_answered() -> None:
    bench = Bench()

    async def tool(call: CallContext) -> list[str]:
        first = call.ask_human("One?")
        second = call.ask_human("Two?")
        return list(await asyncio.gather(first, second))

    async def answer_both() -> None:
        await bench.answers("1")
        await asyncio.sleep(0.8)
        for question_id in list(bench.questions.open):
            bench.post(QuestionAnswered(question_id, "2"))

    answering = asyncio.create_task(answer_both())
    assert (await bench.run(tool)).output == '["1","2"]'
    await answering


async def test_a_call_that_ends_ends_the_waiting_in_tasks_and_in_threads() -> None:
    bench = Bench()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    errors: list[BaseException] = []

    async def tool(call: CallContext) -> str:
        return await call.ask_human("May I?")

    def blocking(call: CallContext) -> None:
        try:
            call.ask_human_blocking("May I, too?")
        except ToolError as error:
            errors.append(error)
        loop.call_soon_threadsafe(ended.set)

    bench.agent.tool(name="one", description="Ask.")(tool)
    bench.agent.tool(name="two", description="Ask.")(blocking)
    bench.runner.run(RunTool("c1", "one", "{}"))
    bench.runner.run(RunTool("c2", "two", "{}"))
    with clock_stands():
        while len(bench.questions.open) < 2:
            bench.news.clear()
            await bench.news.wait()
        await bench.runner.close()
        await ended.wait()
    assert [str(error) for error in errors] == [
        "The tool has already ended, so no answer can be used."
    ]
    assert bench.questions.open == {}
    assert not [event for event in bench.events if isinstance(event, ToolFinished)]


async def test_a_tool_that_is_late_already_asks_nobody() -> None:
    bench = Bench()
    late = asyncio.Event()
    loop = asyncio.get_running_loop()
    go = threading.Event()
    errors: list[str] = []

    def tool(call: CallContext) -> None:
        go.wait(60)
        try:
            call.ask_human_blocking("Too late?")
        except ToolError as error:
            errors.append(str(error))
        loop.call_soon_threadsafe(late.set)

    assert (await bench.run(tool, timeout_seconds=0.02)).failed
    go.set()
    with clock_stands():
        await late.wait()
    assert errors == ["The tool has already ended, so no answer can be used."]
    assert [event for event in bench.events if isinstance(event, QuestionAsked)] == []


# --- contexts made by hand --------------------------------------------------------------------


async def test_in_the_loops_thread_nobody_may_block(caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(ConfigError, match="await context.ask_human"),
    ):
        Bench().context.ask_human_blocking("May I?")


def test_a_context_made_by_hand_has_nobody_to_ask() -> None:
    context = CallContext(call_sid="CA1")
    assert context.ask_human_blocking("May I?") == "Nobody answered within 60 seconds."
    asked = context.ask_human("May I?", seconds=5)
    assert asyncio.run(asked) == "Nobody answered within 5 seconds."
