"""What becomes of a delivery between the call that left it and the owner who gets it.

    WAITING --all have taken it--> DELIVERED --more of it is known--> WAITING (the next revision)
       |  ^--failed: again later--+
       +--failed for days--> DEAD --the owner asks--> WAITING
       +--nobody wants it--> KEPT --somebody does--> WAITING

WAITING has a time, `due_at`: for one that is not complete, how long the rest is waited for.
Nothing is ever thrown away here: DEAD and KEPT are states in which nothing happens by itself.
Pure: whoever keeps it does so in one step each, so that two processes cannot both go on.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from hookflash.core.delivery import Delivery

COMPLETION_SECONDS = 180.0
"""How long the rest of a delivery is waited for (a voicemail is written down within minutes)."""

RETRY_SECONDS = (5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 3 * 3600.0, 6 * 3600.0)
"""How long to wait before each further attempt; the last one again and again."""

DAY_SECONDS = 86_400.0

State = Literal["waiting", "delivered", "dead", "kept"]


class KeptDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery and how far it has come. Moments are seconds since 1970.

    `revision` counts how often what is delivered has changed, from 1. `accepted` names the outlets
    that have taken this revision; `error` says why the last attempt failed.
    """

    delivery: Delivery
    state: State = "waiting"
    revision: int = 1
    due_at: float = 0.0
    attempts: int = 0
    first_tried_at: float | None = None
    delivered_at: float | None = None
    accepted: tuple[str, ...] = ()
    error: str = ""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one attempt: which outlets want this delivery, and which have taken it now.

    `retry_seconds` is how long one of them asked us to wait.
    """

    wanted: tuple[str, ...]
    accepted: tuple[str, ...] = ()
    error: str = ""
    retry_seconds: float = 0.0


def take(delivery: Delivery, now: float) -> KeptDelivery:
    """Return a delivery as it is first kept."""
    return KeptDelivery(delivery=delivery, due_at=_due(delivery, now))


def join(kept: KeptDelivery, later: Delivery, now: float) -> KeptDelivery:
    """Return what is kept when the same delivery comes again, with more or with nothing new.

    What was delivered already and has changed is delivered again, as the next revision.
    """
    whole = complete(kept.delivery, later)
    if whole == kept.delivery:
        return kept
    joined = msgspec.structs.replace(
        kept, delivery=whole, revision=kept.revision + 1, accepted=(), delivered_at=None
    )
    if kept.state == "delivered":
        return _again(joined, _due(whole, now))
    if kept.state == "waiting" and kept.first_tried_at is None and whole.complete:
        return msgspec.structs.replace(joined, due_at=now)
    return joined


def complete(earlier: Delivery, later: Delivery) -> Delivery:
    """Return `earlier` with all that `later` knows; what is once complete stays so."""
    known = {
        name: value
        for name in Delivery.__struct_fields__
        if name not in ("id", "created_at", "complete") and (value := getattr(later, name))
    }
    return msgspec.structs.replace(earlier, **known, complete=earlier.complete or later.complete)


def attempted(
    kept: KeptDelivery, attempt: Attempt, now: float, *, chance: float, dead_seconds: float
) -> KeptDelivery:
    """Return what is kept after an attempt. `chance` (0 to 1) spreads the next one in time."""
    if not attempt.wanted:
        return msgspec.structs.replace(kept, state="kept")
    accepted = tuple(dict.fromkeys((*kept.accepted, *attempt.accepted)))
    first = now if kept.first_tried_at is None else kept.first_tried_at
    tried = msgspec.structs.replace(
        kept,
        accepted=accepted,
        attempts=kept.attempts + 1,
        first_tried_at=first,
        error=attempt.error,
    )
    if set(attempt.wanted) <= set(accepted):
        return msgspec.structs.replace(tried, state="delivered", delivered_at=now, error="")
    if now - first >= dead_seconds:
        return msgspec.structs.replace(tried, state="dead")
    pause = pause_seconds(tried.attempts, chance)
    return msgspec.structs.replace(tried, due_at=now + max(pause, attempt.retry_seconds))


def revive(kept: KeptDelivery, now: float) -> KeptDelivery:
    """Return what is kept when the owner asks for another round of attempts, from now on."""
    return _again(kept, now) if kept.state in ("dead", "kept") else kept


def pause_seconds(attempts: int, chance: float) -> float:
    """Return how long to wait after so many attempts, 20 % more or less by chance."""
    seconds = RETRY_SECONDS[min(attempts, len(RETRY_SECONDS)) - 1]
    return seconds * (0.8 + 0.4 * chance)


def _again(kept: KeptDelivery, due_at: float) -> KeptDelivery:
    return msgspec.structs.replace(
        kept, state="waiting", due_at=due_at, attempts=0, first_tried_at=None
    )


def _due(delivery: Delivery, now: float) -> float:
    return now if delivery.complete else now + COMPLETION_SECONDS
