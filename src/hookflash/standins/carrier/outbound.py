"""Calls that REST asks for: one after another at the account's pace, rung, then run on TwiML.

resource    | acquired           | released
task        | `place`            | when the call is over; `Tasks`
"""

from __future__ import annotations

from dataclasses import dataclass

from hookflash.standins.carrier.exchange import Exchange
from hookflash.standins.carrier.leg import Leg
from hookflash.standins.carrier.lives import begin
from hookflash.standins.carrier.pages import Entry
from hookflash.standins.carrier.reports import StatusReports
from hookflash.standins.carrier.ringing import begin_script, over_within, ring


@dataclass(frozen=True)
class Wish:
    """A call to be made. `ring_seconds` as REST's Timeout."""

    to: str
    from_: str
    entry: Entry
    fallback: str | None = None
    ring_seconds: float = 60.0
    status_callback: str = ""
    status_method: str = "POST"
    events: frozenset[str] = frozenset({"completed"})


def place(exchange: Exchange, wish: Wish) -> Leg:
    """Queue the call and return its leg."""
    reports = StatusReports(wish.status_callback, wish.status_method, wish.events)
    leg = exchange.new_leg(wish.from_, wish.to, "outbound-api", reports=reports)
    leg.note("placed", to=wish.to)
    # Twilio starts one call a second by default; the rest waits in line.
    now = exchange.clock.now()
    start = max(now, exchange.live.next_call)
    exchange.live.next_call = start + 1 / exchange.settings.calls_per_second
    exchange.tasks.start(_make(exchange, leg, wish, start - now), f"call {leg.sid}")
    return leg


async def _make(exchange: Exchange, leg: Leg, wish: Wish, seconds: float) -> None:
    if seconds and await over_within(exchange, leg, seconds):
        return
    if await ring(exchange, leg, wish.ring_seconds):
        begin_script(exchange, leg)
        begin(exchange, leg, wish.entry, wish.fallback)
