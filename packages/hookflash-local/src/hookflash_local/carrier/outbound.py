"""Calls that REST asks for: one after another at the account's pace, rung, then run on TwiML.

    queued (its turn) -> ringing -> answered -> [who answered?] -> [keys] -> TwiML -> over

Machine detection that is not asynchronous holds the TwiML back until it is known who answered:
the person hears nothing meanwhile.

resource    | acquired           | released
task        | `place`            | when the TwiML begins, or the call is over; `Tasks`
detection   | `place`'s task     | when it knows, or the call is over
time limit  | `limit`            | when the call is over
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hookflash_local.carrier import recorder
from hookflash_local.carrier.amd import Detection, detect
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.keys import send_digits
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.lives import Fallback, begin
from hookflash_local.carrier.pages import Ask, Entry
from hookflash_local.carrier.reports import StatusReports
from hookflash_local.carrier.ringing import begin_script, over_within, ring
from hookflash_local.carrier.tape import TapeWish


@dataclass(frozen=True)
class Wish:
    """A call to be made. `ring_seconds` as REST's Timeout."""

    to: str
    from_: str
    entry: Entry
    fallback: Fallback | None = None
    ring_seconds: float = 60.0
    reports: StatusReports | None = None
    detection: Detection | None = None
    send_digits: str = ""
    time_limit: float | None = None
    recording: TapeWish | None = None


def place(exchange: Exchange, wish: Wish) -> Leg:
    """Queue the call and return its leg."""
    leg = exchange.new_leg(wish.from_, wish.to, "outbound-api", reports=wish.reports)
    # Twilio starts one call a second by default; the rest waits in line.
    now = exchange.clock.now()
    start = max(now, exchange.live.next_call)
    exchange.live.next_call = start + 1 / exchange.settings.calls_per_second
    leg.about.queue_ms = round((start - now) * 1000)
    leg.note("placed", to=wish.to, queue_ms=leg.about.queue_ms)
    exchange.tasks.start(_make(exchange, leg, wish, start - now), f"call {leg.sid}")
    return leg


async def _make(exchange: Exchange, leg: Leg, wish: Wish, seconds: float) -> None:
    if seconds and await over_within(exchange, leg, seconds):
        return
    if not await ring(exchange, leg, wish.ring_seconds):
        return
    if wish.time_limit is not None:
        limit(exchange, leg, wish.time_limit)
    if wish.recording is not None:
        recorder.start(exchange, leg, wish.recording)
    begin_script(exchange, leg)
    entry = wish.entry
    if wish.send_digits:
        await send_digits(exchange, leg, wish.send_digits)
    elif wish.detection is not None:
        listening = detect(exchange, leg, wish.detection)
        if wish.detection.asynchronous:
            exchange.tasks.start(listening, f"detection {leg.sid}")
        else:
            answered_by = await listening
            if isinstance(entry, Ask):
                entry = replace(entry, form={**entry.form, "AnsweredBy": answered_by})
    # While it was being found out who answered, REST may have moved or ended the call.
    if leg.live and leg.course.life is None:
        begin(exchange, leg, entry, wish.fallback)


def limit(exchange: Exchange, leg: Leg, seconds: float) -> None:
    """End a call after so many seconds from now (TimeLimit)."""

    async def end() -> None:
        if not await over_within(exchange, leg, seconds):
            leg.end("completed", by="carrier")

    exchange.tasks.start(end(), f"limit {leg.sid}")
