"""REST: Calls. Create, fetch, list, update (Twiml | Url | Status | ...). No I/O.

Source: Twilio, Call resource.
"""

from __future__ import annotations

from typing import Any

from hookflash_local.carrier import notices, rest_bodies, twiml
from hookflash_local.carrier.amd import Detection, detection
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.lives import Fallback, move
from hookflash_local.carrier.outbound import Wish, limit, place
from hookflash_local.carrier.pages import Ask, Entry, Given
from hookflash_local.carrier.reports import FINAL_STATUSES, StatusReports
from hookflash_local.carrier.rest_bodies import Refusal, call_body
from hookflash_local.carrier.rest_request import Answer, Asked, Resource, page, report_to
from hookflash_local.carrier.tape import TapeWish, tape_wish


def create(asked: Asked) -> Answer:
    fields = asked.fields
    rest_bodies.check_new_call(fields)
    rest_bodies.check_caller(fields, asked.exchange.directory.owns, _shown_by_token(asked))
    if fields.get("Url") and fields.get("Twiml"):
        text = "Url and Twiml are both given: Twiml is ignored"
        asked.exchange.notice(notices.TWIML_AND_URL, text)
    elif fields.get("Twiml"):
        rest_bodies.check_twiml(fields["Twiml"], what="create a call with")
        _check_absolute(asked, None, fields["Twiml"])
    leg = place(
        asked.exchange,
        Wish(
            to=fields["To"],
            from_=fields["From"],
            entry=_entry(fields),
            fallback=_fallback(fields),
            ring_seconds=float(fields.get("Timeout", "60")),
            reports=reports(asked),
            detection=_detection(asked),
            send_digits=fields.get("SendDigits", ""),
            time_limit=float(fields["TimeLimit"]) if "TimeLimit" in fields else None,
            recording=_recording(asked) if fields.get("Record") == "true" else None,
        ),
    )
    return 201, call_body(leg)


def _shown_by_token(asked: Asked) -> str:
    """Return the number that `CallToken` allows to be shown: its call's caller; or nothing."""
    token = asked.fields.get("CallToken", "")
    legs = asked.exchange.live.legs.values()
    callers = (leg.about.from_ for leg in legs if leg.about.extra.get("CallToken") == token != "")
    return next(callers, "")


def reports(asked: Asked) -> StatusReports:
    """Read where the progress of a new call is to be told."""
    fields = asked.fields
    return StatusReports(
        fields.get("StatusCallback", ""),
        fields.get("StatusCallbackMethod", "POST"),
        asked.many("StatusCallbackEvent") or frozenset({"completed"}),
    )


def _detection(asked: Asked) -> Detection | None:
    fields = asked.fields
    asynchronous = fields.get("AsyncAmd") == "true"
    if "MachineDetection" not in fields:
        return None
    if "SendDigits" in fields:
        asked.exchange.notice(notices.PARAMETERS, "REST: SendDigits: MachineDetection is ignored")
    told = report_to(asked, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")
    return detection(fields, asynchronous=asynchronous, report_to=told if asynchronous else None)


def _recording(asked: Asked) -> TapeWish:
    told = report_to(asked, "RecordingStatusCallback", "RecordingStatusCallbackMethod")
    events = asked.many("RecordingStatusCallbackEvent")
    return tape_wish("OutboundAPI", asked.fields, told, events, trim="trim-silence")


def fetch(asked: Asked) -> Answer:
    return 200, call_body(asked.leg())


def list_(asked: Asked) -> Answer:
    found = [
        body
        for leg in asked.exchange.live.legs.values()
        if _matches(body := call_body(leg), asked.query)
    ]
    return page(asked, "calls", found)


def update(asked: Asked) -> Answer:
    leg, fields = asked.leg(), asked.fields
    if "StatusCallback" in fields:
        leg.reports.url = fields["StatusCallback"]
        leg.reports.method = fields.get("StatusCallbackMethod", "POST")
    if "FallbackUrl" in fields:
        leg.course.fallback = _fallback(fields)
    if "Url" in fields and "Twiml" in fields:
        asked.exchange.notice(notices.TWIML_AND_URL, "Url and Twiml exclude each other", leg)
    if "TimeLimit" in fields and leg.live:
        limit(asked.exchange, leg, float(fields["TimeLimit"]))
    if "Url" in fields or "Twiml" in fields:
        _move(asked, leg)
    elif "Status" in fields:
        _end(asked, leg, fields["Status"])
    return 200, call_body(leg)


def _move(asked: Asked, leg: Leg) -> None:
    fields = asked.fields
    if "Twiml" in fields and "Url" not in fields:
        text = fields["Twiml"]
        if asked.exchange.unconfirmed.update_limit:
            rest_bodies.check_twiml(text, what="update a call with")
        _check_absolute(asked, leg, text)
    if leg.status != "in-progress":
        text = "Call is not in-progress. Cannot redirect."
        raise Refusal(400, rest_bodies.GONE, text)
    move(asked.exchange, leg, _entry(fields))


def _check_absolute(asked: Asked, leg: Leg | None, text: str) -> None:
    """Relative URLs have nothing to start from in TwiML that came by REST."""
    for where in twiml.relative_urls(twiml.parse(text)):
        code = notices.URL_RELATIVE_IN_UPDATE
        message = f"{where} must be absolute in TwiML that is sent by REST"
        asked.exchange.notice(code, message, leg)
        if asked.exchange.unconfirmed.relative_urls_refused:
            raise Refusal(400, code, message)


def _end(asked: Asked, leg: Leg, status: str) -> None:
    if leg.status in FINAL_STATUSES:
        raise asked.gone()
    if status == "canceled" and leg.about.answered:
        raise Refusal(400, rest_bodies.GONE, "Call is in-progress. Cannot cancel.")
    leg.end("completed" if leg.about.answered else "canceled", by="rest")


def _entry(fields: dict[str, str]) -> Entry:
    if "Url" in fields:
        return Ask(fields["Url"], fields.get("Method", "POST"))
    return Given(fields["Twiml"])


def _fallback(fields: dict[str, str]) -> Fallback | None:
    if "FallbackUrl" not in fields:
        return None
    return fields["FallbackUrl"], fields.get("FallbackMethod", "POST")


def _matches(body: dict[str, Any], wanted: dict[str, str]) -> bool:
    names = {"Status": "status", "ParentCallSid": "parent_call_sid", "To": "to", "From": "from"}
    return all(body[key] == wanted[name] for name, key in names.items() if name in wanted)


RESOURCES = (
    Resource("GET", "/Calls.json", list_),
    Resource("POST", "/Calls.json", create, "calls.create", "creates"),
    Resource("GET", "/Calls/{call}.json", fetch),
    Resource("POST", "/Calls/{call}.json", update, "calls.update", "updates"),
)
