"""Observers of one call: questions from its tools to humans, and the owner's policies.

Observers never delay the call. Each result is posted to the call as an event.
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
from hookflash.runtime.call_views import CallViews
from hookflash.runtime.policy import Policies
from hookflash.runtime.ports import Clock, EventSink
from hookflash.runtime.questions import Questions

OBSERVED = frozenset(
    {CallerTranscribed, HandoffRequested, QuestionAnswered, ToolCallRequested, ToolFinished}
)
"""The event types that observers need. Other events are not passed to them."""


class CallObservers:
    """The observers of one call. Use it in the event loop's thread.

    Question ids are generated from `entropy`.
    """

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
        """Process an event that the call has handled."""
        self._questions.observe(event)
        self._policies.observe(event)

    def close(self) -> None:
        """Stop observing: the call has ended."""
        self._policies.close()
