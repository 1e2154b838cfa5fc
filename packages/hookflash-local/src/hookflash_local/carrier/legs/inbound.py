"""Calls to a number of the account: from outside, or forwarded by a telephone.

resource             | acquired    | released
the forwarded call   | `forward`   | with the call that was forwarded, and the other way round
audio both ways      | `forward`   | when either call is over
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.parties import Human, Line, Outcome
from hookflash_local.carrier.tasks import first_of
from hookflash_local.carrier.twiml.execution import begin
from hookflash_local.carrier.twiml.fetch import TwimlUrl
from hookflash_local.carrier.webhooks import StatusCallback


def arrive(
    exchange: Exchange,
    from_: str,
    to: str,
    *,
    extra: dict[str, str] | None = None,
    refer_answer: str = "202",
) -> Leg:
    """Start an incoming call to a number of the account. Raises KeyError for another number."""
    config = exchange.directory.numbers[to]
    status_callback = StatusCallback(config.status_callback or "", config.status_method)
    leg = exchange.new_leg(from_, to, "inbound", status_callback=status_callback, extra=extra)
    leg.about.refer_answer = refer_answer
    leg.note("placed", to=to)
    leg.ring()
    fallback = (config.fallback_url, config.fallback_method) if config.fallback_url else None
    begin(exchange, leg, TwimlUrl(config.voice_url, config.voice_method), fallback)
    return leg


async def forward(exchange: Exchange, leg: Leg, human: Human) -> Outcome:
    """Forward the call of `leg`, which rings at `human`, and return what comes of it there.

    The forwarded call shows the same caller. Cancelled: it is over, too.
    """
    extra = {"ForwardedFrom": leg.about.to} if human.says_so else {}
    onward = arrive(exchange, leg.about.from_, human.forwards_to, extra=extra)
    try:
        answered = await onward.answered()
    except asyncio.CancelledError:
        onward.end("canceled", by="party")
        raise
    if not answered:
        return "busy" if onward.status == "busy" else "no-answer"
    exchange.tasks.start(_join(exchange, leg, onward), f"forwarded {leg.sid}")
    return "answers"


async def _join(exchange: Exchange, leg: Leg, onward: Leg) -> None:
    """Carry the sound of two calls from one to the other, 20 ms late, until one is over."""
    if await leg.answered():
        lines = Line(leg, exchange.settings.speak), Line(onward, exchange.settings.speak)
        await first_of(_carry(*lines), _carry(*reversed(lines)))
    for each in (leg, onward):
        each.end("completed", by="party")


async def _carry(heard: Line, said: Line) -> None:
    async for frame in heard.frames():
        said.send(frame)
