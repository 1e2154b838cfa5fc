"""REST: Calls. Create, fetch, list, update (Twiml | Url | Status | ...). No I/O.

Source: Twilio, Call resource; error dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hookflash_local.carrier import alerts, sip
from hookflash_local.carrier.ids import API_VERSION, rfc2822, snake_case
from hookflash_local.carrier.legs.amd import Detection, detection
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.legs.outbound import OutboundCall, limit, place
from hookflash_local.carrier.media.recordings import RecordingOptions, recording_options
from hookflash_local.carrier.rest.rest_request import (
    GONE,
    Answer,
    Resource,
    RestError,
    RestRequest,
    callback,
    page,
)
from hookflash_local.carrier.twiml import parse
from hookflash_local.carrier.twiml.execution import Fallback, move
from hookflash_local.carrier.twiml.fetch import Entry, TwimlText, TwimlUrl
from hookflash_local.carrier.webhooks import FINAL_STATUSES, StatusCallback


def create(request: RestRequest) -> Answer:
    fields = request.fields
    check_new_call(fields)
    check_caller(fields, request.exchange.directory.owns, _shown_by_token(request))
    if fields.get("Url") and fields.get("Twiml"):
        text = "Url and Twiml are both given: Twiml is ignored"
        request.exchange.alert(alerts.TWIML_AND_URL, text)
    elif fields.get("Twiml"):
        check_twiml(fields["Twiml"], what="create a call with")
        _check_absolute(request, None, fields["Twiml"])
    leg = place(
        request.exchange,
        OutboundCall(
            to=fields["To"],
            from_=fields["From"],
            entry=_entry(fields),
            fallback=_fallback(fields),
            ring_seconds=float(fields.get("Timeout", "60")),
            status_callback=status_callback(request),
            detection=_detection(request),
            send_digits=fields.get("SendDigits", ""),
            time_limit=float(fields["TimeLimit"]) if "TimeLimit" in fields else None,
            recording=_recording(request) if fields.get("Record") == "true" else None,
        ),
    )
    return 201, call_body(leg)


def _shown_by_token(request: RestRequest) -> str:
    """Return the number that `CallToken` allows to be shown: its call's caller; or nothing."""
    token = request.fields.get("CallToken", "")
    legs = request.exchange.live.legs.values()
    callers = (leg.about.from_ for leg in legs if leg.about.extra.get("CallToken") == token != "")
    return next(callers, "")


def status_callback(request: RestRequest) -> StatusCallback:
    """Read the status callback of a new call."""
    fields = request.fields
    return StatusCallback(
        fields.get("StatusCallback", ""),
        fields.get("StatusCallbackMethod", "POST"),
        request.many("StatusCallbackEvent") or frozenset({"completed"}),
    )


def _detection(request: RestRequest) -> Detection | None:
    fields = request.fields
    asynchronous = fields.get("AsyncAmd") == "true"
    if "MachineDetection" not in fields:
        return None
    if "SendDigits" in fields:
        request.exchange.alert(alerts.PARAMETERS, "REST: SendDigits: MachineDetection is ignored")
    amd_callback = callback(request, "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod")
    return detection(
        fields, asynchronous=asynchronous, callback=amd_callback if asynchronous else None
    )


def _recording(request: RestRequest) -> RecordingOptions:
    to = callback(request, "RecordingStatusCallback", "RecordingStatusCallbackMethod")
    events = request.many("RecordingStatusCallbackEvent")
    return recording_options("OutboundAPI", request.fields, to, events, trim="trim-silence")


def fetch(request: RestRequest) -> Answer:
    return 200, call_body(request.leg())


def list_(request: RestRequest) -> Answer:
    found = [
        body
        for leg in request.exchange.live.legs.values()
        if _matches(body := call_body(leg), request.query)
    ]
    return page(request, "calls", found)


def update(request: RestRequest) -> Answer:
    leg, fields = request.leg(), request.fields
    if "StatusCallback" in fields:
        leg.status_callback.url = fields["StatusCallback"]
        leg.status_callback.method = fields.get("StatusCallbackMethod", "POST")
    if "FallbackUrl" in fields:
        leg.execution.fallback = _fallback(fields)
    if "Url" in fields and "Twiml" in fields:
        request.exchange.alert(alerts.TWIML_AND_URL, "Url and Twiml exclude each other", leg)
    if "TimeLimit" in fields and leg.live:
        limit(request.exchange, leg, float(fields["TimeLimit"]))
    if "Url" in fields or "Twiml" in fields:
        _move(request, leg)
    elif "Status" in fields:
        _end(request, leg, fields["Status"])
    return 200, call_body(leg)


def _move(request: RestRequest, leg: Leg) -> None:
    fields = request.fields
    if "Twiml" in fields and "Url" not in fields:
        text = fields["Twiml"]
        if request.exchange.unconfirmed.update_limit:
            check_twiml(text, what="update a call with")
        _check_absolute(request, leg, text)
    if leg.status != "in-progress":
        text = "Call is not in-progress. Cannot redirect."
        raise RestError(400, GONE, text)
    move(request.exchange, leg, _entry(fields))


