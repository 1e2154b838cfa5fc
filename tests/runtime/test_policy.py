from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from hookflash.agents.hooks import Policy
from hookflash.agents.view import CallView
from hookflash.core.call import Call
from hookflash.core.events import (
    CallArrived,
    CallerTranscribed,
    HandoffRequested,
    ToolCallRequested,
    ToolFinished,
)
from hookflash.core.frustration import Frustration
from hookflash.core.setup import CallSetup
from hookflash.runtime import wait_within as module
from hookflash.runtime.call_views import CallViews
from hookflash.runtime.policy import Policies


class Bench:
    """A call as its policies see it; `posted` is what they want."""

    def __init__(self, *policies: Policy, seconds: float = 2.0) -> None:
        self.now = 100.0
        self.barge_ins = 0
        self.posted: list[Any] = []
        self.policies = Policies(
            policies,
            view=self.view,
            now=lambda: self.now,
            post=self.posted.append,
            destinations=("support",),
            language="en",
            seconds=seconds,
        )

    def view(self, said: str) -> CallView:
        return CallView(call_sid="CA1", agent="shop", said=said, barge_ins=self.barge_ins)

    def says(self, text: str) -> None:
        self.policies.observe(CallerTranscribed("c1", text))

    async def settled(self) -> Sequence[Any]:
        while self.policies._task is not None:
            await asyncio.wait([self.policies._task])
        await asyncio.gather(*module._cancelled, return_exceptions=True)
        return self.posted


async def test_a_function_is_asked_at_each_turn_and_may_want_a_human() -> None:
    views: list[CallView] = []

    async def policy(call: CallView) -> tuple[str, str] | None:
        views.append(call)
        return ("support", "a lawyer is needed") if "lawyer" in call.said else None

    bench = Bench(policy)
    bench.says("Hello.")
    assert await bench.settled() == []
    bench.says("I want my lawyer.")
    assert await bench.settled() == [
        HandoffRequested("support", "a lawyer is needed", source="policy")
    ]
    assert [view.said for view in views] == ["Hello.", "I want my lawyer."]


async def test_nothing_but_what_the_caller_says_is_a_turn() -> None:
    async def policy(call: CallView) -> tuple[str, str] | None:
        return ("support", "always")

    bench = Bench(policy)
    bench.policies.observe(None)
    bench.policies.observe(ToolFinished("t1", "no", True))
    bench.says("  ")
    assert await bench.settled() == []


async def test_turns_that_come_while_it_thinks_are_one_turn_and_the_newest() -> None:
    views: list[str] = []
    go = asyncio.Event()

    async def policy(call: CallView) -> tuple[str, str] | None:
        views.append(call.said)
        await go.wait()
        return None

    bench = Bench(policy)
    for text in ("one", "two", "three"):
        bench.says(text)
        await asyncio.sleep(0)
    go.set()
    await bench.settled()
    assert views == ["one", "three"]


async def test_the_first_policy_that_wants_a_human_has_its_way() -> None:
    async def first(call: CallView) -> tuple[str, str] | None:
        return None

    async def second(call: CallView) -> tuple[str, str] | None:
        return ("support", "second")

    async def third(call: CallView) -> tuple[str, str] | None:
        raise AssertionError("nobody asks me")

    bench = Bench(first, second, third)
    bench.says("Hello.")
    assert [event.reason for event in await bench.settled()] == ["second"]


async def test_a_function_that_fails_is_late_or_talks_nonsense_wants_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails(call: CallView) -> tuple[str, str] | None:
        raise LookupError("no customer")

    async def late(call: CallView) -> tuple[str, str] | None:
        await asyncio.sleep(60)
        return None

    async def nowhere(call: CallView) -> tuple[str, str] | None:
        return ("moon", "why not")

    async def nonsense(call: CallView) -> Any:
        return "support"

    bench = Bench(fails, late, nowhere, nonsense, seconds=0.02)
    with caplog.at_level(logging.WARNING):
        bench.says("Hello.")
        assert await bench.settled() == []
    assert "CA1 ! policy fails failed" in caplog.text
    assert "CA1 ! policy late did not answer within 0.02 s" in caplog.text
    assert "policy nowhere must return None, or (destination, reason)" in caplog.text
    assert "policy nonsense must return None" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_a_function_that_would_end_the_process_wants_nothing(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def ends(call: CallView) -> tuple[str, str] | None:
        raise error

    async def wants(call: CallView) -> tuple[str, str] | None:
        return "support", "always"

    bench = Bench(ends, wants)
    bench.says("Hello.")
    assert await bench.settled() == [HandoffRequested("support", "always", source="policy")]
    assert "CA1 ! policy ends failed" in caplog.text
    assert f"raise error\n{error.__name__}" in caplog.text


async def test_frustration_is_judged_at_once_with_its_reasons() -> None:
    bench = Bench(Frustration("support"))
    bench.says("Can I speak to a human?")
    bench.barge_ins = 3
    bench.says("No. I have a question for a human.")
    assert bench.posted == [
        HandoffRequested(
            "support", "said 'human' twice, talked over the agent three times", source="policy"
        )
    ]


async def test_failing_tools_are_frustrating_by_themselves() -> None:
    bench = Bench(Frustration("support"))
    bench.policies.observe(ToolFinished("t1", "no", True))
    bench.policies.observe(ToolFinished("t2", "no", True))
    assert bench.posted == []
    bench.policies.observe(ToolFinished("t3", "no", True))
    assert [event.reason for event in bench.posted] == ["third failed lookup"]


@pytest.mark.parametrize(
    "event",
    [
        HandoffRequested("support", "a supervisor takes over"),
        ToolCallRequested("t1", "transfer_to_human", "{}"),
    ],
)
async def test_when_a_human_is_on_the_way_already_the_signs_are_forgotten(event: Any) -> None:
    bench = Bench(Frustration("support"))
    bench.says("A human, please.")
    bench.policies.observe(ToolCallRequested("t2", "order_status", "{}"))
    bench.policies.observe(event)
    bench.says("Is the human there now?")
    assert bench.posted == []
    bench.says("I want that human.")
    assert [each.reason for each in bench.posted] == ["said 'human' twice"]


async def test_a_call_that_is_over_hears_no_more_of_its_policies() -> None:
    cancelled = asyncio.Event()

    async def policy(call: CallView) -> tuple[str, str] | None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()
        return ("support", "too late")

    bench = Bench(policy)
    bench.says("Hello.")
    await asyncio.sleep(0.01)
    bench.policies.close()
    await asyncio.wait_for(cancelled.wait(), 1.0)
    assert await bench.settled() == []
    bench.policies.close()


def test_a_call_is_seen_as_plain_facts() -> None:
    call = Call(CallSetup(agent="shop"))
    call.receive(CallArrived("CA1", "+15550101", "+15550100"), 100.0)
    assert CallViews(call).of(103.5, "Hello.") == CallView(
        call_sid="CA1",
        agent="shop",
        caller="+15550101",
        called="+15550100",
        seconds=3.5,
        said="Hello.",
    )
