"""Add up what the line has spent since midnight UTC, by the owner's prices.

    ended calls   of all processes, from the database: those that arrived since midnight UTC
    live calls    of this process, up to now

The sum is an estimate (`console.prices`). It includes the live calls of other processes only when
they have ended and are in the database. It is computed every `REFRESH_SECONDS`, so calls that
arrive together may exceed the limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.console.prices import Prices
from hookflash.core.call import Call
from hookflash.runtime.call_views import CallViews
from hookflash.stores.figures import figures

log = logging.getLogger("hookflash.server")

REFRESH_SECONDS = 15.0
_DAY_SECONDS = 86_400.0


class DailySpend:
    """What the line has spent today. `live` yields the live calls; `now` is seconds since 1970."""

    def __init__(
        self,
        limit: float,
        prices: Prices,
        engine: AsyncEngine,
        live: Callable[[], Iterable[Call]],
        now: Callable[[], float],
    ) -> None:
        self.spent = 0.0
        self._limit = limit
        self._prices = prices
        self._engine = engine
        self._live = live
        self._now = now
        self._day = 0.0

    @property
    def over(self) -> bool:
        """Whether the limit is reached. A day that has just begun has its whole limit."""
        return self.spent >= self._limit and self._now() < self._day + _DAY_SECONDS

    async def refresh(self) -> None:
        """Compute the sum. Raises `SQLAlchemyError` if the database does not answer."""
        now, was_over = self._now(), self.over
        day = now - now % _DAY_SECONDS
        (ended,) = await figures(self._engine, since=day, until=now + 1.0, step=now + 1.0 - day)
        total = self._prices.sum(
            line_seconds=ended.seconds,
            spoken=(ended.caller_seconds, ended.agent_seconds),
            uncounted=ended.uncounted,
            tokens=ended.tokens,
        ).total
        for call in self._live():
            views = CallViews(call)
            total += self._prices.cost(
                line_seconds=max(0.0, now - call.info.arrived_at),
                caller_seconds=views.spoken_seconds("caller"),
                agent_seconds=views.spoken_seconds("agent"),
                tokens=call.conversation.tokens,
            ).total
        self._day, self.spent = day, round(total, 4)
        if self.over and not was_over:
            log.warning(
                "! the line has spent %.2f %s since midnight UTC, and HOOKFLASH_MAX_DAILY_SPEND is"
                " %g: new calls are refused until midnight UTC, live calls go on",
                *(self.spent, self._prices.currency, self._limit),
            )

    @contextlib.asynccontextmanager
    async def refreshing(self, delay: Callable[[float], float]) -> AsyncIterator[None]:
        """Compute the sum at the start of the block, and regularly within it.

        `delay` converts seconds of the calls' clock into the event loop's.
        """
        await self._try_refresh()
        task = asyncio.create_task(self._refresh_regularly(delay))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _refresh_regularly(self, delay: Callable[[float], float]) -> None:
        while True:
            await asyncio.sleep(delay(REFRESH_SECONDS))
            await self._try_refresh()

    async def _try_refresh(self) -> None:
        try:
            await self.refresh()
        except SQLAlchemyError:
            # The last sum stays: a database that is away must not end or admit calls by itself.
            log.exception("! what the line has spent today cannot be read: the last sum stays")
