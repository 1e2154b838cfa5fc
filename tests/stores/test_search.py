from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from hookflash.console.request_parsing import YEAR_9999
from hookflash.core.record import CallRecord, HandoffAttempt, Utterance
from hookflash.stores.records import RecordStore
from hookflash.stores.search import CallQuery, CallSearch

from .parts import Database

WORDS = {
    "CA1": ("My bicycle's brake is broken.", "I will look for a brake."),
    "CA2": ("Where is my order?", "It is on its way to Café Müller."),
    "CA3": ("", "100% wool_blend at bob@example.com"),
}


def record(call_sid: str, said: tuple[str, ...] = (), **changes: object) -> CallRecord:
    base: dict[str, object] = {
        "call_sid": call_sid,
        "agent": "shop",
        "caller": "+15550101234",
        "called": "+15550100",
        "disposition": "handled_by_agent",
        "arrived_at": 1000.0 + int(call_sid[2:]),
        "seconds": 60.0,
        "utterances": tuple(
            Utterance(
                speaker="caller" if number % 2 == 0 else "agent",
                text=each,
                started_at=2.0 * number,
                ended_at=2.0 * number + 1.5,
            )
            for number, each in enumerate(said)
        ),
    }
    return CallRecord(**(base | changes))


def attempt(destination: str, outcome: str, seconds: float | None = None) -> HandoffAttempt:
    return HandoffAttempt(
        destination=destination,
        reason="",
        source="tool",
        started_at=0.0,
        outcome=outcome,
        seconds_to_human=seconds,
    )


async def made_store(database: Database) -> AsyncIterator[RecordStore]:
    store = await database.records()
    yield store
    await store.close()


async def made_search(store: RecordStore) -> AsyncIterator[CallSearch]:
    for call_sid, said in WORDS.items():
        await store.put(record(call_sid, said))
    yield CallSearch(store.engine)


store = pytest.fixture(made_store)
search = pytest.fixture(made_search)


async def found(search: CallSearch, **wanted: object) -> list[str]:
    return [each.call_sid for each in await search.find(CallQuery(**wanted))]


async def test_a_call_is_found_by_the_words_that_were_said_in_it(search: CallSearch) -> None:
    expected = {
        "brake": ["CA1"],
        "BRAKE broken": ["CA1"],
        "bro bra": ["CA1"],
        "brake order": [],
        "is": ["CA2", "CA1"],
        "müller": ["CA2"],
        "bob@example.com": ["CA3"],
        "100%": ["CA3"],
        "wool_blend": ["CA3"],
        "'\"*():&|!-": ["CA3", "CA2", "CA1"],
        "NOT AND OR": [],
    }
    assert {typed: await found(search, text=typed) for typed in expected} == expected


async def test_a_call_that_was_found_by_its_words_shows_where_they_were_said(
    search: CallSearch,
) -> None:
    (call,) = await search.find(CallQuery(text="way"))
    assert call.excerpt == "It is on its way to Café Müller."


async def test_a_call_is_found_by_what_is_known_of_it(
    store: RecordStore, search: CallSearch
) -> None:
    tried = (attempt("desk", "busy"), attempt("billing", "bridged", 8.5))
    more = {"caller": "+15550109876", "agent": "night", "disposition": "handed_off"}
    await store.put(record("CA9", handoffs=tried, **more))
    for wanted in (
        {"digits": "9876"},
        {"digits": "010 98-76"},
        {"agent": "night"},
        {"disposition": "handed_off"},
        {"destination": "billing"},
        {"since": 1009.0},
        {"since": 1004.0, "until": 1010.0},
    ):
        assert await found(search, **wanted) == ["CA9"], wanted
    assert await found(search, destination="desk") == []
    assert await found(search, until=1009.0) == ["CA3", "CA2", "CA1"]
    assert await found(search, digits="234", text="order") == ["CA2"]
    (call,) = await search.find(CallQuery(agent="night"))
    assert (call.destination, call.outcome, call.seconds_to_human) == ("billing", "bridged", 8.5)


async def test_pages_follow_one_another(search: CallSearch) -> None:
    assert await found(search, limit=2) == ["CA3", "CA2"]
    assert await found(search, limit=2, before="CA2") == ["CA1"]
    assert await found(search, before="nobody") == []


async def test_the_longest_query_that_the_api_takes_is_answered(search: CallSearch) -> None:
    words, number = "é" * 200, "0" * 64
    assert await found(search, until=float(YEAR_9999)) == ["CA3", "CA2", "CA1"]
    assert await found(search, since=float(YEAR_9999), text=words, digits=number, agent=words) == []


async def test_how_long_an_answer_took_is_the_median_of_those_that_were_heard(
    store: RecordStore, search: CallSearch
) -> None:
    times = [("caller", 1, 2), ("agent", 2.5, 3), ("caller", 4, 5), ("agent", 6.5, 7)]
    times += [("caller", 8, 9), ("caller", 9, 10), ("agent", 10.75, 11), ("agent", 12, 13)]
    times += [("caller", 14, 15), ("agent", 40, 41)]
    said = tuple(
        Utterance(speaker=speaker, text="x", started_at=start, ended_at=end)
        for speaker, start, end in times
    )
    await store.put(record("CA9", utterances=said))
    call = await search.one("CA9")
    assert call is not None
    assert call.answer_seconds == 0.75
    assert (call.caller_seconds, call.agent_seconds) == (5.0, 3.25)


async def test_a_record_that_is_put_again_is_found_by_its_new_words_only(
    store: RecordStore, search: CallSearch
) -> None:
    await store.put(record("CA1", ("a saddle",)))
    assert await found(search, text="brake") == []
    assert await found(search, text="saddle") == ["CA1"]


async def test_a_call_that_was_deleted_is_found_no_more(
    store: RecordStore, search: CallSearch
) -> None:
    assert await store.delete("CA1")
    assert not await store.delete("CA1")
    assert await search.one("CA1") is None
    assert await found(search, text="brake") == []
    async with store.engine.connect() as connection:
        for table in ("utterances", "call_words"):
            left = await connection.execute(
                text(f"SELECT count(*) FROM {table} WHERE call_sid = 'CA1'")
            )
            assert left.scalar() == 0
