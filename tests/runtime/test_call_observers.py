"""Policies and questions on the switchboard: they look on, and what comes of them is an event."""

from __future__ import annotations

import asyncio
from typing import Any

from hookflash import Agent, CallContext, CallView, Cold, Directory, Frustration, Target
from hookflash.agents.context import AskHuman, CollectDigits
from hookflash.core import events as e
from hookflash.core.commands import AnyCommand, SendToolOutput
from hookflash.runtime.agents import AgentLike
from hookflash.runtime.ports import EventSink
from hookflash.runtime.switchboard import Switchboard

from .conftest import Stream, World

ARRIVED = e.CallArrived("CA1", "+15550100009", "+15550100001")


class Line:
    """A switchboard with one call that talks, and all that happened to it."""

    def __init__(self, world: World, agent: Agent) -> None:
        self.world = world
        self.seen: list[Any] = []
        self.news = asyncio.Event()
        self.board = Switchboard(
            Directory.of(agent),
            clock=world.clock,
            control=world.control,
            connector=world.connector,
            records=world.records,
            deliveries=world.deliveries,
            journals=world.journals,
            make_context=self.context,
            watch=self.watch,
        )
        self.post: EventSink = self.nowhere

    @classmethod
    async def of(cls, world: World, agent: Agent) -> Line:
        line = cls(world, agent)
        await line.board.arrive(ARRIVED)
        line.post = line.board.attach("CA1", Stream()) or line.nowhere
        line.post(e.StreamStarted("MZ1", 1))
        line.post(e.ModelReady())
        return line

    def nowhere(self, event: object) -> None:
        raise AssertionError("the call has no stream")

    def context(
        self,
        agent: AgentLike,
        call: object,
        post: EventSink,
        ask: AskHuman,
        collect: CollectDigits,
    ) -> CallContext:
        return CallContext(call_sid="CA1", agent=agent.name, post=post, ask=ask, collect=collect)

    def watch(self, call_sid: str, event: e.AnyEvent | None, commands: list[AnyCommand]) -> None:
        self.seen += [event, *commands]
        self.news.set()

    async def wait_for(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(5):
            while True:
                for each in self.seen:
                    if isinstance(each, kind):
                        return each
                self.news.clear()
                await self.news.wait()


def make() -> Agent:
    agent = Agent("desk", instructions="Help.", greeting="Hello.")
    plan = Cold(Target.phone("+15550100002"))
    agent.handoff("support", when="somebody asks", plan=plan)
    return agent


async def test_a_policy_brings_in_a_human_with_its_reason(world: World) -> None:
    agent = make()
    views: list[CallView] = []

    @agent.policy
    async def lawyers(call: CallView) -> tuple[str, str] | None:
        views.append(call)
        return ("support", "wants a lawyer") if "lawyer" in call.said else None

    line = await Line.of(world, agent)
    line.post(e.CallerTranscribed("c1", "I will get my lawyer."))
    wanted = await line.wait_for(e.HandoffRequested)
    assert wanted == e.HandoffRequested("support", "wants a lawyer", source="policy")
    assert line.board.live[0].call.handoff.running
    (view,) = views
    assert (view.call_sid, view.agent, view.caller) == ("CA1", "desk", "+15550100009")
    assert [each.text for each in view.transcript] == ["I will get my lawyer."]
    await line.board.close()


async def test_frustration_is_seen_across_turns(world: World) -> None:
    agent = make()
    agent.policy(Frustration("support"))
    line = await Line.of(world, agent)
    line.post(e.CallerTranscribed("c1", "A human, please."))
    assert not line.board.live[0].call.handoff.running
    line.post(e.CallerTranscribed("c2", "I said, a human."))
    wanted = await line.wait_for(e.HandoffRequested)
    assert wanted.reason == "said 'human' twice"
    await line.board.close()


async def test_a_tool_asks_a_human_and_gets_the_answer_as_an_event(world: World) -> None:
    agent = make()

    @agent.tool
    async def discount(percent: int, call: CallContext) -> str:
        """Give a discount."""
        return await call.ask_human(f"May I give {percent} percent off?", via="console")

    line = await Line.of(world, agent)
    line.post(e.ToolCallRequested("t1", "discount", '{"percent": 20}', "r1"))
    asked = await line.wait_for(e.QuestionAsked)
    assert asked.question == "May I give 20 percent off?"
    assert await line.board.post("CA1", e.QuestionAnswered(asked.question_id, "This once.", "ann"))
    assert (await line.wait_for(SendToolOutput)).output == "This once."
    await line.board.close()


async def test_when_a_call_is_over_its_policies_are_too(world: World) -> None:
    agent = make()
    begun, ended = asyncio.Event(), asyncio.Event()

    @agent.policy
    async def slow(call: CallView) -> tuple[str, str] | None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ("support", "too late")

    line = await Line.of(world, agent)
    line.post(e.CallerTranscribed("c1", "Hello."))
    await begun.wait()
    await line.board.post("CA1", e.CallCompleted())
    await asyncio.wait_for(ended.wait(), 5)
    await line.board.post("CA1", e.CallerTranscribed("c2", "Is anybody there?"))
    await line.board.close()
    assert not [each for each in line.seen if isinstance(each, e.HandoffRequested)]
