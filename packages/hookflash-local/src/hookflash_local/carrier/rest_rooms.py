"""REST: Conferences and their Participants. No I/O.

A conference is found by its SID; by its name only to call somebody into it, which makes the room
if there is none. Participants are found by call SID or label.
Source: Twilio, Conference resource, Conference Participant resource.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hookflash_local.carrier import notices, rest_bodies
from hookflash_local.carrier.amd import detection
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.holding import announce, hold, unhold
from hookflash_local.carrier.ids import API_VERSION, is_sid, rfc2822
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.outbound import Wish, place
from hookflash_local.carrier.pages import Ask, Given
from hookflash_local.carrier.rest_bodies import Refusal
from hookflash_local.carrier.rest_calls import reports
from hookflash_local.carrier.rest_request import Answer, Asked, Resource, page, report_to
from hookflash_local.carrier.room import Member, Room

_ATTRIBUTES = {
    "Label": "participantLabel",
    "Muted": "muted",
    "Beep": "beep",
    "StartConferenceOnEnter": "startConferenceOnEnter",
    "EndConferenceOnExit": "endConferenceOnExit",
    "JitterBufferSize": "jitterBufferSize",
    "WaitUrl": "waitUrl",
    "WaitMethod": "waitMethod",
    "MaxParticipants": "maxParticipants",
    "Region": "region",
    "CallSidToCoach": "coach",
    "ConferenceStatusCallback": "statusCallback",
    "ConferenceStatusCallbackMethod": "statusCallbackMethod",
}


def _room(asked: Asked) -> Room:
    """Find a room. Raises Refusal."""
    live, name = asked.exchange.live, asked.names["conference"]
    room = live.conferences.get(name)
    if room is None and asked.exchange.unconfirmed.rooms_by_name:
        room = live.rooms.get(name)
    if room is None:
        raise asked.gone()
    return room


def _member(asked: Asked) -> tuple[Room, Member]:
    room = _room(asked)
    member = room.find(asked.names["call"])
    if member is None:
        raise asked.gone()
    return room, member


def _conference_body(exchange: Exchange, room: Room) -> dict[str, Any]:
    account = exchange.settings.account_sid
    path = f"/{API_VERSION}/Accounts/{account}/Conferences/{room.sid}"
    subresources = {"participants": f"{path}/Participants.json"}
    return {
        "account_sid": account,
        "api_version": API_VERSION,
        "call_sid_ending_conference": room.ending.by or None,
        "date_created": rfc2822(room.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "friendly_name": room.name,
        "reason_conference_ended": room.ending.reason or None,
        "region": "us1",
        "sid": room.sid,
        "status": room.status,
        "subresource_uris": {**subresources, "recordings": f"{path}/Recordings.json"},
        "uri": f"{path}.json",
    }


def _participant_body(
    exchange: Exchange, room_sid: str, member: Member, status: str
) -> dict[str, Any]:
    account, leg = exchange.settings.account_sid, member.leg
    path = f"/{API_VERSION}/Accounts/{account}/Conferences/{room_sid}/Participants/{leg.sid}.json"
    return {
        "account_sid": account,
        "call_sid": leg.sid,
        "call_sid_to_coach": member.coaching or None,
        "coaching": bool(member.coaching),
        "conference_sid": room_sid,
        "date_created": rfc2822(member.joined_at or leg.about.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "end_conference_on_exit": member.ends,
        "hold": member.held,
        "label": member.label or None,
        "muted": member.muted,
        "queue_time": str(leg.about.queue_ms),
        "start_conference_on_enter": member.starts,
        "status": status,
        "uri": path,
    }


def _connected(asked: Asked, room: Room, member: Member) -> Answer:
    return 200, _participant_body(asked.exchange, room.sid, member, "connected")


def fetch(asked: Asked) -> Answer:
    return 200, _conference_body(asked.exchange, _room(asked))


def list_(asked: Asked) -> Answer:
    names = {"FriendlyName": "friendly_name", "Status": "status"}
    bodies = [_conference_body(asked.exchange, r) for r in asked.exchange.live.conferences.values()]
    found = [
        body
        for body in bodies
        if all(body[key] == asked.query[name] for name, key in names.items() if name in asked.query)
    ]
    return page(asked, "conferences", found)


def update(asked: Asked) -> Answer:
    room = _room(asked)
    if asked.fields.get("Status") == "completed":
        if room.completed:
            raise asked.gone()
        room.complete()
    return 200, _conference_body(asked.exchange, room)


def participants(asked: Asked) -> Answer:
    """List who is in; a conference that is over has nobody."""
    room = _room(asked)
    names = {"Muted": "muted", "Hold": "hold", "Coaching": "coaching"}
    bodies = [
        _participant_body(asked.exchange, room.sid, member, "connected")
        for member in room.members.values()
    ]
    found = [
        body
        for body in bodies
        if all(
            str(body[key]).lower() == asked.query[name]
            for name, key in names.items()
            if name in asked.query
        )
    ]
    return page(asked, "participants", found)


def participant(asked: Asked) -> Answer:
    return _connected(asked, *_member(asked))


def create(asked: Asked) -> Answer:
    """Call somebody into the room."""
    exchange, fields, name = asked.exchange, asked.fields, asked.names["conference"]
    rest_bodies.check_parties(fields)
    rest_bodies.check_caller(fields, exchange.directory.owns)
    known = exchange.live.conferences.get(name)
    if is_sid("CF", name) and (known is None or known.completed):
        raise asked.gone()
    room = known or exchange.live.rooms.get(name)
    label = fields.get("Label", "")
    if room is not None and label and room.find(label):
        raise Refusal(400, 16026, f"A participant with label {label} is in the conference")
    told = report_to(asked, "AmdStatusCallback", "AmdStatusCallbackMethod")
    leg = place(
        exchange,
        Wish(
            to=fields["To"],
            from_=fields["From"],
            entry=Given(_twiml(asked, room.name if room else name)),
            ring_seconds=float(fields.get("Timeout", "60")),
            reports=reports(asked),
            detection=detection(fields, asynchronous=True, report_to=told),
            time_limit=float(fields["TimeLimit"]) if "TimeLimit" in fields else None,
        ),
    )
    exchange.tasks.start(_tell_if_it_fails(exchange, leg, name), f"participant {leg.sid}")
    member = Member(
        leg,
        starts=fields.get("StartConferenceOnEnter") != "false",
        ends=fields.get("EndConferenceOnExit") == "true",
        muted=fields.get("Muted") == "true",
        label=label,
    )
    sid = room.sid if room else ""
    return 201, _participant_body(exchange, sid, member, "queued")


async def _tell_if_it_fails(exchange: Exchange, leg: Leg, name: str) -> None:
    if not await leg.answered():
        room = exchange.live.conferences.get(name) or exchange.live.rooms.get(name)
        if room is not None and not room.completed:
            room.add_failed(leg)


def _twiml(asked: Asked, name: str) -> str:
    """Return the document that the new leg runs."""
    attributes = {_ATTRIBUTES[key]: value for key, value in asked.pairs if key in _ATTRIBUTES}
    if "statusCallback" in attributes:
        events = asked.many("ConferenceStatusCallbackEvent") or frozenset({"start", "end"})
        attributes["statusCallbackEvent"] = " ".join(sorted(events))
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<Response><Dial><Conference{written}>{escape(name)}</Conference></Dial></Response>"


def change(asked: Asked) -> Answer:
    """Mute, hold, coach, announce, or decide what a member's leaving means."""
    room, member = _member(asked)
    fields, exchange = asked.fields, asked.exchange
    if "CallSidToCoach" in fields and fields["CallSidToCoach"] not in room.members:
        raise Refusal(400, notices.BAD_COACH, "CallSidToCoach is not in the conference")
    if "Muted" in fields and member.muted != (fields["Muted"] == "true"):
        room.mute(member, fields["Muted"] == "true")
    if fields.get("Hold") == "true":
        url = fields.get("HoldUrl")
        hold(exchange, room, member, Ask(url, fields.get("HoldMethod", "GET")) if url else None)
    elif "Hold" in fields:
        unhold(room, member)
    if "AnnounceUrl" in fields:
        wanted = Ask(fields["AnnounceUrl"], fields.get("AnnounceMethod", "POST"))
        announce(exchange, room, member, wanted)
    if _modify(member, fields):
        room.modified(member)
    return _connected(asked, room, member)


