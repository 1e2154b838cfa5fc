"""Which parameters each REST operation has, and which values they may hold. No I/O.

Names, types and required parameters come from Twilio's OpenAPI description, by the table
`api_v2010.json` (`scripts/twilio-api-table` writes it). Limits and error codes are from Twilio's
pages. A name that is not in the table is unknown to Twilio. A parameter marked `idle` is known to
Twilio and has no effect in this stand-in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from hookflash_local.carrier import alerts
from hookflash_local.carrier.checks import (
    BEEP,
    BOOL,
    BUFFER,
    LABEL,
    METHOD,
    REGION,
    TRIM,
    Check,
    absolute_url,
    any_text,
    at_most,
    matches,
    number,
    one_of,
)

BAD_URL = 21205

OPERATIONS = {
    "calls.create": "POST /Calls.json",
    "calls.update": "POST /Calls/{Sid}.json",
    "streams.create": "POST /Calls/{CallSid}/Streams.json",
    "streams.update": "POST /Calls/{CallSid}/Streams/{Sid}.json",
    "recordings.create": "POST /Calls/{CallSid}/Recordings.json",
    "recordings.update": "POST /Calls/{CallSid}/Recordings/{Sid}.json",
    "conferences.update": "POST /Conferences/{Sid}.json",
    "participants.create": "POST /Conferences/{ConferenceSid}/Participants.json",
    "participants.update": "POST /Conferences/{ConferenceSid}/Participants/{CallSid}.json",
    "queues.create": "POST /Queues.json",
    "queues.update": "POST /Queues/{Sid}.json",
    "members.update": "POST /Queues/{QueueSid}/Members/{CallSid}.json",
}

LIMITS: dict[str, Check] = {
    "ApplicationSid": any_text,  # refused with an error of its own
    "AsyncAmd": BOOL,
    "Beep": BEEP,
    "CallReason": at_most(50),
    "ConferenceStatusCallbackEvent": one_of(
        *("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement")
    ),
    "FriendlyName": at_most(64),
    "JitterBufferSize": BUFFER,
    "Label": LABEL,
    "MachineDetection": one_of("Enable", "DetectMessageEnd"),
    "MachineDetectionSilenceTimeout": number(2000, 10000),
    "MachineDetectionSpeechEndThreshold": number(500, 5000),
    "MachineDetectionSpeechThreshold": number(1000, 6000),
    "MachineDetectionTimeout": number(3, 59),
    "MaxParticipants": number(2, 250),
    "MaxSize": number(1, 5000),
    "PauseBehavior": one_of("skip", "silence"),
    "RecordingChannels": one_of("mono", "dual"),
    "RecordingStatusCallback": absolute_url,
    "RecordingStatusCallbackEvent": one_of("in-progress", "completed", "absent"),
    "RecordingTrack": one_of("inbound", "outbound", "both"),
    "Region": REGION,
    "SendDigits": matches(r"[0-9A-DwW#*]{1,32}"),
    "StatusCallbackEvent": one_of("initiated", "ringing", "answered", "completed"),
    "TimeLimit": number(1, 86400),
    "Timeout": number(1, 600),
    "Trim": TRIM,
    "WaitUrl": lambda value: not value or absolute_url(value),
    "participants.create Timeout": number(5, 600),
    "recordings.update Status": one_of("paused", "in-progress", "stopped"),
    "streams.create Url": any_text,  # refused with the error codes of media streams
}
"""What Twilio's pages say beyond the description; an operation before the name is more special."""

CODES = {
    "Label": 16023,
    "RecordingStatusCallback": BAD_URL,
    "StatusCallbackEvent": 21626,
    "calls.update Status": 21218,
}
"""The error code of a wrong value, where it is neither 20001 nor, for a URL, 21205."""

IDLE = frozenset(
    "Byoc CallerDisplayName CallerId ClientNotificationUrl ConferenceRecord"
    " ConferenceRecordingStatusCallback ConferenceRecordingStatusCallbackEvent"
    " ConferenceRecordingStatusCallbackMethod ConferenceTrim EarlyMedia Passports"
    " RecordingConfigurationId SipAuthPassword SipAuthUsername".split()
) | {
    "conferences.update AnnounceMethod",
    "conferences.update AnnounceUrl",
    "participants.create CallToken",
    "participants.create Record",
    "participants.update WaitMethod",
    "participants.update WaitUrl",
}

