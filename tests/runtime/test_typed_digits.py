"""A tool gets the digits that a caller types, and nothing else does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Any

import msgspec
import pytest

from hookflash import Agent, CallContext, ConfigError, ToolError
from hookflash.agents.context import DigitRequest
from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, CancelTool, GiveDigits, RunTool, SendToolOutput
from hookflash.core.setup import CallSetup
from hookflash.runtime.tool_runner import ToolRunner, ToolThreads
from hookflash.runtime.typed_digits import TypedDigits

from .conftest import clock_stands

CARD = "4111111111111111"


class Bench:
    """A call on a stream, its tools and its keypad, driven as a driver does it."""

    def __init__(self, **setup: Any) -> None:
        self.call = Call(CallSetup(**setup))
        self.events: list[Any] = []
        self.commands: list[AnyCommand] = []
        self.news = asyncio.Event()
        self.digits = TypedDigits(self.call, self.post, entropy=Random(1))
        self.agent = Agent("shop", instructions="Help.")
        self.context = CallContext(call_sid="CA1", post=self.post, collect=self.digits.collect)
        self.runner = ToolRunner(
            self.agent.tools, self.context, self.post, call_sid="CA1", threads=ToolThreads()
        )
        for event in (
            e.CallArrived("CA1", "+15550100", "+15550101"),
            e.ModelReady("S1"),
            e.StreamStarted("MZ1", 1),
            e.ResponseStarted("r1"),
            e.ToolCallRequested("t1", "pay", "{}", "r1"),
        ):
            self.post(event)
        self.commands.clear()

    def post(self, event: e.AnyEvent) -> None:
        event = self.digits.hide(event)
        self.events.append(event)
        commands = self.call.receive(event, 1000.0)
        self.commands += commands
        self.news.set()
        for command in commands:
            if isinstance(command, GiveDigits):
                self.digits.give(command)

    def press(self, digits: str) -> None:
        for digit in digits:
            self.post(e.DigitPressed(digit))

    async def wait_for(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(3600):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        return event
                self.news.clear()
                await self.news.wait()

    async def until_wanted(self) -> e.DigitsWanted:
        wanted = await self.wait_for(e.DigitsWanted)
        assert isinstance(wanted, e.DigitsWanted)
        return wanted

    async def run(self, function: Callable[..., Any], digits: str, **options: Any) -> str:
        """Run a tool, type `digits`, and return what the model gets."""
        self.agent.tool(name="pay", description="Pay.", **options)(function)
        self.runner.run(RunTool("t1", "pay", "{}"))
        await self.until_wanted()
        self.press(digits)
        await self.wait_for(e.ToolFinished)
        (output,) = [each.output for each in self.commands if isinstance(each, SendToolOutput)]
        return output

    @property
    def told(self) -> str:
        """Everything that the journal, the log and the model can know."""
        return msgspec.json.encode([self.events, self.commands]).decode()


async def collected(bench: Bench, typed: str, count: int, **options: Any) -> str:
    collecting = asyncio.create_task(bench.context.collect_digits(count, **options))
    await bench.until_wanted()
    bench.press(typed)
    return await collecting


async def test_the_tool_gets_the_digits_and_nothing_else_does() -> None:
    bench = Bench()
    assert await collected(bench, CARD, 16, secret=True, prompt="Your card?") == CARD
    (given,) = [each for each in bench.commands if isinstance(each, GiveDigits)]
    assert (given.typed, given.ending) == (16, "complete")
    pressed = [each for each in bench.events if isinstance(each, e.DigitPressed)]
    assert pressed == [e.DigitPressed()] * 16
    assert CARD not in bench.told
    assert bench.digits._digits == ""


async def test_the_finish_key_is_not_part_of_them() -> None:
    assert await collected(Bench(), "12#", 4) == "12"
    assert await collected(Bench(), "#", 4) == ""
    assert await collected(Bench(), "1#*", 4, finish_on_key="*") == "1#"


async def test_what_was_typed_when_the_time_was_over_is_returned() -> None:
    bench = Bench()
    collecting = asyncio.create_task(bench.context.collect_digits(4))
    await bench.until_wanted()
    bench.press("12")
    due = bench.call.conversation.collection.deadline
    assert due is not None
    for command in bench.call.expire(due):
        if isinstance(command, GiveDigits):
            bench.digits.give(command)
    assert await collecting == "12"


async def test_digits_that_the_owner_shows_are_in_the_journal_but_no_secrets() -> None:
    bench = Bench(digits_shown=True)
    assert await collected(bench, "12", 2) == "12"
    assert e.DigitPressed("1") in bench.events
    bench = Bench(digits_shown=True)
    assert await collected(bench, "12", 2, secret=True) == "12"
    assert e.DigitPressed("1") not in bench.events


async def test_a_call_that_moves_is_an_error_that_the_model_understands() -> None:
    bench = Bench()
    collecting = asyncio.create_task(bench.context.collect_digits(4, secret=True))
    await bench.until_wanted()
    bench.press("12")
    bench.post(e.StreamStopped("MZ1"))
    with pytest.raises(ToolError, match="could not be collected: the call has moved or ended"):
        await collecting
    assert bench.digits._digits == ""


async def test_a_process_that_takes_over_knows_how_many_were_typed_and_ends_it() -> None:
    bench = Bench()
    collecting = asyncio.create_task(bench.context.collect_digits(4, secret=True))
    wanted = await bench.until_wanted()
    bench.press("12")
    restored = Call(CallSetup())
    for event in msgspec.json.decode(msgspec.json.encode(bench.events), type=list[e.AnyEvent]):
        restored.receive(event, 1000.0)
    assert (restored.private, restored.conversation.collection.typed) == (True, 2)
    commands = restored.receive(e.CallRecovered(), 1001.0)
    assert GiveDigits(wanted.collection_id, 2, "interrupted") in commands
    assert not restored.private
    bench.digits.close()
    with pytest.raises(ToolError):
        await collecting


async def test_a_second_tool_has_to_wait_and_the_first_gets_its_digits() -> None:
    bench = Bench()
    first = asyncio.create_task(bench.context.collect_digits(2))
    await bench.until_wanted()
    with pytest.raises(ToolError, match="Another tool is collecting"):
        await bench.context.collect_digits(2)
    bench.press("12")
    assert await first == "12"


async def test_a_tool_that_is_cancelled_collects_no_more() -> None:
    bench = Bench()
    collecting = asyncio.create_task(bench.context.collect_digits(4, secret=True))
    wanted = await bench.until_wanted()
    bench.press("1")
    assert bench.call.private
    collecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert bench.events[-1] == e.DigitsUnwanted(wanted.collection_id)
    assert bench.commands[-1] == GiveDigits(wanted.collection_id, 1, "cancelled")
    assert bench.digits._digits == ""


async def test_digits_that_come_with_the_cancellation_are_nobodys() -> None:
    bench = Bench()
    collecting = asyncio.create_task(bench.context.collect_digits(1))
    await bench.until_wanted()
    collecting.cancel()
    bench.press("1")
    with pytest.raises(asyncio.CancelledError):
        await collecting
    assert CancelTool("t1") not in bench.commands


async def test_a_released_call_ends_the_wait() -> None:
    bench = Bench()
    bench.digits.close()
    collecting = asyncio.create_task(bench.context.collect_digits(1))
    wanted = await bench.until_wanted()
    bench.digits.give(GiveDigits("another", 1, "complete"))
    assert not collecting.done()
    bench.digits.close()
    with pytest.raises(ToolError, match="could not be collected"):
        await collecting
    bench.digits.give(GiveDigits(wanted.collection_id, 1, "complete"))


async def test_the_tools_deadline_does_not_run_meanwhile() -> None:
    bench = Bench()

    async def pay(call: CallContext) -> str:
        digits = await call.collect_digits(4)
        return f"{len(digits)} digits"

    async def slow(call: CallContext) -> str:
        waiting = asyncio.create_task(pay(call))
        await asyncio.sleep(5.0)
        bench.press("1234")
        return await waiting

    assert await bench.run(slow, "", timeout_seconds=6.0) == "4 digits"


async def test_a_plain_function_collects_in_its_thread() -> None:
    bench = Bench()

    def pay(call: CallContext) -> str:
        return f"{len(call.collect_digits_blocking(2, secret=True))} digits"

    with clock_stands():
        bench.agent.tool(name="pay", description="Pay.")(pay)
        bench.runner.run(RunTool("t1", "pay", "{}"))
        await bench.until_wanted()
        bench.press("12")
        finished = await bench.wait_for(e.ToolFinished)
    assert finished == e.ToolFinished("t1", "2 digits")


async def test_an_async_tool_is_told_to_await_them() -> None:
    with pytest.raises(ConfigError, match=r"write `await context.collect_digits\(...\)`"):
        Bench().context.collect_digits_blocking(2)


# --- what a tool makes of a secret ------------------------------------------------------------


async def test_a_secret_that_a_tool_returns_does_not_reach_the_model() -> None:
    async def pay(call: CallContext) -> str:
        card = await call.collect_digits(16, secret=True)
        return f"{card} ends in {card[-4:]}"

    bench = Bench()
    assert await bench.run(pay, CARD) == "\u2026 ends in 1111"
    assert CARD not in bench.told


@pytest.mark.parametrize("between", [" ", "-", ". ", "\u2013"])
@pytest.mark.parametrize("group", [1, 4])
async def test_a_secret_that_a_tool_returns_in_groups_does_not_reach_the_model(
    between: str, group: int
) -> None:
    async def pay(call: CallContext) -> str:
        card = await call.collect_digits(16, secret=True)
        groups = (card[at : at + group] for at in range(0, len(card), group))
        return f"paid with {between.join(groups)} on 2026-11-30"

    assert await Bench().run(pay, CARD) == "paid with \u2026 on 2026-11-30"


async def test_a_security_code_that_a_tool_returns_does_not_reach_the_model() -> None:
    async def pay(call: CallContext) -> str:
        code = await call.collect_digits(3, secret=True)
        return f"code {code}, order 9{code}8"

    assert await Bench().run(pay, "457") == "code \u2026, order 94578"


async def test_a_secret_is_not_in_the_log_of_a_tool_that_fails(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def pay(call: CallContext) -> str:
        card = await call.collect_digits(16, secret=True)
        raise RuntimeError(f"declined: {card}")

    bench = Bench()
    assert "technical problem" in await bench.run(pay, CARD)
    assert "RuntimeError: declined: \u2026" in caplog.text
    assert CARD not in caplog.text


async def test_digits_that_are_no_secret_are_the_tools_own_affair() -> None:
    async def order(call: CallContext) -> str:
        return f"Order {await call.collect_digits(4)} is on its way."

    assert await Bench().run(order, "4571") == "Order 4571 is on its way."


async def test_a_failure_without_a_secret_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def pay(call: CallContext) -> str:
        await call.collect_digits(4)
        raise RuntimeError("declined")

    await Bench().run(pay, "1234")
    (failed,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert failed.exc_info is not None


# --- what a tool may ask for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"count": 0}, "count must be a whole number from 1 to 64, got 0"),
        ({"count": 65}, "got 65"),
        ({"count": True}, "got True"),
        ({"secret": 1}, "secret must be True or False, got 1"),
        ({"finish_on_key": "##"}, "finish_on_key must be one key"),
        ({"finish_on_key": "E"}, "or '' for none, got 'E'"),
        ({"finish_on_key": None}, "got None"),
        ({"seconds": 0.5}, "seconds must be 1 to 300, got 0.5"),
        ({"seconds": 301}, "got 301"),
        ({"seconds": "20"}, "got '20'"),
        ({"prompt": " "}, "prompt must be a text of at most 500 characters, or None"),
        ({"prompt": "x" * 501}, "got 501 characters"),
        ({"prompt": 7}, "got 7"),
    ],
)
async def test_a_wrong_value_is_refused_before_the_caller_is_asked(
    wrong: dict[str, Any], said: str
) -> None:
    bench = Bench()
    with pytest.raises(ConfigError) as refused:
        await bench.context.collect_digits(**({"count": 4} | wrong))
    assert str(refused.value).startswith("context.collect_digits: ") and said in str(refused.value)
    assert not any(isinstance(each, e.DigitsWanted) for each in bench.events)


async def test_a_context_made_by_hand_gets_what_a_test_says() -> None:
    assert await CallContext(call_sid="CA1").collect_digits(4) == ""

    async def typed(request: DigitRequest) -> str:
        return "1234"[: request.count]

    assert await CallContext(call_sid="CA1", collect=typed).collect_digits(2) == "12"
