"""Figures over time, computed by the database: calls are not read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from hookflash.core.token_usage import COUNTS, Tokens
from hookflash.stores import tables


class Distribution(msgspec.Struct):
    """The distribution of a duration: exact quantiles, in seconds."""

    count: int = 0
    mean: float | None = None
    p50: float | None = None
    p90: float | None = None


class Figure(msgspec.Struct):
    """The calls that arrived in one time step. Seconds and tokens are sums.

    `uncounted` are the seconds of caller and agent in calls whose model reported no tokens.
    """

    calls: int = 0
    seconds: float = 0.0
    caller_seconds: float = 0.0
    agent_seconds: float = 0.0
    barge_ins: int = 0
    uncounted: tuple[float, float] = (0.0, 0.0)
    tokens: Tokens = Tokens()
    dispositions: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    to_human: Distribution = msgspec.field(default_factory=Distribution)
    answer: Distribution = msgspec.field(default_factory=Distribution)


async def figures(
    engine: AsyncEngine, *, since: float, until: float, step: float
) -> Sequence[Figure]:
    """Return a figure for each step of `step` seconds from `since` until `until` (seconds since
    1970)."""
    found: dict[int, Figure] = {}
    async with engine.connect() as connection:
        count = _Count(connection, engine.dialect.name, since=since, until=until, step=step)
        await count.fill(found)
    steps = max(1, ceil((until - since) / step))
    return [found.get(number) or Figure() for number in range(steps)]


class _Count:
    """The queries of one request; each fills in its part of the figures, by the step's number."""

    def __init__(
        self, connection: AsyncConnection, dialect: str, *, since: float, until: float, step: float
    ) -> None:
        calls = tables.calls.c
        self._connection = connection
        self._within = (calls.arrived_at >= since, calls.arrived_at < until)
        place: ColumnElement[Any] = (calls.arrived_at - since) / step
        # SQLite truncates where PostgreSQL rounds, and lacks `floor` in some builds.
        self._step = cast(func.floor(place) if dialect == "postgresql" else place, Integer)

    async def fill(self, found: dict[int, Figure]) -> None:
        calls, attempts = tables.calls.c, tables.handoffs.c
        spoken = (calls.caller_seconds, calls.agent_seconds)
        counts = [tables.calls.c[name] for name in COUNTS]
        nothing = and_(*(each == 0 for each in counts))
        uncounted = (case((nothing, each), else_=0.0) for each in spoken)
        sums = (calls.seconds, *spoken, calls.barge_ins, *uncounted, *counts)
        query = select(self._step, func.count(), *(func.sum(each) for each in sums))
        for step, *numbers in await self._rows(query.where(*self._within).group_by(self._step)):
            count, seconds, caller, agent, barge_ins, caller_by, agent_by, *tokens = numbers
            # PostgreSQL returns the sum of integers as a decimal.
            took = Tokens(**dict(zip(COUNTS, map(int, tokens), strict=True)))
            by_time = (caller_by, agent_by)
            found[step] = Figure(count, seconds, caller, agent, barge_ins, by_time, took, {}, {})
        by_disposition = select(self._step, calls.disposition, func.count())
        for step, name, number in await self._grouped(by_disposition, calls.disposition):
            found[step].dispositions[name] = number
        tried = select(self._step, attempts.outcome, func.count()).join_from(
            tables.calls, tables.handoffs
        )
        for step, name, number in await self._grouped(tried, attempts.outcome):
            found[step].outcomes[name] = number
        reached = select().select_from(tables.calls.join(tables.handoffs))
        await self._add_distribution(reached, attempts.seconds_to_human, found, "to_human")
        await self._add_distribution(
            select().select_from(tables.calls), calls.answer_seconds, found, "answer"
        )

    async def _grouped(self, query: Any, by: ColumnElement[str]) -> Sequence[Any]:
        return await self._rows(query.where(*self._within).group_by(self._step, by))

    async def _add_distribution(
        self, base: Any, value: ColumnElement[Any], found: dict[int, Figure], field: str
    ) -> None:
        """Fill in the quantiles, found by numbering the rows of each step."""
        step = self._step.label("step")
        numbered = (
            base.add_columns(
                step,
                value.label("value"),
                func.row_number().over(partition_by=self._step, order_by=value).label("place"),
                func.count().over(partition_by=self._step).label("size"),
                func.avg(value).over(partition_by=self._step).label("mean"),
            )
            .where(*self._within, value.is_not(None))
            .subquery()
        )
        # The quantile is the first of `size` values that at least so many tenths do not exceed.
        middle, high = (numbered.c.size * tenths + 9 for tenths in (5, 9))
        place = numbered.c.place
        wanted = or_(
            (place * 10 <= middle) & (place * 10 > middle - 10),
            (place * 10 <= high) & (place * 10 > high - 10),
        )
        query = select(numbered).where(wanted).order_by(numbered.c.step, place)
        for number, seconds, _, size, mean in await self._rows(query):
            distribution: Distribution = getattr(found[number], field)
            if distribution.count == 0:
                distribution.count, distribution.mean, distribution.p50 = size, mean, seconds
            # There is one row if both quantiles are the same value.
            distribution.p90 = seconds

    async def _rows(self, query: Any) -> Sequence[Any]:
        rows: Sequence[Any] = (await self._connection.execute(query)).all()
        return rows
