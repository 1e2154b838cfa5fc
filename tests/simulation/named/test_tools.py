"""Tools and hooks of the owner's that hang, end the process, or return what nobody can read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hookflash import Agent, CallContext, Delivery
from hookflash.core.events import SayRequested
from hookflash_local.carrier import Human, Leg, Line

from ...scenarios.conftest import DESK, Stage, open_stage, samples, shop
from .handoff_parts import (
    ANSWER,
    RESULT,
    STORY,
    SUPERVISOR,
    WORDS,
    ask_for_a_human,
    caller_says,
    calls_tool,
    greeted,
    heard_between,
    hears,
    longest_nothing,
    outcomes,
    say,
    script_agent,
    talks,
    tool_outputs,
    whole_call,
)

FILLER_SECONDS = 3.0
MOMENT_SECONDS = 0.1
SECRET = "swordfish"

OUTPUT_CHARACTERS = 100_000
"""More than any limit that an owner could want: this much text is read for minutes."""


# --- a tool answers, and a supervisor speaks ---------------------------------------------------


@pytest.mark.parametrize("say_at", [1.2, 3.0], ids=["say first", "tool first"])
async def test_a_tools_answer_and_a_supervisors_words_are_both_heard_after_what_is_being_said(
    tmp_path: Path, say_at
):
    """The caller asks for an order; while it is looked up (for two seconds) the model answers
    another question at length, and a supervisor has it say something."""
    agent = shop()

    @agent.tool
    async def order_status() -> str:
        """Look up the caller's order."""
        await asyncio.sleep(2.0)
        return "Order 7 is on its way."

    async with open_stage(tmp_path, agent) as s:

        def looked_up(kind: str) -> bool:
            return "function_call_output" in [e.item["type"] for e in s.model.items.values()]

        words = {"response": {"instructions": {"$contains": WORDS[SUPERVISOR]}}}
        s.model.on("response.create", [say(SUPERVISOR, 1100)], where=words)
        s.model.on("response.create", [say(RESULT, 1300)], where={"type": looked_up}, times=1)
        script_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await calls_tool(s, "order_status")
            asked_at = line.now

            async def supervise() -> None:
                await line.pause(say_at - (line.now - asked_at))
                driver = s.line.switchboard.find(line.leg.sid)
                assert driver is not None
                driver.post(SayRequested(WORDS[SUPERVISOR]))

            supervising = asyncio.create_task(supervise())
            await caller_says(
                s, line, "And do you repair bicycles?", 600, answer=say(STORY, 6000, rate=1)
            )
            await supervising
            await hears(line, RESULT, 1300, within=15)
            await hears(line, SUPERVISOR, 1100, within=15)
            await line.hang_up()

        call, _ = await whole_call(s, script)
        heard = call.recording().heard
        assert samples(heard, STORY) == 6000 * 8
        assert samples(heard, SUPERVISOR) == 1100 * 8
        assert samples(heard, RESULT) == 1300 * 8


# --- a tool that hangs ------------------------------------------------------------------------


@pytest.mark.parametrize("timeout_seconds", [5.0, 20.0])
async def test_a_caller_hears_something_within_three_seconds_while_a_tool_hangs(
    tmp_path: Path, timeout_seconds
):
    agent = shop()

    @agent.tool(timeout_seconds=timeout_seconds)
    async def order_status() -> str:
        """Look up the caller's order."""
        await asyncio.Event().wait()
        return "never"

    called_at: list[float] = []
    async with open_stage(tmp_path, agent) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await calls_tool(s, "order_status")
            called_at.append(s.carrier.now())
            await line.pause(timeout_seconds + 3.0)
            await line.hang_up()

        call, record = await whole_call(s, script)
        (use,) = record.tools
        assert use.failed and abs(use.seconds - timeout_seconds) < 1.0
        over = called_at[0] + timeout_seconds
        assert samples(heard_between(call, over), ANSWER) >= 800 * 8
        quiet = longest_nothing(heard_between(call, called_at[0], over + 1.0))
        assert quiet <= FILLER_SECONDS + MOMENT_SECONDS


# --- code that ends the process ---------------------------------------------------------------


