from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import (
    COMPLETION_SECONDS,
    DAY_SECONDS,
    DEAD_SECONDS,
    RETRY_SECONDS,
    Attempt,
    TrackedDelivery,
    attempted,
    complete,
    join,
    pause_seconds,
    revive,
    take,
)

NOW = 1_764_000_000.0
RECORDED = Delivery(
    id="CA1-voicemail",
    kind="voicemail",
    call_sid="CA1",
    agent="shop",
    destination="billing",
    created_at=NOW,
    caller="+15550101",
    recording_url="https://example.com/RE1",
    recording_seconds=12.5,
    complete=False,
)
WRITTEN = replace(RECORDED, transcript="Please call me.", complete=True)


def failed(tracked: TrackedDelivery, now: float, **about: Any) -> TrackedDelivery:
    attempt = Attempt(wanted=("hook", "webhook"), error="503", **about)
    return attempted(tracked, attempt, now, chance=0.5, dead_seconds=DEAD_SECONDS)


def sent(tracked: TrackedDelivery, now: float) -> TrackedDelivery:
    attempt = Attempt(wanted=("hook",), accepted=("hook",))
    return attempted(tracked, attempt, now, chance=0.5, dead_seconds=DEAD_SECONDS)


def test_a_complete_delivery_is_due_at_once_and_another_after_a_bounded_wait() -> None:
    assert take(WRITTEN, NOW) == TrackedDelivery(delivery=WRITTEN, due_at=NOW)
    assert take(RECORDED, NOW).due_at == NOW + COMPLETION_SECONDS


def test_a_late_part_completes_the_same_delivery() -> None:
    tracked = join(take(RECORDED, NOW), WRITTEN, NOW + 30)
    assert tracked.delivery == WRITTEN
    assert (tracked.revision, tracked.due_at) == (2, NOW + 30)


def test_a_late_part_that_is_not_the_last_does_not_lengthen_the_wait() -> None:
    named = replace(RECORDED, reason="a refund")
    tracked = join(take(RECORDED, NOW), named, NOW + 30)
    assert tracked.delivery.reason == "a refund"
    assert tracked.due_at == NOW + COMPLETION_SECONDS


def test_parts_may_come_in_any_order_and_nothing_known_is_lost() -> None:
    bare = replace(WRITTEN, recording_url="", recording_seconds=0.0)
    assert complete(bare, RECORDED) == WRITTEN
    assert complete(RECORDED, bare) == WRITTEN
    later = replace(RECORDED, id="other", created_at=NOW + 5)
    assert complete(RECORDED, later) == RECORDED


def test_the_same_again_changes_nothing() -> None:
    tracked = sent(take(WRITTEN, NOW), NOW)
    assert join(tracked, WRITTEN, NOW + 60) is tracked


def test_what_was_delivered_and_has_changed_is_delivered_again() -> None:
    tracked = join(sent(take(RECORDED, NOW), NOW + 180), WRITTEN, NOW + 300)
    assert (tracked.state, tracked.revision, tracked.due_at) == ("waiting", 2, NOW + 300)
    assert (tracked.accepted, tracked.delivered_at, tracked.attempts) == ((), None, 0)


def test_a_late_part_does_not_disturb_the_pauses_between_attempts() -> None:
    tracked = failed(take(RECORDED, NOW), NOW + 180)
    joined = join(tracked, WRITTEN, NOW + 181)
    assert joined.due_at == tracked.due_at
    assert joined.delivery == WRITTEN


@pytest.mark.parametrize("state", ["dead", "unroutable"])
def test_a_dead_or_unroutable_delivery_is_completed_and_not_retried(state: Any) -> None:
    tracked = join(replace(take(RECORDED, NOW), state=state), WRITTEN, NOW + 30)
    assert (tracked.state, tracked.delivery) == (state, WRITTEN)


def test_a_delivery_is_delivered_when_every_outlet_that_wants_it_has_taken_it() -> None:
    both = ("hook", "webhook")
    first = failed(take(WRITTEN, NOW), NOW, accepted=("hook",))
    assert (first.state, first.accepted, first.error) == ("waiting", ("hook",), "503")
    attempt = Attempt(wanted=both, accepted=("webhook",))
    second = attempted(first, attempt, NOW + 5, chance=0.5, dead_seconds=DAY_SECONDS)
    assert (second.state, second.accepted) == ("delivered", both)
    assert (second.delivered_at, second.error, second.attempts) == (NOW + 5, "", 2)


def test_pauses_grow_from_seconds_to_hours_and_are_spread() -> None:
    tracked, now, pauses = take(WRITTEN, NOW), NOW, []
    for _ in range(len(RETRY_SECONDS) + 1):
        tracked = failed(tracked, now)
        pauses.append(tracked.due_at - now)
        now = tracked.due_at
    assert pauses == pytest.approx([*RETRY_SECONDS, RETRY_SECONDS[-1]])
    assert pause_seconds(1, 0.0) == pytest.approx(4.0)
    assert pause_seconds(1, 1.0) == pytest.approx(6.0)


def test_a_longer_pause_that_an_outlet_asks_for_is_kept() -> None:
    assert failed(take(WRITTEN, NOW), NOW, retry_seconds=120.0).due_at == NOW + 120


def test_after_days_of_failures_a_delivery_is_dead_and_can_be_revived() -> None:
    tracked, now = take(WRITTEN, NOW), NOW
    while tracked.state == "waiting":
        tracked = failed(tracked, now)
        now = max(now, tracked.due_at)
    assert tracked.state == "dead"
    assert now - NOW >= DEAD_SECONDS
    assert (tracked.delivery, tracked.error) == (WRITTEN, "503")
    again = revive(tracked, now)
    assert (again.state, again.due_at, again.attempts) == ("waiting", now, 0)
    assert failed(again, now).state == "waiting"


def test_a_delivery_that_no_outlet_wants_is_unroutable_until_it_is_revived() -> None:
    attempt = Attempt(wanted=())
    tracked = attempted(take(WRITTEN, NOW), attempt, NOW, chance=0.5, dead_seconds=DAY_SECONDS)
    assert (tracked.state, tracked.attempts) == ("unroutable", 0)
    assert revive(tracked, NOW + 9).due_at == NOW + 9
    assert revive(sent(take(WRITTEN, NOW), NOW), NOW + 9).state == "delivered"


@settings(deadline=None)
@given(st.permutations([0, 1, 2, 3]), st.integers(0, 4))
def test_whatever_the_order_of_parts_and_attempts_all_of_it_is_delivered(
    order: list[int], attempt_after: int
) -> None:
    parts = [
        RECORDED,
        replace(RECORDED, recording_url="", transcript="Please call me.", complete=True),
        replace(RECORDED, recording_url="", reason="a refund"),
        replace(RECORDED, recording_url="", caller="", summary="Invoice 7."),
    ]
    tracked, delivered = None, []
    for number, index in enumerate(order):
        part = parts[index]
        tracked = take(part, NOW + number) if tracked is None else join(tracked, part, NOW + number)
        if number == attempt_after:
            tracked = sent(tracked, NOW + number)
            delivered.append(tracked.delivery)
    assert tracked is not None
    if tracked.state == "waiting":
        tracked = sent(tracked, tracked.due_at)
        delivered.append(tracked.delivery)
    assert tracked.state == "delivered"
    last = delivered[-1]
    assert last == tracked.delivery
    assert (last.transcript, last.reason, last.summary) == (
        "Please call me.",
        "a refund",
        "Invoice 7.",
    )
    assert last.recording_url == RECORDED.recording_url
    assert last.complete
