"""What one member of a conference hears alone: while held, or as an announcement.

resource     | acquired   | released
holding      | `hold`     | `unhold`, or when the member leaves; `Tasks`
announcement | `announce` | when it is over; `Tasks`
"""

from __future__ import annotations

from hookflash_local.carrier import sounds
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.hearing import Loop
from hookflash_local.carrier.lives import run
from hookflash_local.carrier.pages import Ask
from hookflash_local.carrier.room import Member, Room

_AGAIN_SECONDS = 1.0
"""A document that takes no time is asked again after this."""


def hold(exchange: Exchange, room: Room, member: Member, wanted: Ask | None) -> None:
    """Put a member on hold, with music or with what `wanted` answers, again and again."""
    if member.held:
        return
    room.hold(member, True)
    if wanted is None:
        member.leg.listen_to(Loop(sounds.hold_music(), exchange.clock.now()))
        return
    work = _held(exchange, member, wanted)
    member.holding = exchange.tasks.start(work, f"hold {member.leg.sid}")


def unhold(room: Room, member: Member) -> None:
    if not member.held:
        return
    if member.holding:
        member.holding.cancel()
        member.holding = None
    room.hold(member, False)


def announce(exchange: Exchange, room: Room, member: Member, wanted: Ask) -> None:
    """Let a member, and nobody else, hear what `wanted` answers."""

    async def announcement() -> None:
        await run(exchange, member.leg, wanted, segment="wait")
        room.announced(member)

    exchange.tasks.start(announcement(), f"announcement {member.leg.sid}")


async def _held(exchange: Exchange, member: Member, wanted: Ask) -> None:
    while (await run(exchange, member.leg, wanted, segment="wait")).how != "failed":
        await exchange.clock.sleep(_AGAIN_SECONDS)