@contextlib.contextmanager
def process() -> Iterator[list[BaseException]]:
    """Within the block, an error that would end the process is kept in the list, and the event
    loop goes on, as if the machine had a process left."""
    loop = asyncio.get_running_loop()
    ends: list[BaseException] = []

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # Said by `ends` already; formatting it while a file is parsed upsets Python 3.11.
        if not isinstance(context.get("exception"), SystemExit | KeyboardInterrupt):
            loop.default_exception_handler(context)

    loop.set_exception_handler(report)
    run_once = loop._run_once  # type: ignore[attr-defined]  # there is no public way

    def run_on() -> None:
        try:
            run_once()
        except (SystemExit, KeyboardInterrupt) as error:
            ends.append(error)

    loop._run_once = run_on  # type: ignore[attr-defined]  # as above
    try:
        yield ends
    finally:
        del loop._run_once  # type: ignore[attr-defined]  # as above


async def bystander(s: Stage) -> Leg:
    """Place another call, in which the agent tells something for twenty seconds; return it when
    that has begun."""
    telling = asyncio.Event()

    async def script(line: Line) -> None:
        await greeted(line)
        session = s.model.session
        turn = {"hears": {"text": "Tell me more.", "ms": 600, "respond": True}}
        story = asyncio.create_task(
            s.model.perform([turn, say(STORY, 20_000, rate=2)], session=session)
        )
        await line.wait_for_sound()
        telling.set()
        await story
        await hears(line, STORY, 20_000, within=25)
        await line.hang_up()

    call = await s.call(script)
    await telling.wait()
    return call


def heard_it_all(call: Leg) -> bool:
    """Whether a bystander's call went on as if nothing had happened."""
    story = bytes([STORY]) * (20_000 * 8)
    return story in call.recording().heard


def raises(error: type[BaseException]) -> None:
    raise error(SECRET)


def exits() -> None:
    sys.exit(SECRET)


TOOLS = {
    "async SystemExit": ("async", lambda: raises(SystemExit)),
    "async KeyboardInterrupt": ("async", lambda: raises(KeyboardInterrupt)),
    "exit() in a thread": ("thread", exits),
    "KeyboardInterrupt in a thread": ("thread", lambda: raises(KeyboardInterrupt)),
}


@pytest.mark.parametrize(("where", "end"), TOOLS.values(), ids=TOOLS.keys())
async def test_a_tool_that_would_end_the_process_is_a_tool_that_did_not_work(
    tmp_path: Path, where, end
):
    agent = shop()
    if where == "async":

        @agent.tool
        async def order_status() -> str:
            """Look up the caller's order."""
            await asyncio.sleep(0.2)
            end()
            return "never"

    else:

        @agent.tool(name="order_status")
        def in_a_thread() -> str:
            """Look up the caller's order."""
            end()
            return "never"

    async with open_stage(tmp_path, agent) as s:
        script_agent(s)
        with process() as ends:
            other = await bystander(s)

            async def script(line: Line) -> None:
                await greeted(line)
                await calls_tool(s, "order_status")
                await hears(line, ANSWER, 900, within=10)
                await line.hang_up()

            call, record = await whole_call(s, script)
            await other.ended()
        assert ends == []
        assert samples(call.recording().heard, ANSWER) == 900 * 8
        (output,) = tool_outputs(s)
        assert output.strip() and not re.search(f"{SECRET}|exit|interrupt", output, re.IGNORECASE)
        (use,) = record.tools
        assert use.failed
        assert heard_it_all(other)


def with_policy(agent: Agent, error: type[BaseException]) -> None:
    @agent.policy
    async def wants_a_human(call) -> None:
        raises(error)


def with_presence(agent: Agent, error: type[BaseException]) -> None:
    @agent.presence
    async def is_free(target) -> bool:
        raises(error)
        return True


def with_answers(agent: Agent, error: type[BaseException]) -> None:
    @agent.answers
    async def answer(question, call) -> str:
        raises(error)
        return "never"


async def caller_only_talks(s: Stage, line: Line) -> None:
    await caller_says(s, line, "Do you repair bicycles?", 800)
    await hears(line, ANSWER, 900, within=10)


async def caller_wants_a_human(s: Stage, line: Line) -> None:
    await ask_for_a_human(s)
    await line.connected()
    await line.pause(1.5)


async def caller_has_a_human_asked(s: Stage, line: Line) -> None:
    await calls_tool(s, "ask_the_workshop")
    await hears(line, ANSWER, 900, within=20)