def _check_absolute(request: RestRequest, leg: Leg | None, text: str) -> None:
    """Relative URLs have nothing to start from in TwiML that came by REST."""
    for where in parse.relative_urls(parse.parse(text)):
        code = alerts.URL_RELATIVE_IN_UPDATE
        message = f"{where} must be absolute in TwiML that is sent by REST"
        request.exchange.alert(code, message, leg)
        if request.exchange.unconfirmed.relative_urls_refused:
            raise RestError(400, code, message)


def _end(request: RestRequest, leg: Leg, status: str) -> None:
    if leg.status in FINAL_STATUSES:
        raise request.gone()
    if status == "canceled" and leg.about.answered:
        raise RestError(400, GONE, "Call is in-progress. Cannot cancel.")
    leg.end("completed" if leg.about.answered else "canceled", by="rest")


def _entry(fields: dict[str, str]) -> Entry:
    if "Url" in fields:
        return TwimlUrl(fields["Url"], fields.get("Method", "POST"))
    return TwimlText(fields["Twiml"])


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


MOST_TWIML_LETTERS = 4000
SUBRESOURCES = (
    *("Events", "Notifications", "Payments", "Recordings", "Siprec", "Streams"),
    *("Transcriptions", "UserDefinedMessages", "UserDefinedMessageSubscriptions"),
)
"""What a Call body names in `subresource_uris`; served here: Recordings, Streams."""

_PARTY = re.compile(r"\+[1-9][0-9]{5,14}|client:.+|sips?:.+@.+")
_USER = re.compile(r"[A-Za-z0-9+_.-]+")


def call_body(leg: Leg) -> dict[str, Any]:
    """Return the Call resource as JSON shows it: numbers are texts, dates RFC 2822."""
    about = leg.about
    path = f"/{API_VERSION}/Accounts/{about.account_sid}/Calls/{about.sid}"
    over = about.ended is not None
    return {
        "account_sid": about.account_sid,
        "answered_by": about.answered_by or None,
        "api_version": API_VERSION,
        "caller_name": about.extra.get("CallerName"),
        "date_created": rfc2822(about.created),
        "date_updated": rfc2822(about.ended or about.answered or about.created),
        "direction": about.direction,
        "duration": str(int(leg.seconds or 0)) if over else None,
        "end_time": rfc2822(about.ended),
        "forwarded_from": about.extra.get("ForwardedFrom"),
        "from": about.from_,
        "from_formatted": about.from_,
        "group_sid": None,
        "parent_call_sid": about.parent_sid or None,
        "phone_number_sid": None,
        "price": None,
        "price_unit": "USD",
        "queue_time": str(about.queue_ms),
        "sid": about.sid,
        "start_time": rfc2822(about.answered),
        "status": about.status,
        "subresource_uris": {snake_case(each): f"{path}/{each}.json" for each in SUBRESOURCES},
        "to": about.to,
        "to_formatted": about.to,
        "trunk_sid": None,
        "uri": f"{path}.json",
    }


def check_twiml(text: str, *, what: str) -> None:
    """Refuse TwiML that is too long or is no TwiML at all."""
    if len(text) > MOST_TWIML_LETTERS:
        raise RestError(
            400, 21609, f"Twiml of {len(text)} characters is too long to {what}: 4000 are allowed"
        )
    try:
        parse.parse(text)
    except parse.TwimlError as error:
        raise RestError(400, error.code, error.text) from None


def check_new_call(form: Mapping[str, str]) -> None:
    """Refuse a form that cannot make a call."""
    check_parties(form)
    if "ApplicationSid" in form:
        raise RestError(400, 21218, "ApplicationSid is not valid: there are no applications here")
    if not form.get("Url") and not form.get("Twiml"):
        raise RestError(400, 21205, "Url parameter is required")


def check_parties(form: Mapping[str, str]) -> None:
    """Refuse a form that does not say who calls whom."""
    for name, missing, wrong in (("To", 21201, 21211), ("From", 21213, 21212)):
        value = form.get(name, "")
        if not value:
            raise RestError(400, missing, f"No '{name}' number is specified")
        may_be_user = name == "From" and form["To"].startswith(("sip:", "sips:"))
        if not _PARTY.fullmatch(value) and not (may_be_user and _USER.fullmatch(value)):
            raise RestError(400, wrong, f"Invalid '{name}' phone number: {value}")
    if form["To"] == form["From"]:
        raise RestError(400, 21211, "A call cannot be made from a number to itself")
    problem = sip.problem(form["To"]) if form["To"].startswith(("sip:", "sips:")) else None
    if problem is not None:
        raise RestError(400, *problem)


def check_caller(form: Mapping[str, str], owns: Callable[[str], bool], proven: str = "") -> None:
    """Refuse to show a number to a telephone that is neither the account's nor verified, nor
    `proven` by the token of a call that came from it."""
    if form["To"].startswith("+") and not owns(form["From"]) and form["From"] != proven:
        text = f"The source phone number provided, {form['From']}, is not yet verified"
        raise RestError(400, 21210, text)
