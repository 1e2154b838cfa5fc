from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from hookflash.console.request_parsing import LARGEST_ID
from hookflash.stores.audit import AuditStore, Entry

from .parts import Database


async def made_audit(database: Database) -> AsyncIterator[AuditStore]:
    store = await database.records()
    yield AuditStore(store.engine)
    await store.close()


audit = pytest.fixture(made_audit)


def entry(who: str = "anna", action: str = "hint", **more: object) -> Entry:
    return Entry(at=1000.0, who=who, via="session", action=action, **more)


async def test_what_was_done_is_read_back_the_newest_first(audit: AuditStore) -> None:
    for number in range(3):
        await audit.add(entry(call_sid=f"CA{number}", text="ask for the number", peer="192.0.2.7"))
    page = await audit.page()
    assert [each.call_sid for each in page] == ["CA2", "CA1", "CA0"]
    assert replace(page[0], id=0) == entry(
        call_sid="CA2", text="ask for the number", peer="192.0.2.7"
    )


async def test_entries_are_found_by_who_did_what_to_which_call(audit: AuditStore) -> None:
    await audit.add(entry("anna", "hint", call_sid="CA1"))
    await audit.add(entry("ben", "say", call_sid="CA2"))
    assert [each.who for each in await audit.page(who="ben")] == ["ben"]
    assert [each.who for each in await audit.page(action="hint")] == ["anna"]
    assert [each.who for each in await audit.page(call_sid="CA2")] == ["ben"]
    assert await audit.page(who="ben", action="hint") == []


async def test_pages_of_the_trail_follow_one_another(audit: AuditStore) -> None:
    for number in range(5):
        await audit.add(entry(text=str(number)))
    first = await audit.page(limit=2)
    second = await audit.page(limit=2, before=first[-1].id)
    assert [each.text for each in (*first, *second)] == ["4", "3", "2", "1"]


async def test_the_largest_id_that_the_api_takes_is_one_that_the_database_takes(
    audit: AuditStore,
) -> None:
    await audit.add(entry())
    assert len(await audit.page(before=LARGEST_ID)) == 1


async def test_no_text_is_too_long_or_too_odd_to_be_kept(audit: AuditStore) -> None:
    await audit.add(entry("a\0b\ud800" + "c" * 500, text="x" * 10_000))
    (kept,) = await audit.page()
    assert kept.who.startswith("a\ufffdb?ccc")
    assert (len(kept.who), len(kept.text)) == (200, 4000)


async def test_a_session_that_was_ended_stays_so_for_as_long_as_it_would_have_lasted(
    audit: AuditStore,
) -> None:
    await audit.end_session("s1", until=2000.0, now=1000.0)
    await audit.end_session("s1", until=2000.0, now=1000.0)
    assert await audit.session_ended("s1")
    assert not await audit.session_ended("s2")
    await audit.end_session("s2", until=9000.0, now=2001.0)
    assert not await audit.session_ended("s1")
