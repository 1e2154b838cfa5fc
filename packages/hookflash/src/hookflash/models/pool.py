"""A pool of model sessions that are open before a call arrives, for a faster first word.

    CONNECTING --open--> READY --a call--> ASSIGNED: no longer in the pool
        |                  |
        |                  +-- too old --> closed, once another is READY in its place
        +------------------+-- lost -----> another, with a growing delay

A warm session has already opened its socket and received the server's greeting; a call only
configures it. A session is replaced while it is young, because a model ends it after a time and a
call should have most of that time. If no session is READY, the call opens its own.

`WarmPool` has the interface of the connector that it wraps (`runtime.ports.ModelConnector`).

    resource        acquired                              released
    a warm session  start(), an assignment, a loss, age   assigned to a call, or close()
    a timer         a READY session's age, a loss         when it is due, or close()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent
from hookflash.core.setup import ModelSetup

log = logging.getLogger("hookflash.model")

EventSink = Callable[[AnyEvent], object]

MAX_WAITING_SHARE = 0.1
"""The share of a session's lifetime that may have passed when a call gets it."""

RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Link(Protocol):
    """A session that a call has (`runtime.ports.ModelLink`)."""

    def carry_out(self, command: AnyCommand) -> None: ...

    def send_sound(self, payload: bytes) -> None: ...

    def close(self) -> None: ...


class WarmLink(Protocol):
    """A session that waits for a call."""

    def assign(self, setup: ModelSetup, on_event: EventSink) -> Link:
        """Make it the session of a call, once; it posts `ModelReady` or `ModelLost`."""
        ...

    def close(self) -> None: ...


class WarmConnector(Protocol):
    """A connector that can open a session before its call is known.

    `on_ready` and `on_lost` are each called at most once, and not before `warm` has returned.
    `on_lost` is called only while the session is neither assigned nor closed.
    """

    def open(self, setup: ModelSetup, on_event: EventSink) -> Link: ...

    def warm(self, *, on_ready: Callable[[], None], on_lost: Callable[[], None]) -> WarmLink: ...


class Pool(Protocol):
    """Warm sessions, as the metrics count them."""

    @property
    def ready(self) -> int: ...

    @property
    def given(self) -> int: ...

    @property
    def missed(self) -> int: ...


class WarmPools:
    """A pool for each model of a line's agents, because a session cannot change its model.

    `pools` are by the name of the model, and `default` is the line's own. The interface is that of
    one pool.
    """

    def __init__(self, pools: Mapping[str, WarmPool], *, default: str) -> None:
        self._pools = pools
        self._default = default

    @property
    def ready(self) -> int:
        return sum(each.ready for each in self._pools.values())

    @property
    def given(self) -> int:
        return sum(each.given for each in self._pools.values())

    @property
    def missed(self) -> int:
        return sum(each.missed for each in self._pools.values())

    def start(self) -> None:
        for each in self._pools.values():
            each.start()

    def open(self, setup: ModelSetup, on_event: EventSink) -> Link:
        """Assign a session of the call's model, or open one."""
        return self._pools[setup.own.model or self._default].open(setup, on_event)

    def close(self) -> None:
        for each in self._pools.values():
            each.close()


class WarmPool:
    """Holds `size` warm sessions of `connector`; `session_seconds` is a session's lifetime."""

    def __init__(self, connector: WarmConnector, *, size: int, session_seconds: float) -> None:
        self.given = 0
        """How many calls got a warm session."""
        self.missed = 0
        """How many calls found none."""
        self._connector = connector
        self._size = size
        self._max_waiting_seconds = session_seconds * MAX_WAITING_SHARE
        self._connecting: set[WarmLink] = set()
        self._ready: dict[WarmLink, asyncio.TimerHandle] = {}
        self._old: list[WarmLink] = []
        self._failures = 0
        self._retry: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> int:
        """Return how many sessions are waiting."""
        return len(self._ready) + len(self._old)

    def start(self) -> None:
        """Start to open sessions; in the event loop's thread."""
        self._fill()

    def open(self, setup: ModelSetup, on_event: EventSink) -> Link:
        """Assign the session that has waited longest, or open one."""
        link = self._take()
        if link is None:
            self.missed += 1
            return self._connector.open(setup, on_event)
        self.given += 1
        self._fill()
        return link.assign(setup, on_event)

    def close(self) -> None:
        """Close the waiting sessions; later calls open their own."""
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
        """Open sessions until `size` are ready or connecting."""
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
            self._ready[link] = loop.call_later(self._max_waiting_seconds, self._age, link)
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
        """Replace an old session; it may still be assigned until the new one is ready."""
        del self._ready[link]
        self._old.append(link)
        self._fill()

    def _fill_later(self) -> None:
        if self._retry is not None or self._size == 0:
            return
        seconds = RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS) - 1)]
        self._failures += 1
        log.warning("! a warm session is lost: the next one is opened in %g s", seconds)
        self._retry = asyncio.get_running_loop().call_later(seconds, self._fill)
