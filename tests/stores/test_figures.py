from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.console.request_parsing import YEAR_9999
from hookflash.core.token_usage import NONE, Tokens
from hookflash.stores.figures import Distribution, Figure, figures

from .parts import Database
from .test_search import attempt, record


async def made_engine(database: Database) -> AsyncIterator[AsyncEngine]:
    store = await database.records()
    for number in range(10):
        tried = (attempt("desk", "busy"), attempt("desk", "bridged", float(number + 1)))
        await store.put(
            record(
                f"CA{number}",
                ("hello?", "yes"),
                arrived_at=1000.0 + number,
                seconds=10.0,
                barge_ins=1,
                disposition="handed_off" if number % 2 else "abandoned",
                handoffs=tried if number % 2 else (),
            )
        )
    yield store.engine
    await store.close()


engine = pytest.fixture(made_engine)


async def test_calls_are_counted_by_the_step_in_which_they_arrived(engine: AsyncEngine) -> None:
    first, second, third = await figures(engine, since=1000.0, until=1012.0, step=5.0)
    assert (first.calls, second.calls, third) == (5, 5, Figure())
    assert (first.seconds, first.barge_ins) == (50.0, 5)
    assert (first.caller_seconds, first.agent_seconds) == (7.5, 7.5)
    assert first.dispositions == {"abandoned": 3, "handed_off": 2}
    assert second.dispositions == {"abandoned": 2, "handed_off": 3}
    assert second.outcomes == {"busy": 3, "bridged": 3}


async def test_speech_of_calls_that_told_no_tokens_is_summed_apart(database: Database) -> None:
    store = await database.records()
    told = Tokens(text_read=10, sound_written=3)
    for number, tokens in enumerate((told, NONE, told)):
        await store.put(
            record(f"CA{number}", ("hello?", "yes"), arrived_at=1000.0 + number, tokens=tokens)
        )
    (whole,) = await figures(store.engine, since=1000.0, until=1010.0, step=10.0)
    assert whole.tokens == told + told
    assert (whole.caller_seconds, whole.agent_seconds) == (4.5, 4.5)
    assert whole.uncounted == (1.5, 1.5)
    await store.close()


async def test_a_step_ends_before_the_next_begins(engine: AsyncEngine) -> None:
    counted = await figures(engine, since=1000.5, until=1009.0, step=1.0)
    assert [each.calls for each in counted] == [1] * 8 + [0]


async def test_quantiles_are_values_that_there_were(engine: AsyncEngine) -> None:
    (whole,) = await figures(engine, since=1000.0, until=1010.0, step=10.0)
    assert whole.to_human == Distribution(5, 6.0, 6.0, 10.0)
    assert whole.answer == Distribution(10, 0.5, 0.5, 0.5)
    (one,) = await figures(engine, since=1001.0, until=1002.0, step=1.0)
    assert one.to_human == Distribution(1, 2.0, 2.0, 2.0)


async def test_the_longest_time_that_the_api_takes_is_counted(engine: AsyncEngine) -> None:
    step = YEAR_9999 / 1000
    first, *rest = await figures(engine, since=0.0, until=float(YEAR_9999), step=step)
    assert (first.calls, len(rest)) == (10, 999)
    (shortest,) = await figures(engine, since=1000.0, until=1000.0000000000001, step=1e-9)
    assert shortest.calls == 1


async def test_the_figures_of_a_time_without_calls_are_empty(engine: AsyncEngine) -> None:
    assert await figures(engine, since=0.0, until=100.0, step=50.0) == [Figure(), Figure()]
