from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from hookflash import Agent, CallContext, ToolError, Utterance
from hookflash.core.commands import RunTool
from hookflash.core.events import HangUpRequested, ToolFinished
from hookflash.runtime.tool_runner import ToolRunner, ToolThreads

from .conftest import clock_stands


@dataclasses.dataclass
class Order:
    number: int

    def __post_init__(self) -> None:
        raise SystemExit(1)


def order(order: Order) -> str:
    return "never"


class Bench:
    """An agent, the context of a call and its runner; `finished()` waits for the next answer."""

    def __init__(self, threads: ToolThreads | None = None, output_chars: int = 20_000) -> None:
        self.agent = Agent("reception", instructions="Help.")
        self.events: asyncio.Queue[Any] = asyncio.Queue()
        self.context = CallContext(call_sid="CA1", caller="+15550101", post=self.events.put_nowait)
        self.runner = ToolRunner(
            self.agent.tools,
            self.context,
            self.events.put_nowait,
            call_sid="CA1",
            threads=threads or ToolThreads(),
            output_chars=output_chars,
        )

    def add(self, function: Callable[..., Any], **about: Any) -> None:
        self.agent.tool(**{"name": "tool", "description": "Do it.", **about})(function)

    def run(self, arguments: str = "{}", name: str = "tool", call_id: str = "call_1") -> None:
        self.runner.run(RunTool(call_id, name, arguments))

    async def finished(self) -> ToolFinished:
        event = await self.events.get()
        assert isinstance(event, ToolFinished)
        return event

    async def result(self, function: Callable[..., Any], arguments: str = "{}") -> ToolFinished:
        self.add(function)
        self.run(arguments)
        with clock_stands():
            event = await self.finished()
        await self.runner.close()
        assert self.events.empty()
        return event


def texts(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(caplog.messages)


# --- results ----------------------------------------------------------------------------------


async def test_a_plain_function_answers_from_a_thread() -> None:
    def tool(day: str) -> str:
        return f"{day} in {threading.current_thread().name}"

    event = await Bench().result(tool, '{"day":"monday"}')
    assert event == ToolFinished("call_1", "monday in hookflash-tool-tool")


async def test_a_coroutine_function_answers_from_the_loops_thread() -> None:
    async def tool() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    event = await Bench().result(tool)
    assert event == ToolFinished("call_1", threading.current_thread().name)


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "Done."),
        (True, "true"),
        (7, "7"),
        ({"table": 4, "names": ["Ann"]}, '{"table":4,"names":["Ann"]}'),
        (Utterance(speaker="caller", text="x", started_at=0, ended_at=1), None),
    ],
)
async def test_a_result_is_given_as_text(value: object, output: str | None) -> None:
    async def tool() -> object:
        return value

    event = await Bench().result(tool)
    assert event.output == (msgspec.json.encode(value).decode() if output is None else output)
    assert not event.failed


async def test_an_awaitable_from_a_plain_function_is_awaited() -> None:
    async def real(day: str) -> str:
        return f"{day}!"

    @functools.wraps(real)
    def wrapper(day: str) -> Awaitable[str]:
        return real(day)

    assert (await Bench().result(wrapper, '{"day":"monday"}')).output == "monday!"


async def test_a_tool_is_given_the_context_of_its_call() -> None:
    bench = Bench()

    def tool(call: CallContext, item: str) -> str:
        call.state[item] = True
        call.hang_up("enough")
        return call.call_sid

    bench.add(tool)
    bench.run('{"item":"hat"}')
    with clock_stands():
        assert await bench.events.get() == HangUpRequested("enough")
        assert (await bench.finished()).output == "CA1"
    assert bench.context.state == {"hat": True}


async def test_context_variables_reach_a_tool_in_a_thread() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("here")
    assert (await Bench().result(lambda: variable.get())).output == "here"


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_tool_error_speaks_to_the_model(blocking: bool) -> None:
    def plain() -> str:
        raise ToolError("There is no order 7.")

    async def coroutine() -> str:
        raise ToolError("There is no order 7.")

    event = await Bench().result(plain if blocking else coroutine)
    assert event == ToolFinished("call_1", "There is no order 7.", failed=True)


