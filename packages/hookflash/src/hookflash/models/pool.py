"""Sessions with a model that are open before a call comes, so that the first word comes sooner.

    CONNECTING --open--> READY --a call--> GIVEN: the pool has forgotten it
        |                  |
        |                  +-- too old --> closed, once another is READY in its place
        +------------------+-- lost -----> another, later each time in a row

A warm session has its socket and its greeting behind it; a call only tells it who it shall be.
It is given away young, because a model ends a session after a time, and a call shall have most of
that. A call that comes while none is READY opens its own, as it would without a pool.

`WarmPool` has the shape of the connector that it wraps (`runtime.ports.ModelConnector`).

    resource        acquired                       released
    a warm session  start(), a gift, a loss, age   given to a call, or close()
    a timer         a READY session's age, a loss  when it is due, or close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent
from hookflash.core.setup import ModelSetup

log = logging.getLogger("hookflash.model")

EventSink = Callable[[AnyEvent], object]

YOUNG = 0.1
"""How much of a session's life may be over when a call gets it."""

RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Link(Protocol):
    """A session that a call has (`runtime.ports.ModelLink`)."""

    def carry_out(self, command: AnyCommand) -> None: ...

    def close(self) -> None: ...


class WarmLink(Protocol):
    """A session that waits for its call."""

    def give(self, setup: ModelSetup, on_event: EventSink) -> Link:
        """Make it the session of a call, once; it ends in `ModelReady` or `ModelLost`."""
        ...

    def close(self) -> None: ...


class Warming(Protocol):
    """A connector that can open a session before it is known for whom.

    Of `on_ready` and `on_lost` each is called at most once, `on_lost` only while the session is
    not given and not closed, and neither before `warm` has returned.
    """

    def open(self, setup: ModelSetup, on_event: EventSink) -> Link: ...

    def warm(self, *, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> WarmLink: ...


class WarmPool:
    """Keeps `size` sessions of `connector` warm; `session_seconds` is how long one may live."""

    def __init__(self, connector: Warming, *, size: int, session_seconds: float) -> None:
        self.given = 0
        """Calls that found a warm session."""
        self.missed = 0
        """Calls that found none."""
        self._connector = connector
        self._size = size
        self._young_seconds = session_seconds * YOUNG
        self._connecting: set[WarmLink] = set()
        self._ready: dict[WarmLink, asyncio.TimerHandle] = {}
        self._old: list[WarmLink] = []
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> int:
        """How many sessions wait for a call."""
        return len(self._ready) + len(self._old)

    def start(self) -> None:
        """Begin to keep sessions warm; in the event loop's thread."""
        self._fill()

    def open(self, setup: ModelSetup, on_event: EventSink) -> Link:
        """Give the call the session that has waited longest, or open one for it."""
        link = self._take()
        if link is None:
            self.missed += 1
            return self._connector.open(setup, on_event)
        self.given += 1
        self._fill()
        return link.give(setup, on_event)

    def close(self) -> None:
        """Close what waits; calls that come now open their own."""
        self._size = 0
        if self._retry is not None:
            self._retry.cancel()
        for timer in self._ready.values():
            timer.cancel()
        for link in (*self._connecting, *self._ready, *self._old):
            link.close()
        self._connecting.clear()
        self._ready.clear()
        self._old.clear()

    def _take(self) -> WarmLink | None:
        if self._old:
            return self._old.pop(0)
        if not self._ready:
            return None
        link = next(iter(self._ready))
        self._ready.pop(link).cancel()
        return link

    def _fill(self) -> None:
        """Open as many as are wanted and are not there or on their way."""
        self._retry = None
        while len(self._connecting) + len(self._ready) < self._size:
            self._add()

    def _add(self) -> None:
        link = self._connector.warm(on_ready=lambda: made_ready(), on_lost=lambda: lost())
        self._connecting.add(link)

        def made_ready() -> None:
            self._connecting.discard(link)
            self._failures = 0
            loop = asyncio.get_running_loop()
            self._ready[link] = loop.call_later(self._young_seconds, self._age, link)
            if self._old:
                self._old.pop(0).close()

        def lost() -> None:
            self._connecting.discard(link)
            timer = self._ready.pop(link, None)
            if timer is not None:
                timer.cancel()
            if link in self._old:
                self._old.remove(link)
            self._fill_later()

    def _age(self, link: WarmLink) -> None:
        """It is too old to be kept, but still better than none until another is there."""
        del self._ready[link]
        self._old.append(link)
        self._fill()

    def _fill_later(self) -> None:
        if self._retry is not None or self._size == 0:
            return
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        log.warning("! a warm session is lost: another in %g s", seconds)
        self._retry = asyncio.get_running_loop().call_later(seconds, self._fill)