HOOKS = {
    "policy": (with_policy, caller_only_talks),
    "presence": (with_presence, caller_wants_a_human),
    "answers": (with_answers, caller_has_a_human_asked),
}


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize(("hook", "act"), HOOKS.values(), ids=HOOKS.keys())
async def test_a_hook_that_would_end_the_process_is_a_hook_that_has_nothing_to_say(
    tmp_path: Path, hook, act, error
):
    agent = shop()
    hook(agent, error)

    @agent.tool
    async def ask_the_workshop(context: CallContext) -> str:
        """Ask the workshop."""
        return await context.ask_human("Is it ready?", seconds=5)

    async with open_stage(tmp_path, agent) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human(1.0, talks)
        with process() as ends:
            other = await bystander(s)

            async def script(line: Line) -> None:
                await greeted(line)
                await act(s, line)
                await line.hang_up()

            call, record = await whole_call(s, script)
            await other.ended()
        assert ends == []
        if act is caller_wants_a_human:
            assert outcomes(record) == ["bridged"]
        else:
            assert samples(call.recording().heard, ANSWER) >= 900 * 8
        assert SECRET not in "".join(tool_outputs(s))
        assert heard_it_all(other)


async def test_a_delivery_hook_that_would_end_the_process_is_called_again_later(tmp_path: Path):
    agent = shop(otherwise="callback")
    given: list[Delivery] = []

    @agent.on_delivery
    async def deliver(delivery: Delivery) -> None:
        given.append(delivery)
        if len(given) == 1:
            raises(SystemExit)

    async with open_stage(tmp_path, agent) as s:
        script_agent(s)
        with process() as ends:
            other = await bystander(s)

            async def script(line: Line) -> None:
                await greeted(line)
                wish = {"number": "+15550100077", "wish": "a refund"}
                await calls_tool(s, "schedule_callback", wish)
                await hears(line, ANSWER, 900, within=10)
                await line.hang_up()

            call, record = await whole_call(s, script)
            await other.ended()
            for _ in range(600):
                if len(given) < 2:
                    await asyncio.sleep(1.0)
        assert ends == []
        assert samples(call.recording().heard, ANSWER) == 900 * 8
        assert record.disposition == "callback"
        assert [each.id for each in given] == [given[0].id] * 2
        assert heard_it_all(other)


# --- what nobody can read ---------------------------------------------------------------------


def stored_bytes(folder: Path) -> int:
    """How much there is on the disk of a line: journals, database and whatever else."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def call_of_tool(s: Stage) -> Leg:
    script_agent(s)

    async def script(line: Line) -> None:
        await greeted(line)
        await calls_tool(s, "order_status")
        await hears(line, ANSWER, 900, within=10)
        await line.hang_up()

    call, _ = await whole_call(s, script)
    return call


async def test_a_tool_that_returns_ten_megabytes_is_cut_and_the_model_is_told(tmp_path: Path):
    agent = shop()

    @agent.tool
    async def order_status() -> str:
        """Look up the caller's order."""
        return "Order 7 is on its way. " * 450_000

    async with open_stage(tmp_path, agent) as s:
        call = await call_of_tool(s)
        (output,) = tool_outputs(s)
        assert len(output) <= OUTPUT_CHARACTERS
        assert output.startswith("Order 7 is on its way.")
        assert re.search("cut|shortened|truncated|too long|left out", output, re.IGNORECASE)
        assert samples(call.recording().heard, ANSWER) == 900 * 8
        assert await asyncio.to_thread(stored_bytes, tmp_path) < 2_000_000


async def test_an_owner_says_how_much_of_a_tools_result_the_model_reads(tmp_path: Path):
    agent = shop()

    @agent.tool
    async def order_status() -> str:
        """Look up the caller's order."""
        return "Order 7 is on its way. " * 1000

    async with open_stage(tmp_path, agent, settings={"tool_output_chars": 2000}) as s:
        call = await call_of_tool(s)
        (output,) = tool_outputs(s)
        assert 1000 < len(output) <= 2500
        assert samples(call.recording().heard, ANSWER) == 900 * 8


@pytest.mark.parametrize("shape", ["text", "object"])
async def test_half_of_a_surrogate_pair_in_a_tools_result_is_replaced_and_the_rest_is_told(
    tmp_path: Path, shape
):
    agent = shop()
    half = json.loads('"\\ud83d"')

    @agent.tool
    async def order_status() -> object:
        """Look up the caller's order."""
        text = f"Order 7 {half} is on its way."
        return text if shape == "text" else {"status": text}

    try:
        async with open_stage(tmp_path, agent) as s:
            call = await call_of_tool(s)
    except UnicodeEncodeError as error:
        raise AssertionError(f"the line cannot write it down: {error}") from error
    (output,) = tool_outputs(s)
    assert half not in output
    assert "Order 7" in output and "is on its way." in output
    assert samples(call.recording().heard, ANSWER) == 900 * 8