def _modify(member: Member, fields: dict[str, str]) -> bool:
    """Change what Twilio calls modified; tell whether there was anything to change."""
    if "EndConferenceOnExit" in fields:
        member.ends = fields["EndConferenceOnExit"] == "true"
    if "BeepOnExit" in fields:
        enters = member.beep in ("true", "onEnter")
        exits = fields["BeepOnExit"] == "true"
        member.beep = {(True, True): "true", (True, False): "onEnter", (False, True): "onExit"}.get(
            (enters, exits), "false"
        )
    if fields.get("Coaching") == "false":
        member.coaching = ""
    elif "CallSidToCoach" in fields:
        member.coaching = fields["CallSidToCoach"]
    names = ("EndConferenceOnExit", "BeepOnExit", "Coaching", "CallSidToCoach")
    return any(name in fields for name in names)


def kick(asked: Asked) -> Answer:
    """Put a member out; its call goes on with the action of its `<Dial>`, or what is below."""
    room, member = _member(asked)
    room.leave(member, kicked=True)
    return 204, None


_ONE = "/Conferences/{conference}"
_PEOPLE = f"{_ONE}/Participants"

RESOURCES = (
    Resource("GET", "/Conferences.json", list_),
    Resource("GET", f"{_ONE}.json", fetch),
    Resource("POST", f"{_ONE}.json", update, "conferences.update"),
    Resource("GET", f"{_PEOPLE}.json", participants),
    Resource("POST", f"{_PEOPLE}.json", create, "participants.create", "creates"),
    Resource("GET", f"{_PEOPLE}/{{call}}.json", participant),
    Resource("POST", f"{_PEOPLE}/{{call}}.json", change, "participants.update"),
    Resource("DELETE", f"{_PEOPLE}/{{call}}.json", kick),
)
