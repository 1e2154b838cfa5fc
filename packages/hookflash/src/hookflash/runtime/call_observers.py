"""What goes on beside one call: questions of its tools to humans, and its owner's policies.

Neither stands in the call's way: both look on, and what comes of them is an event of the call.
"""

from __future__ import annotations

from random import Random

from hookflash.agents.context import Via
from hookflash.agents.view import CallView
from hookflash.core.call import Call
from hookflash.core.events import (
    AnyEvent,
    CallerTranscribed,
    HandoffRequested,
    QuestionAnswered,
    ToolCallRequested,
    ToolFinished,
)
from hookflash.runtime.agents import AgentLike
from hookflash.runtime.policy import Policies
from hookflash.runtime.ports import Clock, EventSink
from hookflash.runtime.questions import Questions
from hookflash.runtime.view import CallViews

OBSERVED = frozenset(
    {CallerTranscribed, HandoffRequested, QuestionAnswered, ToolCallRequested, ToolFinished}
)
"""The events that matter here, so that whoever watches a call need not ask for each."""


class CallObservers:
    """What observes one call. Used in the event loop's thread. Questions get their ids from
    `entropy`."""

    def __init__(
        self,
        agent: AgentLike,
        call: Call,
        post: EventSink,
        *,
        clock: Clock,
        entropy: Random,
    ) -> None:
        views = CallViews(call)

        def view(said: str = "") -> CallView:
            return views.of(clock.now(), said)

        self._questions = Questions(
            clock=clock, post=post, view=view, entropy=entropy, hook=agent.answer_hook
        )
        self._policies = Policies(
            agent.policies,
            view=view,
            now=clock.now,
            post=post,
            destinations=[each.key for each in call.setup.destinations],
            language=agent.language,
        )

    async def ask(self, question: str, via: Via | None, seconds: float) -> str:
        """Ask a human. See `CallContext.ask_human`."""
        return await self._questions.ask(question, via, seconds)

    def observe(self, event: AnyEvent | None) -> None:
        """Something has happened to the call, and was carried out."""
        self._questions.observe(event)
        self._policies.observe(event)

    def close(self) -> None:
        """The call is over."""
        self._policies.close()
