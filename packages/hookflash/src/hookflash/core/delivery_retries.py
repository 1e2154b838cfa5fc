"""When a delivery is tried again, and its state until the owner has it.

    WAITING --all have taken it--> DELIVERED --more of it is known--> WAITING (the next revision)
       |  ^--failed: again later--+
       +--failed for days--> DEAD --the owner asks--> WAITING
       +--no outlet wants it--> UNROUTABLE --an outlet does--> WAITING

WAITING has a time, `due_at`. A delivery that is not complete waits until then for the rest. No
delivery is removed here. A DEAD or UNROUTABLE one stays as it is until the owner acts. The
functions have no side effects: the store applies each one in a transaction, so two processes cannot
both do it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core.delivery import Delivery

COMPLETION_SECONDS = 180.0
"""How long to wait for the rest of a delivery. A voicemail is transcribed within minutes."""

RETRY_SECONDS = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
"""How long to wait before each further attempt. The last one repeats."""

DAY_SECONDS = 86_400.0

DEAD_SECONDS = 7 * DAY_SECONDS
"""How long attempts may fail, from the first one, until the delivery is dead.

The server passes the time of its settings (`deliveries.days`) instead.
"""

DeliveryState = Literal["waiting", "delivered", "dead", "unroutable"]


class TrackedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery and its state. Times are seconds since 1970.

    `revision` counts from 1 and grows when the delivery changes. `accepted` names the outlets that
    have taken this revision. `error` says why the last attempt failed.
    """

    delivery: Delivery
    state: DeliveryState = "waiting"
    revision: int = 1
    due_at: float = 0.0
    attempts: int = 0
    first_tried_at: float | None = None
    delivered_at: float | None = None
    accepted: tuple[str, ...] = ()
    error: str = ""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one attempt: which outlets want the delivery, and which have taken it now.

    `retry_seconds` is how long an outlet asked to wait.
    """

    wanted: tuple[str, ...]
    accepted: tuple[str, ...] = ()
    error: str = ""
    retry_seconds: float = 0.0


def take(delivery: Delivery, now: float) -> TrackedDelivery:
    """Return a new delivery in its first state."""
    return TrackedDelivery(delivery=delivery, due_at=_due(delivery, now))


def join(tracked: TrackedDelivery, later: Delivery, now: float) -> TrackedDelivery:
    """Return the delivery after another part of it has come; the part may hold nothing new.

    A delivery that was delivered and has changed is delivered again, as the next revision.
    """
    whole = complete(tracked.delivery, later)
    if whole == tracked.delivery:
        return tracked
    joined = msgspec.structs.replace(
        tracked, delivery=whole, revision=tracked.revision + 1, accepted=(), delivered_at=None
    )
    if tracked.state == "delivered":
        return _again(joined, _due(whole, now))
    if tracked.state == "waiting" and tracked.first_tried_at is None and whole.complete:
        return msgspec.structs.replace(joined, due_at=now)
    return joined


def complete(earlier: Delivery, later: Delivery) -> Delivery:
    """Return `earlier` with what `later` adds. A complete delivery stays complete."""
    known = {
        name: value
        for name in Delivery.__struct_fields__
        if name not in ("id", "created_at", "complete") and (value := getattr(later, name))
    }
    return msgspec.structs.replace(earlier, **known, complete=earlier.complete or later.complete)


def attempted(
    tracked: TrackedDelivery, attempt: Attempt, now: float, *, chance: float, dead_seconds: float
) -> TrackedDelivery:
    """Return the delivery after an attempt. `chance` (0 to 1) spreads the next attempt in time."""
    if not attempt.wanted:
        return msgspec.structs.replace(tracked, state="unroutable")
    accepted = tuple(dict.fromkeys((*tracked.accepted, *attempt.accepted)))
    first = now if tracked.first_tried_at is None else tracked.first_tried_at
    tried = msgspec.structs.replace(
        tracked,
        accepted=accepted,
        attempts=tracked.attempts + 1,
        first_tried_at=first,
        error=attempt.error,
    )
    if set(attempt.wanted) <= set(accepted):
        return msgspec.structs.replace(tried, state="delivered", delivered_at=now, error="")
    if now - first >= dead_seconds:
        return msgspec.structs.replace(tried, state="dead")
    pause = pause_seconds(tried.attempts, chance)
    return msgspec.structs.replace(tried, due_at=now + max(pause, attempt.retry_seconds))


def revive(tracked: TrackedDelivery, now: float) -> TrackedDelivery:
    """Return the delivery after the owner asked for another round of attempts."""
    return _again(tracked, now) if tracked.state in ("dead", "unroutable") else tracked


def pause_seconds(attempts: int, chance: float) -> float:
    """Return how long to wait after this many attempts, give or take 20 % by `chance`."""
    seconds = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
    return seconds * (0.8 + 0.4 * chance)


def _again(tracked: TrackedDelivery, due_at: float) -> TrackedDelivery:
    return msgspec.structs.replace(
        tracked, state="waiting", due_at=due_at, attempts=0, first_tried_at=None
    )


def _due(delivery: Delivery, now: float) -> float:
    return now if delivery.complete else now + COMPLETION_SECONDS
