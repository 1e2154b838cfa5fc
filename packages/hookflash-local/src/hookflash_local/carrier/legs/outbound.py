"""Outbound calls: calls made by REST, and the ringing of any called party.

    queued (its turn) -> ringing -> answered -> [machine detection] -> [SendDigits] -> TwiML -> over

REST starts calls at the account's rate; the others wait in line. Machine detection that is not
asynchronous delays the TwiML until it has a result; the called party hears nothing meanwhile.

resource    | acquired           | released
task        | `place`            | when the TwiML begins, or the call is over; `Tasks`
detection   | `place`'s task     | when it has a result, or the call is over
time limit  | `limit`            | when the call is over
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from hookflash_local.carrier import parties
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.amd import Detection, detect
from hookflash_local.carrier.legs.inbound import forward
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import recordings
from hookflash_local.carrier.media.recordings import RecordingOptions
from hookflash_local.carrier.parties import Decide, Human, Outcome
from hookflash_local.carrier.twiml.execution import Fallback, begin
from hookflash_local.carrier.twiml.fetch import Entry, TwimlUrl
from hookflash_local.carrier.webhooks import StatusCallback


@dataclass(frozen=True)
class OutboundCall:
    """A call to be made. `ring_seconds` as REST's Timeout."""

    to: str
    from_: str
    entry: Entry
    fallback: Fallback | None = None
    ring_seconds: float = 60.0
    status_callback: StatusCallback | None = None
    detection: Detection | None = None
    send_digits: str = ""
    time_limit: float | None = None
    recording: RecordingOptions | None = None


def place(exchange: Exchange, call: OutboundCall) -> Leg:
    """Queue the call and return its leg."""
    leg = exchange.new_leg(
        call.from_, call.to, "outbound-api", status_callback=call.status_callback
    )
    # Twilio starts one call a second by default; the rest waits in line.
    now = exchange.clock.now()
    start = max(now, exchange.live.next_call)
    exchange.live.next_call = start + 1 / exchange.settings.calls_per_second
    leg.about.queue_ms = round((start - now) * 1000)
    leg.note("placed", to=call.to, queue_ms=leg.about.queue_ms)
    exchange.tasks.start(_make(exchange, leg, call, start - now), f"call {leg.sid}")
    return leg


async def _make(exchange: Exchange, leg: Leg, call: OutboundCall, seconds: float) -> None:
    if seconds and await over_within(exchange, leg, seconds):
        return
    if not await ring(exchange, leg, call.ring_seconds):
        return
    if call.time_limit is not None:
        limit(exchange, leg, call.time_limit)
    if call.recording is not None:
        recordings.start(exchange, leg, call.recording)
    begin_script(exchange, leg)
    entry = call.entry
    if call.send_digits:
        await send_digits(exchange, leg, call.send_digits)
    elif call.detection is not None:
        listening = detect(exchange, leg, call.detection)
        if call.detection.asynchronous:
            exchange.tasks.start(listening, f"detection {leg.sid}")
        else:
            answered_by = await listening
            if isinstance(entry, TwimlUrl):
                entry = replace(entry, form={**entry.form, "AnsweredBy": answered_by})
    # While it was being found out who answered, REST may have moved or ended the call.
    if leg.live and leg.execution.task is None:
        begin(exchange, leg, entry, call.fallback)


def limit(exchange: Exchange, leg: Leg, seconds: float) -> None:
    """End a call `seconds` from now (TimeLimit). This replaces an earlier limit of the call."""

    async def end() -> None:
        if not await over_within(exchange, leg, seconds):
            leg.end("completed", by="carrier")

    leg.note("limited", seconds=seconds)
    if leg.execution.limit is not None:
        leg.execution.limit.cancel()
    leg.execution.limit = exchange.tasks.start(end(), f"limit {leg.sid}")


async def over_within(exchange: Exchange, leg: Leg, seconds: float) -> bool:
    """Wait for `seconds`, or until the leg is over; return whether it is over."""
    try:
        async with exchange.clock.timeout(seconds):
            await leg.ended()
    except TimeoutError:
        pass
    return not leg.live


async def ring(exchange: Exchange, leg: Leg, seconds: float) -> bool:
    """Ring at `leg.about.to` for at most `seconds` and tell whether it was answered.

    If it was not, the leg is over, with the status that says why. Cancelled: the leg is too.
    """
    human = exchange.directory.human(leg.about.to)
    seconds += exchange.unconfirmed.ring_grace_seconds
    leg.initiate()
    try:
        if human is None:
            leg.end("failed", by="carrier")
            return False
        leg.ring()
        if human.forwards_to:
            outcome = await _forwarded(exchange, leg, human, seconds)
        elif human.decide is not None:
            outcome = await _decided(exchange, leg, human.decide, seconds)
        else:
            outcome = await _arranged(exchange, leg, human, seconds)
    except asyncio.CancelledError:
        leg.end("canceled", by="dial")
        raise
    match outcome:
        case "answers":
            leg.answer()
        case "no-answer":
            leg.end("no-answer", by="carrier")
        case "busy" | "fails":
            leg.end("busy" if outcome == "busy" else "failed", by="party")
    return leg.live


async def _arranged(exchange: Exchange, leg: Leg, human: Human, seconds: float) -> Outcome:
    """Wait as long as `human` lets it ring, and return the outcome."""
    gives_up = human.outcome == "no-answer" or human.answer_after > seconds
    await over_within(exchange, leg, seconds if gives_up else human.answer_after)
    return "no-answer" if gives_up else human.outcome


async def _forwarded(exchange: Exchange, leg: Leg, human: Human, seconds: float) -> Outcome:
    """A telephone that forwards: after so many seconds it rings elsewhere, in the time left."""
    if await over_within(exchange, leg, human.answer_after):
        return "no-answer"

    async def decide(leg: Leg) -> Outcome:
        return await forward(exchange, leg, human)

    return await _decided(exchange, leg, decide, seconds - human.answer_after)


async def _decided(exchange: Exchange, leg: Leg, decide: Decide, seconds: float) -> Outcome:
    """Return what `decide` says; cancel it when the leg is over or the time is up."""
    deciding = asyncio.ensure_future(decide(leg))
    over = asyncio.ensure_future(over_within(exchange, leg, seconds))
    try:
        await asyncio.wait({deciding, over}, return_when=asyncio.FIRST_COMPLETED)
        return deciding.result() if deciding.done() else "no-answer"
    finally:
        deciding.cancel()
        over.cancel()
        await asyncio.wait({deciding, over})


def begin_script(exchange: Exchange, leg: Leg) -> None:
    """Start the script of the called party; it speaks in a later turn of the loop.

    Call it when something hears the party, so that nothing it says is lost.
    A second time it does nothing.
    """
    if leg.execution.script_started:
        return
    leg.execution.script_started = True
    human = exchange.directory.human(leg.about.to)
    if human is not None:
        script = parties.as_script(human.script)
        parties.connect(leg, script, exchange.settings.speak, exchange.tasks)


_SECONDS = {"w": 0.5, "W": 1.0}
KEY_SECONDS = 0.2


async def send_digits(exchange: Exchange, leg: Leg, digits: str) -> None:
    """Press `digits` one after another and return when the last was sent."""
    leg.note("send-digits", digits=digits)
    await exchange.clock.sleep(sum(_SECONDS.get(digit, KEY_SECONDS) for digit in digits))
