"""Events for the owner: their kinds, and an id that is the same for the same event."""

from __future__ import annotations

import msgspec

from hookflash.core.call_events import (
    KINDS,
    CallEvent,
    CallStarted,
    HandoffEnded,
    TrackedEvent,
    TranscriptLine,
    event_of,
    kind_of,
)
from hookflash.core.delivery_retries import take
from hookflash.core.record import CallRecord, HandoffAttempt

LINE = TranscriptLine(
    call_sid="CA1", agent="shop", speaker="caller", text='Say "hi".', started_at=1.5, ended_at=2.0
)
ATTEMPT = HandoffAttempt(
    destination="desk", reason="a refund", source="tool", started_at=3.0, outcome="busy"
)
EVERY = (
    CallStarted(call_sid="CA1", agent="shop", caller="+15550100", called="+15550101", arrived_at=1),
    LINE,
    HandoffEnded(call_sid="CA1", agent="shop", caller="+15550100", attempt=ATTEMPT),
    CallRecord(
        call_sid="CA1",
        agent="shop",
        caller="+15550100",
        called="+15550101",
        disposition="abandoned",
        arrived_at=1.0,
        seconds=9.0,
    ),
)


def test_each_value_that_a_hook_gets_has_a_kind_of_its_own() -> None:
    assert tuple(map(kind_of, EVERY)) == KINDS


def test_an_event_holds_what_a_hook_gets_as_json() -> None:
    for about in EVERY:
        event = event_of(about, 7.0)
        assert (event.kind, event.call_sid, event.agent) == (kind_of(about), "CA1", "shop")
        assert event.created_at == 7.0
        assert msgspec.json.decode(event.data, type=type(about)) == about


def test_the_same_event_has_the_same_id_and_another_one_another() -> None:
    later = msgspec.structs.replace(LINE, text="Say hello.")
    assert event_of(LINE, 7.0).id == event_of(LINE, 8.0).id
    assert event_of(LINE, 7.0).id != event_of(later, 7.0).id
    assert len({event_of(each, 7.0).id for each in EVERY}) == len(EVERY)
    assert all(len(event_of(each, 7.0).id) < 160 for each in EVERY)


def test_a_stored_event_is_read_as_it_was() -> None:
    stored = take(event_of(LINE, 7.0), 7.0)
    read = msgspec.json.decode(msgspec.json.encode(stored), type=TrackedEvent)
    assert isinstance(read.delivery, CallEvent)
    assert read.delivery == stored.delivery
