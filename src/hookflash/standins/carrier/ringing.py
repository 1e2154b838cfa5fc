"""Calling a human: ring, and what comes of it."""

from __future__ import annotations

import asyncio

from hookflash.standins.carrier import party
from hookflash.standins.carrier.exchange import Exchange
from hookflash.standins.carrier.leg import Leg


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
        gives_up = human.outcome == "no-answer" or human.answer_after > seconds
        if await over_within(exchange, leg, seconds if gives_up else human.answer_after):
            return False
    except asyncio.CancelledError:
        leg.end("canceled", by="dial")
        raise
    if gives_up:
        leg.end("no-answer", by="carrier")
    elif human.outcome != "answers":
        leg.end("busy" if human.outcome == "busy" else "failed", by="party")
    else:
        leg.answer()
    return leg.live


def begin_script(exchange: Exchange, leg: Leg) -> None:
    """Let the human who answered `leg` begin; their first word comes in a later turn of the loop.

    Call it when there is somebody or something to hear them, so that nothing they say is lost.
    """
    human = exchange.directory.human(leg.about.to)
    if human is not None:
        script = party.as_script(human.script)
        party.connect(leg, script, exchange.settings.speak, exchange.tasks)
