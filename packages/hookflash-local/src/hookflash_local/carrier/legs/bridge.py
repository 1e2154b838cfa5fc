"""Bridging: each of two legs hears what the other says, sample by sample."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.tasks import first_of


@contextlib.contextmanager
def star_key(leg: Leg, wanted: bool) -> Iterator[asyncio.Event]:
    """Yield an event that is set when `*` is pressed on this leg; never set unless `wanted`."""
    pressed = asyncio.Event()
    if not wanted:
        yield pressed
        return
    before = leg.on_key
    leg.on_key = lambda digit: pressed.set() if digit == "*" else None
    try:
        yield pressed
    finally:
        leg.on_key = before


async def bridge(
    exchange: Exchange,
    near: Leg,
    far: Leg,
    *,
    until: asyncio.Event,
    limit: float | None = None,
    star: bool = False,
) -> None:
    """Bridge two legs until one is over, or `until` is set (the far side was moved).

    It ends after `limit` seconds too, and with `star` the near side may end it with a key.
    """
    with star_key(near, star) as star_pressed:
        near.listen_to(far.inbound_audio)
        far.listen_to(near.inbound_audio)
        near.note("bridged", with_=far.sid)
        far.note("bridged", with_=near.sid)
        try:
            async with exchange.clock.timeout(limit):
                await first_of(near.ended(), far.ended(), until.wait(), star_pressed.wait())
        except TimeoutError:
            exchange.alert(0, "the bridge reached its time limit", near)
        finally:
            for leg in (near, far):
                leg.note("unbridged")
            near.listen_to(None)
            if far.outbound_audio.source is near.inbound_audio:
                far.listen_to(None)
