"""Which parameters each REST endpoint has, and what they may hold, as a table. No I/O.

Twilio's OpenAPI document is the source of the names (a test compares them with Twilio's own
client) and its pages of the limits. What is not in the table is unknown to Twilio; what is marked
as idle is known there and has no effect in this stand-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hookflash_local.carrier import notices
from hookflash_local.carrier.checks import (
    BEEP,
    BOOL,
    BUFFER,
    CALL_SID,
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

_PARAMETER = re.compile(r"Parameter[1-9]\d?\.(Name|Value)")
_EVENT = one_of("initiated", "ringing", "answered", "completed")
_RECORDED_EVENT = one_of("in-progress", "completed", "absent")
_ROOM_EVENT = one_of(
    *("start", "end", "join", "leave", "mute", "hold", "modify", "speaker", "announcement")
)


@dataclass(frozen=True)
class Field:
    """`code` is what a wrong value is refused with. `many`: may come several times, or hold
    several words. `idle`: without effect here."""

    check: Check = any_text
    code: int = notices.PARAMETERS
    many: bool = False
    idle: bool = False


@dataclass(frozen=True)
class Deviation:
    """`fatal` values cannot be worked with: the request is refused."""

    code: int
    text: str
    fatal: bool = False


_URL = Field(absolute_url, 21205)
_METHOD = Field(METHOD)
_IDLE = Field(idle=True)

_DETECTION = {
    "MachineDetection": Field(one_of("Enable", "DetectMessageEnd")),
    "MachineDetectionTimeout": Field(number(3, 59)),
    "MachineDetectionSpeechThreshold": Field(number(1000, 6000)),
    "MachineDetectionSpeechEndThreshold": Field(number(500, 5000)),
    "MachineDetectionSilenceTimeout": Field(number(2000, 10000)),
}
_RECORDING = {
    "RecordingStatusCallback": _URL,
    "RecordingStatusCallbackMethod": _METHOD,
    "RecordingStatusCallbackEvent": Field(_RECORDED_EVENT, many=True),
    "RecordingChannels": Field(one_of("mono", "dual")),
    "RecordingTrack": Field(one_of("inbound", "outbound", "both")),
    "RecordingConfigurationId": _IDLE,
    "Trim": Field(TRIM),
}
_PLACING = {
    "To": Field(),
    "From": Field(),
    "StatusCallback": _URL,
    "StatusCallbackMethod": _METHOD,
    "StatusCallbackEvent": Field(_EVENT, 21626, many=True),
    "TimeLimit": Field(number(1, 86400)),
    "CallReason": Field(at_most(50)),
    "CallerId": _IDLE,
    "CallToken": Field(),
    "Byoc": _IDLE,
    "Passports": _IDLE,
    "ClientNotificationUrl": _IDLE,
    "SipAuthUsername": _IDLE,
    "SipAuthPassword": _IDLE,
}

FIELDS: dict[str, dict[str, Field]] = {
    "calls.create": {
        **_PLACING,
        **_DETECTION,
        **_RECORDING,
        "Url": _URL,
        "Method": _METHOD,
        "Twiml": Field(),
        "ApplicationSid": Field(),
        "FallbackUrl": _URL,
        "FallbackMethod": _METHOD,
        "SendDigits": Field(matches(r"[0-9A-DwW#*]{1,32}")),
        "Timeout": Field(number(1, 600)),
        "Record": Field(BOOL),
        "AsyncAmd": Field(BOOL),
        "AsyncAmdStatusCallback": _URL,
        "AsyncAmdStatusCallbackMethod": _METHOD,
    },
    "calls.update": {
        "Url": _URL,
        "Method": _METHOD,
        "Twiml": Field(),
        "Status": Field(one_of("canceled", "completed"), 21218),
        "FallbackUrl": _URL,
        "FallbackMethod": _METHOD,
        "StatusCallback": _URL,
        "StatusCallbackMethod": _METHOD,
        "TimeLimit": Field(number(1, 86400)),
    },
    "streams.create": {
        "Url": Field(),
        "Name": Field(),
        "Track": Field(one_of("inbound_track", "outbound_track", "both_tracks")),
        "StatusCallback": _URL,
        "StatusCallbackMethod": _METHOD,
    },
    "streams.update": {"Status": Field(one_of("stopped"))},
    "recordings.create": dict(_RECORDING),
    "recordings.update": {
        "Status": Field(one_of("paused", "in-progress", "stopped")),
        "PauseBehavior": Field(one_of("skip", "silence")),
    },
    "conferences.update": {
        "Status": Field(one_of("completed")),
        "AnnounceUrl": _IDLE,
        "AnnounceMethod": _IDLE,
    },
    "participants.create": {
        **_PLACING,
        "CallToken": _IDLE,
        **_DETECTION,
        **_RECORDING,
        "WaitUrl": Field(lambda value: not value or absolute_url(value), 21205),
        "WaitMethod": _METHOD,
        "Label": Field(LABEL, 16023),
        "Timeout": Field(number(5, 600)),
        "Record": _IDLE,
        "Muted": Field(BOOL),
        "Beep": Field(BEEP),
        "StartConferenceOnEnter": Field(BOOL),
        "EndConferenceOnExit": Field(BOOL),
        "EarlyMedia": _IDLE,
        "MaxParticipants": Field(number(2, 250)),
        "Coaching": Field(BOOL),
        "CallSidToCoach": Field(CALL_SID),
        "JitterBufferSize": Field(BUFFER),
        "Region": Field(REGION),
        "AmdStatusCallback": _URL,
        "AmdStatusCallbackMethod": _METHOD,
        "ConferenceStatusCallback": _URL,
        "ConferenceStatusCallbackMethod": _METHOD,
        "ConferenceStatusCallbackEvent": Field(_ROOM_EVENT, many=True),
        "ConferenceRecord": _IDLE,
        "ConferenceTrim": _IDLE,
        "ConferenceRecordingStatusCallback": _IDLE,
        "ConferenceRecordingStatusCallbackMethod": _IDLE,
        "ConferenceRecordingStatusCallbackEvent": _IDLE,
        "CallerDisplayName": _IDLE,
        "EmergencyCallerPosition": _IDLE,
        "EmergencyCallerLocation": _IDLE,
        "EmergencyName": _IDLE,
        "EmergencyAddress": _IDLE,
        "EmergencyZipCode": _IDLE,
        "EmergencyCity": _IDLE,
        "EmergencyCountry": _IDLE,
        "EmergencyState": _IDLE,
    },
    "participants.update": {
        "AnnounceUrl": _URL,
        "AnnounceMethod": _METHOD,
        "WaitUrl": _IDLE,
        "WaitMethod": _IDLE,
        "Muted": Field(BOOL),
        "Hold": Field(BOOL),
        "HoldUrl": _URL,
        "HoldMethod": _METHOD,
        "BeepOnExit": Field(BOOL),
        "EndConferenceOnExit": Field(BOOL),
        "Coaching": Field(BOOL),
        "CallSidToCoach": Field(CALL_SID),
    },
    "queues.create": {
        "FriendlyName": Field(at_most(64)),
        "MaxSize": Field(number(1, 5000)),
    },
    "queues.update": {
        "FriendlyName": Field(at_most(64)),
        "MaxSize": Field(number(1, 5000)),
    },
    "members.update": {"Url": _URL, "Method": _METHOD},
}

_REQUIRED = {
    "streams.create": ("Url",),
    "streams.update": ("Status",),
    "recordings.update": ("Status",),
    "participants.create": ("From", "To"),
    "queues.create": ("FriendlyName",),
    "members.update": ("Url",),
}


def deviations(endpoint: str, pairs: Iterable[tuple[str, str]]) -> list[Deviation]:
    """Compare a form with what `endpoint` documents; an empty list means that it fits."""
    known = FIELDS[endpoint]
    found: list[Deviation] = []
    seen: set[str] = set()
    for name, value in pairs:
        field = known.get(name)
        if field is None:
            if endpoint != "streams.create" or not _PARAMETER.fullmatch(name):
                text = f"{endpoint} has no parameter {name!r}"
                found.append(Deviation(notices.PARAMETERS, text))
            continue
        if name in seen and not field.many:
            found.append(Deviation(notices.PARAMETERS, f"{name} comes several times"))
        seen.add(name)
        if field.idle:
            text = f"{endpoint} {name} has no effect here"
            found.append(Deviation(notices.NOT_SIMULATED, text))
        values = value.split() or [value] if field.many else [value]
        for each in values:
            if not field.check(each):
                text = f"{name} is not valid: {each}"
                found.append(Deviation(field.code, text, fatal=True))
    for name in _REQUIRED.get(endpoint, ()):
        if name not in seen:
            text = f"missing required parameter {name}"
            found.append(Deviation(notices.PARAMETERS, text, fatal=True))
    return found
