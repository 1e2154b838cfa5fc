"""Realtime sessions that are open before it is known for whom (`models.pool.Warming`).

    connect --session.created--> READY --give: session.update--> a session as any other

What belongs to a caller travels in the `session.update`. The one exception is the header
`OpenAI-Safety-Identifier`: it is part of the connection, so warm sessions are without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from picows import WSTransport

from hookflash.core.setup import ModelSetup
from hookflash.models.openai import faults, messages
from hookflash.models.openai.link import EventSink, OpenAIConnector, OpenAILink
from hookflash.models.openai.options import RealtimeOptions
from hookflash.models.openai.session import RealtimeSession
from hookflash.models.openai.stopwatch import Stopwatch

_NOBODY = ModelSetup(instructions="")


class WarmOpenAILink(OpenAILink):
    """A session that sends nothing before it is given to a call."""

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
            RealtimeSession(_NOBODY, options),
            lambda event: on_lost(),
            max_unsent_bytes=max_unsent_bytes,
            stall_seconds=stall_seconds,
            timed=False,
        )
        self._options = options
        self._on_ready = on_ready
        self._greeting: bytes | None = None
        self._given = False

    def give(self, setup: ModelSetup, on_event: EventSink) -> OpenAILink:
        """Make it the session of a call; as `OpenAIConnector.open`, but without the way there."""
        self._given = True
        self._session = RealtimeSession(setup, self._options)
        self._on_event = on_event
        if self._options.log_timing:
            self._stopwatch = Stopwatch(self._now())
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
            self.fail(faults.on_error_while_configuring(message.error))


class WarmingConnector(OpenAIConnector):
    """An `OpenAIConnector` that can also open sessions for nobody yet."""

    def warm(self, *, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> WarmOpenAILink:
        """Begin a session that waits; see `models.pool.Warming`."""
        link = WarmOpenAILink(
            self._options,
            on_ready=on_ready,
            on_lost=on_lost,
            max_unsent_bytes=self._max_unsent_bytes,
            stall_seconds=self._stall_seconds,
        )
        task = asyncio.get_running_loop().create_task(self._run(link, None))
        self._links[task] = link
        task.add_done_callback(self._links.pop)
        return link
