"""Calling a human: ring, and what comes of it."""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import party
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.humans import Decide, Human, Outcome
from hookflash_local.carrier.inbound import forward
from hookflash_local.carrier.leg import Leg


async def over_within(exchange: Exchange, leg: Leg, seconds: float) -> bool:
    """Wait so long, or until the leg is over; tell whether it is."""
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
    """What `human` was made to do, when it is time for it."""
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
    """What somebody at a telephone does; nobody rings on when the leg is over."""
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
    """Let the human who answered `leg` begin; their first word comes in a later turn of the loop.

    Call it when there is somebody or something to hear them, so that nothing they say is lost.
    A second time it does nothing.
    """
    if leg.course.scripted:
        return
    leg.course.scripted = True
    human = exchange.directory.human(leg.about.to)
    if human is not None:
        script = party.as_script(human.script)
        party.connect(leg, script, exchange.settings.speak, exchange.tasks)