@pytest.mark.parametrize(
    "error",
    [
        ValueError,
        StopIteration,
        TimeoutError,
        asyncio.CancelledError,
        SystemExit,
        KeyboardInterrupt,
        GeneratorExit,
    ],
)
@pytest.mark.parametrize("blocking", [True, False])
async def test_any_other_error_is_logged_and_the_model_is_told_nothing_of_it(
    error: type[BaseException], blocking: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def plain() -> str:
        raise error("password is swordfish")

    async def coroutine() -> str:
        raise error("password is swordfish")

    event = await Bench().result(plain if blocking else coroutine)
    assert event.failed
    assert event.output == "This did not work because of a technical problem."
    assert caplog.messages == ["CA1 ! tool tool failed"]
    assert caplog.records[0].exc_info is not None


HALF = json.loads('"\\ud83d"')
REPLACED = "\N{REPLACEMENT CHARACTER}"


class Html(str):
    """A text of a library's."""


@pytest.mark.parametrize(
    ("value", "output"),
    [
        (f"it is {HALF}.", f"it is {REPLACED}."),
        (
            {"status": f"it is {HALF}.", 7: [HALF]},
            f'{{"status":"it is {REPLACED}.","7":["{REPLACED}"]}}',
        ),
        (Html("<b>"), "<b>"),
    ],
)
async def test_a_result_is_valid_text(value: object, output: str) -> None:
    event = await Bench().result(lambda: value)
    assert event == ToolFinished("call_1", output)
    assert type(event.output) is str


async def test_an_error_for_the_model_is_valid_text() -> None:
    def tool() -> str:
        raise ToolError(f"no {HALF}")

    assert await Bench().result(tool) == ToolFinished("call_1", f"no {REPLACED}", True)


@pytest.mark.parametrize(
    ("size", "output"),
    [
        (100, "x" * 100),
        (
            1_000_000,
            f"{'x' * 100}\n[The rest was cut: these are the first 100 of 1,000,000 characters.]",
        ),
    ],
)
@pytest.mark.parametrize("fails", [True, False])
async def test_a_result_that_is_too_long_is_cut_and_the_model_is_told(
    size: int, output: str, fails: bool
) -> None:
    def tool() -> str:
        if fails:
            raise ToolError("x" * size)
        return "x" * size

    event = await Bench(output_chars=100).result(tool)
    assert event == ToolFinished("call_1", output, fails)


async def test_the_types_of_its_arguments_are_inside_the_fence_too() -> None:
    event = await Bench().result(order, '{"order": {"number": 7}}')
    assert event == ToolFinished(
        "call_1", "This did not work because of a technical problem.", failed=True
    )


async def test_a_result_that_is_neither_text_nor_json_is_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    event = await Bench().result(lambda: object())
    assert event.failed
    assert "CA1 ! tool tool failed" in caplog.messages


async def test_wrong_arguments_are_told_to_the_model_and_the_tool_does_not_run() -> None:
    ran = []
    bench = Bench()

    def tool(people: int) -> None:
        ran.append(people)

    event = await bench.result(tool, '{"people":"many"}')
    assert event.failed
    assert "people: Expected int" in event.output
    assert ran == []


async def test_a_tool_that_does_not_exist_is_told_to_the_model() -> None:
    bench = Bench()
    bench.add(lambda: None, name="look")
    bench.run(name="loop")
    event = await bench.finished()
    assert event == ToolFinished("call_1", "There is no tool named loop; tools: look.", failed=True)


async def test_nothing_of_the_arguments_or_the_caller_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def tool(call: CallContext, card: str) -> None:
        raise ValueError

    await Bench().result(tool, '{"card":"4111111111111111"}')
    assert "4111" not in texts(caplog)
    assert "+1555" not in texts(caplog)


# --- time -------------------------------------------------------------------------------------


async def test_a_coroutine_that_is_late_is_stopped_and_the_model_is_told() -> None:
    bench = Bench()
    stopped = asyncio.Event()

    async def tool() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    bench.add(tool, timeout_seconds=0.01)
    bench.run()
    event = await bench.finished()
    assert event == ToolFinished("call_1", "tool did not answer within 0.01 seconds.", failed=True)
    assert stopped.is_set()


async def test_a_thread_that_is_late_is_left_alone_and_its_answer_dropped() -> None:
    bench = Bench()
    release, ended = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def tool() -> str:
        release.wait(60)
        loop.call_soon_threadsafe(ended.set)
        return "too late"

    bench.add(tool, timeout_seconds=0.01)
    bench.run()
    event = await bench.finished()
    assert event.output == "tool did not answer within 0.01 seconds."
    release.set()
    with clock_stands():
        await ended.wait()
    await bench.runner.close()
    assert bench.events.empty()


async def test_a_slow_tool_does_not_delay_another() -> None:
    bench = Bench()
    release = threading.Event()
    bench.add(lambda: release.wait(60) and "slow", name="slow")
    bench.add(lambda: "fast", name="fast")
    bench.run(name="slow", call_id="call_1")
    bench.run(name="fast", call_id="call_2")
    with clock_stands():
        assert await bench.finished() == ToolFinished("call_2", "fast")
        release.set()
        assert await bench.finished() == ToolFinished("call_1", "slow")


async def test_hanging_tools_cannot_use_up_the_machine(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(ToolThreads(limit=2))
    release = threading.Event()
    bench.add(lambda: str(release.wait(60)))
    for number in range(3):
        bench.run(call_id=f"call_{number}")
    with clock_stands():
        event = await bench.finished()
    assert event.call_id == "call_2"
    assert event.failed
    assert "Try again in a moment" in event.output
    assert "no thread is free for tool tool" in texts(caplog)
    release.set()
    with clock_stands():
        assert {(await bench.finished()).call_id for _ in range(2)} == {"call_0", "call_1"}
        bench.run(call_id="call_3")
        assert await bench.finished() == ToolFinished("call_3", "True")


# --- cancelling -------------------------------------------------------------------------------


async def test_a_cancelled_tool_does_not_answer() -> None:
    bench = Bench()
    started, stopped = asyncio.Event(), asyncio.Event()

    async def tool() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    bench.add(tool)
    bench.run()
    await started.wait()
    bench.runner.cancel("call_1")
    await stopped.wait()
    await bench.runner.close()
    assert bench.events.empty()


async def test_a_tool_cancelled_before_it_began_never_runs() -> None:
    bench = Bench()
    ran = []

    async def tool() -> None:
        ran.append(1)

    bench.add(tool)
    bench.run()
    bench.runner.cancel("call_1")
    await bench.runner.close()
    assert ran == []
    assert bench.events.empty()


async def test_a_tool_that_ignores_its_cancellation_is_not_listened_to() -> None:
    bench = Bench()
    started = asyncio.Event()

    async def tool() -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "I go on"
        return ""

    bench.add(tool)
    bench.run()
    await started.wait()
    bench.runner.cancel("call_1")
    await bench.runner.close()
    assert bench.events.empty()


async def test_cancelling_what_has_answered_or_never_ran_changes_nothing() -> None:
    bench = Bench()
    bench.add(lambda: "yes")
    bench.run()
    with clock_stands():
        assert (await bench.finished()).output == "yes"
    bench.runner.cancel("call_1")
    bench.runner.cancel("call_9")
    await bench.runner.close()
    assert bench.events.empty()


async def test_one_call_of_a_tool_runs_once() -> None:
    bench = Bench()
    release = asyncio.Event()
    ran = []

    async def tool() -> None:
        ran.append(1)
        await release.wait()

    bench.add(tool)
    bench.run()
    bench.run()
    release.set()
    await bench.finished()
    await bench.runner.close()
    assert ran == [1]
    assert bench.events.empty()


async def test_closing_cancels_everything_and_waits_for_the_cleaning_up() -> None:
    bench = Bench()
    started, cleaned = asyncio.Event(), []

    async def tool() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(1)

    bench.add(tool)
    bench.run()
    await started.wait()
    await bench.runner.close()
    assert cleaned == [1]
    assert bench.events.empty()


async def test_closing_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    started, release = asyncio.Event(), asyncio.Event()

    async def tool() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await release.wait()

    bench.add(tool)
    bench.run()
    await started.wait()
    await bench.runner.close(seconds=0.01)
    assert caplog.messages == ["CA1 ! 1 tools do not end when cancelled"]
    release.set()
    await bench.runner.close()
