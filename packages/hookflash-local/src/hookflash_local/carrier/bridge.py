"""Two legs hear each other: the ear of each reads the mouth of the other, sample by sample."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator
from typing import Any

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.leg import Leg


async def first_of(*works: Awaitable[Any]) -> int:
    """Wait until one of `works` is done, cancel the others, and return its number."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        return min(tasks.index(task) for task in done)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def star_key(leg: Leg, wanted: bool) -> Iterator[asyncio.Event]:
    """Give an event that is set when `*` is pressed on this leg; never, if it is not `wanted`."""
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
    """Let both hear each other until one is over, or `until` is set (the far side was moved).

    It ends after `limit` seconds too, and with `star` the near side may end it with a key.
    """
    with star_key(near, star) as star_pressed:
        near.listen_to(far.mouth)
        far.listen_to(near.mouth)
        near.note("bridged", with_=far.sid)
        far.note("bridged", with_=near.sid)
        try:
            async with exchange.clock.timeout(limit):
                await first_of(near.ended(), far.ended(), until.wait(), star_pressed.wait())
        except TimeoutError:
            exchange.notice(0, "the bridge reached its time limit", near)
        finally:
            for leg in (near, far):
                leg.note("unbridged")
            near.listen_to(None)
            if far.ear.source is near.mouth:
                far.listen_to(None)
