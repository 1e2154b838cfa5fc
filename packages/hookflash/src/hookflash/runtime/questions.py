"""Questions that a call's tools ask humans while the call goes on.

    asked --> answered by the hook, or by anybody through the event `QuestionAnswered`
          +-> timed out after the time that the tool set

The answer is always an event. So a supervisor can answer from the console of another process, and
the journal has every answer. The first answer counts.

    resource            acquired             released
    a task for a hook   a question via it    the question's end
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from hookflash.agents.context import Via, nobody_answered
from hookflash.agents.hooks import AnswerHook
from hookflash.agents.view import CallView
from hookflash.core.events import AnyEvent, QuestionAnswered, QuestionAsked
from hookflash.errors import ConfigError
from hookflash.runtime.owner_code import run_owner_code
from hookflash.runtime.ports import Clock, EventSink
from hookflash.runtime.tool_deadline import paused_deadline
from hookflash.runtime.valid_text import valid_text
from hookflash.runtime.wait_within import cancel_without_waiting

_log = logging.getLogger("hookflash.call.tools")

NO_ANSWER = "Nobody could answer this."
_MAX_SECONDS = 3600.0


class _Open(NamedTuple):
    """An open question. Its answer is a text, empty if the hook has none."""

    question: str
    answer: asyncio.Future[str]


class Questions:
    """The open questions of one call. Use it in the event loop's thread."""

    def __init__(
        self,
        *,
        clock: Clock,
        post: EventSink,
        view: Callable[[], CallView],
        entropy: Random,
        hook: AnswerHook | None = None,
    ) -> None:
        self._clock = clock
        self._post = post
        self._view = view
        self._entropy = entropy
        self._hook = hook
        self._open: dict[str, _Open] = {}

    @property
    def open(self) -> dict[str, str]:
        """Return the texts of the unanswered questions, by question id."""
        return {question_id: each.question for question_id, each in self._open.items()}

    def observe(self, event: AnyEvent | None) -> None:
        """Process an event of the call: it may be an answer."""
        if isinstance(event, QuestionAnswered) and event.answer.strip():
            self._settle(event.question_id, event.answer)

    async def ask(self, question: str, via: Via | None, seconds: float) -> str:
        """Ask a question and wait for the answer. See `CallContext.ask_human`."""
        via = self._check(question, via, seconds)
        question_id = f"Q{self._entropy.randbytes(8).hex()}"
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        asking: asyncio.Task[None] | None = None
        with paused_deadline():
            self._open[question_id] = _Open(question, answer)
            self._post(QuestionAsked(question_id, question, via))
            if via == "hook":
                asking = asyncio.create_task(self._ask_hook(question_id, question))
            try:
                async with asyncio.timeout(self._clock.delay(seconds)):
                    text = await answer
            except TimeoutError:
                text = ""
                without = nobody_answered(seconds)
            else:
                without = NO_ANSWER
            finally:
                del self._open[question_id]
                if asking is not None and not asking.done():
                    cancel_without_waiting(asking)
        if not text:
            self._post(QuestionAnswered(question_id, ""))
        return text or without

    def _settle(self, question_id: str, answer: str) -> bool:
        """Pass the answer to the tool. Return whether the tool was still waiting."""
        waiting = self._open.get(question_id)
        if waiting is None or waiting.answer.done():
            return False
        waiting.answer.set_result(answer)
        return True

    async def _ask_hook(self, question_id: str, question: str) -> None:
        assert self._hook is not None
        view, answer = self._view(), ""
        try:
            answer = await run_owner_code(self._hook, question, view)
            if not isinstance(answer, str):
                raise TypeError(f"expected a text, got {type(answer).__name__}")
            answer = valid_text(answer)
        except Exception:
            # The task ends here. The tool gets an empty answer.
            _log.exception("%s ! @agent.answers failed", view.call_sid)
            answer = ""
        if self._settle(question_id, answer.strip()) and answer.strip():
            self._post(QuestionAnswered(question_id, answer.strip(), by="hook"))

    def _check(self, question: str, via: Via | None, seconds: float) -> Via:
        where = "context.ask_human"
        if not isinstance(question, str) or not question.strip():
            raise ConfigError(f"{where}: the question must be a text, got {question!r}")
        if not 0 < seconds <= _MAX_SECONDS:
            raise ConfigError(
                f"{where}: seconds must be more than 0 and at most {_MAX_SECONDS:g}, got {seconds}"
            )
        if via is None:
            return "console" if self._hook is None else "hook"
        if via not in ("hook", "console"):
            raise ConfigError(f"{where}: via must be 'hook' or 'console', got {via!r}")
        if via == "hook" and self._hook is None:
            raise ConfigError(
                f"{where}: via='hook' needs a function that answers; give the agent one with"
                " @agent.answers, or ask via='console'"
            )
        return via
