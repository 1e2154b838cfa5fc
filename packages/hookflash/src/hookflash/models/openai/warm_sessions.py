"""Realtime sessions that are open before their call is known (`models.pool.WarmConnector`).

    connect --session.created--> READY --assign: session.update--> a normal session

Everything about a caller is in the `session.update`, except the header `OpenAI-Safety-Identifier`.
It belongs to the connection, so warm sessions do not have it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from picows import WSTransport

from hookflash.core.events import AnyEvent, ModelLost
from hookflash.core.setup import ModelSetup
from hookflash.models.openai import error_mapping, messages
from hookflash.models.openai.link import EventSink, OpenAIConnector, OpenAILink
from hookflash.models.openai.options import RealtimeOptions
from hookflash.models.openai.session import RealtimeSession
from hookflash.models.openai.turn_timing import TurnTiming

logger = logging.getLogger("hookflash.model")

_NO_CALL = ModelSetup(instructions="")


class WarmOpenAILink(OpenAILink):
    """A session that sends nothing before it is assigned to a call."""

    def __init__(
        self,
        options: RealtimeOptions,
        *,
        on_ready: Callable[[], None],
        on_lost: Callable[[], None],
        max_unsent_bytes: int,
        stall_seconds: float,
    ) -> None:
        super().__init__(
            RealtimeSession(_NO_CALL, options),
            _reported(on_lost),
            max_unsent_bytes=max_unsent_bytes,
            stall_seconds=stall_seconds,
            timed=False,
        )
        self._options = options
        self._on_ready = on_ready
        self._greeting: bytes | None = None
        self._given = False

    def assign(self, setup: ModelSetup, on_event: EventSink) -> OpenAILink:
        """Make it the session of a call; like `OpenAIConnector.open`, without connecting."""
        self._given = True
        self._session = RealtimeSession(setup, self._options)
        self._on_event = on_event
        if self._options.log_timing:
            self._timing = TurnTiming(self._now())
        if self._transport is not None:
            super().opened(self._transport)
        if self._greeting is not None:
            super().message(self._greeting)
        return self

    def opened(self, transport: WSTransport) -> None:
        self._transport = transport

    def message(self, data: bytes) -> None:
        if self._given:
            super().message(data)
            return
        message = messages.decode(data)
        if isinstance(message, messages.SessionCreated) and self._greeting is None:
            self._greeting = data
            self.settled.set()
            self._on_ready()
        elif isinstance(message, messages.ErrorRaised):
            self.fail(error_mapping.on_error_while_configuring(message.error))


def _reported(on_lost: Callable[[], None]) -> EventSink:
    """Return a function that logs why a session is lost before a call uses it."""

    def lost(event: AnyEvent) -> None:
        if isinstance(event, ModelLost):
            logger.warning("! a warm session with the model is lost: %s", event.reason)
        on_lost()

    return lost


class WarmingConnector(OpenAIConnector):
    """An `OpenAIConnector` that can also open sessions without a call."""

    def warm(self, *, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> WarmOpenAILink:
        """Open a session that waits for a call; see `models.pool.WarmConnector`."""
        link = WarmOpenAILink(
            self._options,
            on_ready=on_ready,
            on_lost=on_lost,
            max_unsent_bytes=self._max_unsent_bytes,
            stall_seconds=self._stall_seconds,
        )
        task = asyncio.get_running_loop().create_task(self._run(link, None, self._url))
        self._links[task] = link
        task.add_done_callback(self._links.pop)
        return link
