"""`<Dial><Conference>`: joins a room, waits for it to start, hears the others until it is over."""

from __future__ import annotations

from hookflash.standins.carrier import notices, sounds
from hookflash.standins.carrier.bridge import first_of, star_key
from hookflash.standins.carrier.exchange import Exchange
from hookflash.standins.carrier.hearing import Loop
from hookflash.standins.carrier.ids import rfc2822
from hookflash.standins.carrier.leg import Leg
from hookflash.standins.carrier.lives import Scene, run
from hookflash.standins.carrier.room import Member, Room, Tell
from hookflash.standins.carrier.twiml import Element

_TOLD = {
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
}


async def join_conference(scene: Scene, dial: Element, noun: Element) -> bool:
    """Be in the room until it is over; False if it could not be joined."""
    exchange, leg = scene.exchange, scene.leg
    room = exchange.live.rooms.get(noun.text)
    if room is None:
        room = exchange.live.rooms[noun.text] = _new_room(scene, noun)
    member = Member(
        leg,
        starts=noun.true("startConferenceOnEnter", True),
        ends=noun.true("endConferenceOnExit"),
        muted=noun.true("muted"),
        label=noun.get("participantLabel"),
        beep=noun.get("beep", "true"),
    )
    if member.label and any(each.label == member.label for each in room.members.values()):
        exchange.notice(notices.BAD_LABEL_IN_USE, f"label {member.label!r} is in use", leg)
        return False
    if len(room.members) >= noun.number("maxParticipants", 250):
        exchange.notice(notices.ROOM_FULL, f"conference {noun.text!r} is full", leg)
        return False
    with star_key(leg, dial.true("hangupOnStar")) as star:
        room.join(member)
        try:
            await first_of(room.started.wait(), member.over.wait(), _wait(scene, noun, room))
            async with exchange.clock.timeout(dial.number("timeLimit", 0) or None):
                await first_of(member.over.wait(), leg.ended(), star.wait())
        except TimeoutError:
            exchange.notice(0, "the conference reached the time limit of <Dial>", leg)
        finally:
            room.leave(member)
            if not room.members and exchange.live.rooms.get(noun.text) is room:
                del exchange.live.rooms[noun.text]
    return True


async def _wait(scene: Scene, noun: Element, room: Room) -> None:
    """Let the leg hear what `waitUrl` says, once, until the room starts."""
    leg, url = scene.leg, noun.get("waitUrl")
    if room.started.is_set():
        return
    if "waitUrl" not in noun.attributes:
        leg.listen_to(Loop(sounds.hold_music(), scene.exchange.clock.now()))
    elif url:
        entry = scene.ask(url, noun.get("waitMethod"), {"ConferenceSid": room.sid})
        await run(scene.exchange, leg, entry, segment="wait")
    await room.started.wait()


def _new_room(scene: Scene, noun: Element) -> Room:
    """Make a room that reports where its first member says."""
    url = noun.get("statusCallback")
    method = noun.get("statusCallbackMethod") or "POST"
    events = frozenset(noun.get("statusCallbackEvent").split())
    if url:
        url = scene.page.resolve(url)
    room = Room(noun.text, scene.exchange.clock, lambda event, form: tell(event, form))
    tell = _teller(scene.exchange, scene.leg, room, url, method, events)
    return room


def _teller(
    exchange: Exchange, leg: Leg, room: Room, url: str, method: str, events: frozenset[str]
) -> Tell:
    def tell(event: str, form: dict[str, str]) -> None:
        if not url or _TOLD[event] not in events:
            return
        whole = {
            "ConferenceSid": room.sid,
            "FriendlyName": room.name,
            "AccountSid": exchange.settings.account_sid,
            "SequenceNumber": str(room.sequence),
            "Timestamp": rfc2822(exchange.clock.wall()) or "",
            "StatusCallbackEvent": event,
            **form,
        }
        room.sequence += 1
        exchange.webhooks.tell(url, method, whole, call_sid=leg.sid)

    return tell
