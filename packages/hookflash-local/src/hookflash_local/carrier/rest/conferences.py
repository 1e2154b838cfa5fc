"""REST: Conferences and their Participants. No I/O.

A conference is found by its SID; by its name only to call a participant into it, which creates the
conference if there is none. Participants are found by call SID or label.
Source: Twilio, Conference resource, Conference Participant resource.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from hookflash_local.carrier import alerts
from hookflash_local.carrier.conferences import Conference, Participant, announce, hold, unhold
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import API_VERSION, is_sid, rfc2822
from hookflash_local.carrier.legs.amd import detection
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.outbound import OutboundCall, place
from hookflash_local.carrier.rest import calls
from hookflash_local.carrier.rest.calls import status_callback
from hookflash_local.carrier.rest.rest_request import (
    Answer,
    Resource,
    RestError,
    RestRequest,
    callback,
    page,
)
from hookflash_local.carrier.twiml.fetch import TwimlText, TwimlUrl

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


def _conference(request: RestRequest) -> Conference:
    """Find a conference. Raises RestError."""
    live, name = request.exchange.live, request.names["conference"]
    conference = live.conferences.get(name)
    if conference is None and request.exchange.unconfirmed.rooms_by_name:
        conference = live.conferences_by_name.get(name)
    if conference is None:
        raise request.gone()
    return conference


def _participant(request: RestRequest) -> tuple[Conference, Participant]:
    conference = _conference(request)
    participant = conference.find(request.names["call"])
    if participant is None:
        raise request.gone()
    return conference, participant


def _conference_body(exchange: Exchange, conference: Conference) -> dict[str, Any]:
    account = exchange.settings.account_sid
    path = f"/{API_VERSION}/Accounts/{account}/Conferences/{conference.sid}"
    subresources = {"participants": f"{path}/Participants.json"}
    return {
        "account_sid": account,
        "api_version": API_VERSION,
        "call_sid_ending_conference": conference.ending.by or None,
        "date_created": rfc2822(conference.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "friendly_name": conference.name,
        "reason_conference_ended": conference.ending.reason or None,
        "region": "us1",
        "sid": conference.sid,
        "status": conference.status,
        "subresource_uris": {**subresources, "recordings": f"{path}/Recordings.json"},
        "uri": f"{path}.json",
    }


def _participant_body(
    exchange: Exchange, room_sid: str, participant: Participant, status: str
) -> dict[str, Any]:
    account, leg = exchange.settings.account_sid, participant.leg
    path = f"/{API_VERSION}/Accounts/{account}/Conferences/{room_sid}/Participants/{leg.sid}.json"
    return {
        "account_sid": account,
        "call_sid": leg.sid,
        "call_sid_to_coach": participant.coaching or None,
        "coaching": bool(participant.coaching),
        "conference_sid": room_sid,
        "date_created": rfc2822(participant.joined_at or leg.about.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "end_conference_on_exit": participant.ends,
        "hold": participant.held,
        "label": participant.label or None,
        "muted": participant.muted,
        "queue_time": str(leg.about.queue_ms),
        "start_conference_on_enter": participant.starts,
        "status": status,
        "uri": path,
    }


def _connected(request: RestRequest, conference: Conference, participant: Participant) -> Answer:
    return 200, _participant_body(request.exchange, conference.sid, participant, "connected")


def fetch(request: RestRequest) -> Answer:
    return 200, _conference_body(request.exchange, _conference(request))


def list_(request: RestRequest) -> Answer:
    names = {"FriendlyName": "friendly_name", "Status": "status"}
    bodies = [
        _conference_body(request.exchange, r) for r in request.exchange.live.conferences.values()
    ]
    found = [
        body
        for body in bodies
        if all(
            body[key] == request.query[name] for name, key in names.items() if name in request.query
        )
    ]
    return page(request, "conferences", found)


def update(request: RestRequest) -> Answer:
    conference = _conference(request)
    if request.fields.get("Status") == "completed":
        if conference.completed:
            raise request.gone()
        conference.complete()
    return 200, _conference_body(request.exchange, conference)


def participants(request: RestRequest) -> Answer:
    """List the participants; a completed conference has none."""
    conference = _conference(request)
    names = {"Muted": "muted", "Hold": "hold", "Coaching": "coaching"}
    bodies = [
        _participant_body(request.exchange, conference.sid, participant, "connected")
        for participant in conference.participants.values()
    ]
    found = [
        body
        for body in bodies
        if all(
            str(body[key]).lower() == request.query[name]
            for name, key in names.items()
            if name in request.query
        )
    ]
    return page(request, "participants", found)


def participant(request: RestRequest) -> Answer:
    return _connected(request, *_participant(request))


def create(request: RestRequest) -> Answer:
    """Call a number and let it join the conference."""
    exchange, fields, name = request.exchange, request.fields, request.names["conference"]
    calls.check_parties(fields)
    calls.check_caller(fields, exchange.directory.owns)
    known = exchange.live.conferences.get(name)
    if is_sid("CF", name) and (known is None or known.completed):
        raise request.gone()
    conference = known or exchange.live.conferences_by_name.get(name)
    label = fields.get("Label", "")
    if conference is not None and label and conference.find(label):
        raise RestError(400, 16026, f"A participant with label {label} is in the conference")
    amd_callback = callback(request, "AmdStatusCallback", "AmdStatusCallbackMethod")
    leg = place(
        exchange,
        OutboundCall(
            to=fields["To"],
            from_=fields["From"],
            entry=TwimlText(_twiml(request, conference.name if conference else name)),
            ring_seconds=float(fields.get("Timeout", "60")),
            status_callback=status_callback(request),
            detection=detection(fields, asynchronous=True, callback=amd_callback),
            time_limit=float(fields["TimeLimit"]) if "TimeLimit" in fields else None,
        ),
    )
    exchange.tasks.start(_tell_if_it_fails(exchange, leg, name), f"participant {leg.sid}")
    participant = Participant(
        leg,
        starts=fields.get("StartConferenceOnEnter") != "false",
        ends=fields.get("EndConferenceOnExit") == "true",
        muted=fields.get("Muted") == "true",
        label=label,
    )
    if conference is not None:
        sid = conference.sid
    else:
        sid = exchange.live.conference_sids.setdefault(name, exchange.new_sid("CF"))
    return 201, _participant_body(exchange, sid, participant, "queued")


async def _tell_if_it_fails(exchange: Exchange, leg: Leg, name: str) -> None:
    if not await leg.answered():
        conference = exchange.live.conferences.get(name) or exchange.live.conferences_by_name.get(
            name
        )
        if conference is not None and not conference.completed:
            conference.add_failed(leg)


def _twiml(request: RestRequest, name: str) -> str:
    """Return the document that the new leg runs."""
    attributes = {_ATTRIBUTES[key]: value for key, value in request.pairs if key in _ATTRIBUTES}
    if "statusCallback" in attributes:
        events = request.many("ConferenceStatusCallbackEvent") or frozenset({"start", "end"})
        attributes["statusCallbackEvent"] = " ".join(sorted(events))
    written = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<Response><Dial><Conference{written}>{escape(name)}</Conference></Dial></Response>"


def change(request: RestRequest) -> Answer:
    """Mute, hold, coach, announce, or decide what a participant's leaving means."""
    conference, participant = _participant(request)
    fields, exchange = request.fields, request.exchange
    if "CallSidToCoach" in fields and fields["CallSidToCoach"] not in conference.participants:
        raise RestError(400, alerts.BAD_COACH, "CallSidToCoach is not in the conference")
    if "Muted" in fields and participant.muted != (fields["Muted"] == "true"):
        conference.mute(participant, fields["Muted"] == "true")
    if fields.get("Hold") == "true":
        url = fields.get("HoldUrl")
        hold(
            exchange,
            conference,
            participant,
            TwimlUrl(url, fields.get("HoldMethod", "GET")) if url else None,
        )
    elif "Hold" in fields:
        unhold(conference, participant)
    if "AnnounceUrl" in fields:
        wanted = TwimlUrl(fields["AnnounceUrl"], fields.get("AnnounceMethod", "POST"))
        announce(exchange, conference, participant, wanted)
    if _modify(participant, fields):
        conference.modified(participant)
    return _connected(request, conference, participant)


def _modify(participant: Participant, fields: dict[str, str]) -> bool:
    """Change what Twilio calls modified; tell whether there was anything to change."""
    if "EndConferenceOnExit" in fields:
        participant.ends = fields["EndConferenceOnExit"] == "true"
    if "BeepOnExit" in fields:
        enters = participant.beep in ("true", "onEnter")
        exits = fields["BeepOnExit"] == "true"
        participant.beep = {
            (True, True): "true",
            (True, False): "onEnter",
            (False, True): "onExit",
        }.get((enters, exits), "false")
    if fields.get("Coaching") == "false":
        participant.coaching = ""
    elif "CallSidToCoach" in fields:
        participant.coaching = fields["CallSidToCoach"]
    names = ("EndConferenceOnExit", "BeepOnExit", "Coaching", "CallSidToCoach")
    return any(name in fields for name in names)


def kick(request: RestRequest) -> Answer:
    """Remove a participant; its call continues with the action of its `<Dial>` or the next verb."""
    conference, participant = _participant(request)
    conference.leave(participant, kicked=True)
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