_EMERGENCY = tuple(
    f"Emergency{name}"
    for name in (
        *("Address", "CallerLocation", "CallerPosition", "City", "Country", "Name", "State"),
        "ZipCode",
    )
)
NEWER = {
    "calls.create": ("Passports", "RecordingConfigurationId"),
    "recordings.create": ("RecordingConfigurationId",),
    "participants.create": ("Passports", "RecordingConfigurationId", *_EMERGENCY),
}
"""Parameters of Twilio's official client that the description does not have; all are idle."""

_PARAMETER = re.compile(r"Parameter[1-9]\d?\.(Name|Value)")


@dataclass(frozen=True)
class Field:
    """`code` is the error code of a wrong value. `many`: may be repeated, or hold several words.
    `idle`: without effect in this stand-in."""

    check: Check = any_text
    code: int = alerts.PARAMETERS
    many: bool = False
    idle: bool = False


@dataclass(frozen=True)
class Deviation:
    """A difference from the documented form. `fatal`: the request is refused."""

    code: int
    text: str
    fatal: bool = False


def load_table() -> dict[str, Any]:
    """Return the table: `operations` by method and path, `bodies` by name."""
    table: dict[str, Any] = json.loads(
        (files("hookflash_local.carrier.rest") / "api_v2010.json").read_text()
    )
    return table


def _special(table: Mapping[str, Any], endpoint: str, name: str) -> Any:
    return table.get(f"{endpoint} {name}", table.get(name))


def _field(endpoint: str, name: str, described: Mapping[str, Any]) -> Field:
    if name in IDLE or f"{endpoint} {name}" in IDLE:
        return Field(idle=True)
    check: Check = any_text
    code = alerts.PARAMETERS
    match described:
        case {"format": "uri"}:
            check, code = absolute_url, BAD_URL
        case {"format": "http-method"}:
            check = METHOD
        case {"type": "boolean"}:
            check = BOOL
        case {"enum": list(allowed)}:
            check = one_of(*allowed)
        case {"pattern": str(pattern)}:
            check = matches(pattern)
    return Field(
        _special(LIMITS, endpoint, name) or check,
        _special(CODES, endpoint, name) or code,
        many=described.get("type") == "array",
    )


def _fields() -> dict[str, dict[str, Field]]:
    operations = load_table()["operations"]
    return {
        endpoint: {
            name: _field(endpoint, name, described)
            for name, described in operations[operation]["parameters"].items()
        }
        | {name: Field(idle=True) for name in NEWER.get(endpoint, ())}
        for endpoint, operation in OPERATIONS.items()
    }


FIELDS = _fields()
_REQUIRED: dict[str, list[str]] = {
    endpoint: load_table()["operations"][operation]["required"]
    for endpoint, operation in OPERATIONS.items()
    # A missing To, From or Url of a new call has error codes of its own.
    if endpoint != "calls.create"
}


def deviations(endpoint: str, pairs: Iterable[tuple[str, str]]) -> list[Deviation]:
    """Compare a form with the parameters of `endpoint`; an empty list means that it fits."""
    known = FIELDS[endpoint]
    found: list[Deviation] = []
    seen: set[str] = set()
    for name, value in pairs:
        field = known.get(name)
        if field is None:
            if endpoint != "streams.create" or not _PARAMETER.fullmatch(name):
                text = f"{endpoint} has no parameter {name!r}"
                found.append(Deviation(alerts.PARAMETERS, text))
            continue
        if name in seen and not field.many:
            found.append(Deviation(alerts.PARAMETERS, f"{name} comes several times"))
        seen.add(name)
        if field.idle:
            text = f"{endpoint} {name} has no effect here"
            found.append(Deviation(alerts.NOT_SIMULATED, text))
        values = value.split() or [value] if field.many else [value]
        for each in values:
            if not field.check(each):
                text = f"{name} is not valid: {each}"
                found.append(Deviation(field.code, text, fatal=True))
    for name in _REQUIRED.get(endpoint, ()):
        if name not in seen:
            text = f"missing required parameter {name}"
            found.append(Deviation(alerts.PARAMETERS, text, fatal=True))
    return found
