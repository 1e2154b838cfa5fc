"""What the REST side says and demands: Call bodies, error bodies, rules for forms. No I/O.

Source: Twilio's OpenAPI document (api v2010) and its error dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from hookflash_local.carrier import sip, twiml
from hookflash_local.carrier.ids import API_VERSION, rfc2822
from hookflash_local.carrier.leg import Leg

MOST_TWIML_LETTERS = 4000
GONE = 21220
NOT_FOUND = 20404

_PARTY = re.compile(r"\+[1-9][0-9]{5,14}|client:.+|sips?:.+@.+")
_USER = re.compile(r"[A-Za-z0-9+_.-]+")


class Refusal(Exception):
    """An error body: Twilio's code, HTTP status and text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def not_found(path: str) -> Refusal:
    return Refusal(404, NOT_FOUND, f"The requested resource {path} was not found")


def call_body(leg: Leg) -> dict[str, Any]:
    """Return the Call resource as JSON shows it: numbers are texts, dates RFC 2822."""
    about = leg.about
    path = f"/{API_VERSION}/Accounts/{about.account_sid}/Calls/{about.sid}"
    over = about.ended is not None
    subresources = ("Events", "Notifications", "Payments", "Recordings", "Siprec", "Streams")
    return {
        "account_sid": about.account_sid,
        "annotation": None,
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
        "subresource_uris": {name.lower(): f"{path}/{name}.json" for name in subresources},
        "to": about.to,
        "to_formatted": about.to,
        "trunk_sid": None,
        "uri": f"{path}.json",
    }


def check_twiml(text: str, *, what: str) -> None:
    """Refuse TwiML that is too long or is no TwiML at all."""
    if len(text) > MOST_TWIML_LETTERS:
        raise Refusal(
            400, 21609, f"Twiml of {len(text)} characters is too long to {what}: 4000 are allowed"
        )
    try:
        twiml.parse(text)
    except twiml.TwimlError as error:
        raise Refusal(400, error.code, error.text) from None


def check_new_call(form: Mapping[str, str]) -> None:
    """Refuse a form that cannot make a call."""
    check_parties(form)
    if "ApplicationSid" in form:
        raise Refusal(400, 21218, "ApplicationSid is not valid: there are no applications here")
    if not form.get("Url") and not form.get("Twiml"):
        raise Refusal(400, 21205, "Url parameter is required")


def check_parties(form: Mapping[str, str]) -> None:
    """Refuse a form that does not say who calls whom."""
    for name, missing, wrong in (("To", 21201, 21211), ("From", 21213, 21212)):
        value = form.get(name, "")
        if not value:
            raise Refusal(400, missing, f"No '{name}' number is specified")
        named = name == "From" and form["To"].startswith(("sip:", "sips:"))
        if not _PARTY.fullmatch(value) and not (named and _USER.fullmatch(value)):
            raise Refusal(400, wrong, f"Invalid '{name}' phone number: {value}")
    if form["To"] == form["From"]:
        raise Refusal(400, 21211, "A call cannot be made from a number to itself")
    problem = sip.problem(form["To"]) if form["To"].startswith(("sip:", "sips:")) else None
    if problem is not None:
        raise Refusal(400, *problem)


def check_caller(form: Mapping[str, str], owns: Callable[[str], bool], proven: str = "") -> None:
    """Refuse to show a number to a telephone that is neither the account's nor verified, nor
    `proven` by the token of a call that came from it."""
    if form["To"].startswith("+") and not owns(form["From"]) and form["From"] != proven:
        text = f"The source phone number provided, {form['From']}, is not yet verified"
        raise Refusal(400, 21210, text)
