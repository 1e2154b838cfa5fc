"""`<Dial><Conference>`: joins a room, waits for it to start, hears the others until it is over.

What `waitUrl` says is played once and followed by silence (a `<Redirect>` in it makes it loop);
if it cannot be had, the conference is not joined and the action is asked. Whoever coaches a call
that is not in the room is not let in either (13240). A label that is taken falls through to the
next verb (16025). Source: Twilio, `<Conference>`.
"""

from __future__ import annotations

from hookflash_local.carrier import notices, sounds
from hookflash_local.carrier.bridge import first_of, star_key
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.hearing import Loop
from hookflash_local.carrier.ids import rfc2822
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.lives import Scene, run
from hookflash_local.carrier.room import Member, Room, Tell
from hookflash_local.carrier.twiml import Element

_TOLD = {
    "conference-start": "start",
    "conference-end": "end",
    "participant-join": "join",
    "participant-leave": "leave",
    "participant-mute": "mute",
    "participant-unmute": "mute",
    "participant-hold": "hold",
    "participant-unhold": "hold",
    "participant-modify": "modify",
    "announcement-end": "announcement",
}

MOST_NAME_LETTERS = 128


async def join_conference(scene: Scene, dial: Element, noun: Element) -> str:
    """Be in the room until it is over; return the DialCallStatus, empty to go on below."""
    exchange, leg = scene.exchange, scene.leg
    room = exchange.live.rooms.get(noun.text)
    member = Member(
        leg,
        starts=noun.true("startConferenceOnEnter", True),
        ends=noun.true("endConferenceOnExit"),
        muted=noun.true("muted"),
        label=noun.get("participantLabel"),
        beep=noun.get("beep", "true"),
        coaching=noun.get("coach"),
    )
    refused = _refused(scene, noun, room, member)
    if refused is not None:
        return refused
    if room is None or room.completed:
        room = _new_room(scene, noun)
    waited: list[bool] = []
    with star_key(leg, dial.true("hangupOnStar")) as star:
        room.join(member, jitter=noun.get("jitterBufferSize", "large"))
        try:
            async with exchange.clock.timeout(dial.number("timeLimit", 0) or None):
                waiting = _wait(scene, noun, room, waited)
                await first_of(room.started.wait(), member.over.wait(), star.wait(), waiting)
                if False not in waited:
                    await first_of(member.over.wait(), leg.ended(), star.wait())
        except TimeoutError:
            exchange.notice(0, "the conference reached the time limit of <Dial>", leg)
        finally:
            room.leave(member)
            if room.completed and exchange.live.rooms.get(noun.text) is room:
                del exchange.live.rooms[noun.text]
    return "failed" if False in waited else "answered"


def _refused(scene: Scene, noun: Element, room: Room | None, member: Member) -> str | None:
    """Say with which status `member` may not come in; None if it may."""
    members = room.members if room else {}
    if not 0 < len(noun.text) <= MOST_NAME_LETTERS:
        scene.exchange.notice(notices.SCHEMA, "<Conference> needs a name", scene.leg)
        return ""
    if member.label and any(each.label == member.label for each in members.values()):
        text = f"label {member.label!r} is in use"
        scene.exchange.notice(notices.BAD_LABEL_IN_USE, text, scene.leg)
        return ""
    if len(members) >= noun.number("maxParticipants", 250):
        scene.exchange.notice(notices.ROOM_FULL, f"conference {noun.text!r} is full", scene.leg)
        return ""
    if member.coaching and member.coaching not in members:
        text = f"coach: {member.coaching} is not in this conference"
        scene.exchange.notice(notices.BAD_COACH, text, scene.leg)
        return "failed"
    return None


async def _wait(scene: Scene, noun: Element, room: Room, waited: list[bool]) -> None:
    """Let the leg hear what `waitUrl` says, once, until the room starts.

    Comes back only if that could not be had, with False in `waited`.
    """
    leg, url = scene.leg, noun.get("waitUrl")
    if room.started.is_set():
        await leg.ended()
    if "waitUrl" not in noun.attributes:
        leg.listen_to(Loop(sounds.hold_music(), scene.exchange.clock.now()))
    elif url:
        entry = scene.ask(url, noun.get("waitMethod"), {"ConferenceSid": room.sid})
        finish = await run(scene.exchange, leg, entry, segment="wait")
        waited.append(finish.how != "failed")
        if finish.how == "failed":
            return
    await room.started.wait()


def _new_room(scene: Scene, noun: Element) -> Room:
    """Make a room that reports where its first member says."""
    exchange = scene.exchange
    url = noun.get("statusCallback")
    method = noun.get("statusCallbackMethod") or "POST"
    events = frozenset(noun.get("statusCallbackEvent").split())
    if url:
        url = scene.page.resolve(url)
    music = exchange.unconfirmed.music_for_the_last
    room = Room(
        noun.text,
        exchange.new_sid("CF"),
        exchange.clock,
        lambda event, form: tell(event, form),
        music_for_the_last=music,
    )
    tell = _teller(exchange, scene.leg, room, url, method, events)
    exchange.live.rooms[room.name] = exchange.live.conferences[room.sid] = room
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
