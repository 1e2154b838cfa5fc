"""The grammar of TwiML, as a table: which attributes a verb has, and what may be inside it.

Only what Twilio documents is here. An attribute's value is one of the kinds below; a wrong one
is a schema warning (12200), as are unknown names, names in the wrong case and wrong nesting.
Sources: Twilio's TwiML reference, one page a verb, and the Media Streams pages.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

Check = Callable[[str], bool]


def _matches(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: compiled.fullmatch(value) is not None


def _number(low: int, high: int) -> Check:
    return lambda value: value.isdecimal() and low <= int(value) <= high


def _words(*allowed: str) -> Check:
    """One or more of `allowed`, separated by spaces."""
    return lambda value: bool(value.split()) and set(value.split()) <= set(allowed)


def _one_of(*allowed: str) -> Check:
    return lambda value: value in allowed


def any_text(value: str) -> bool:
    return True


def url(value: str) -> bool:
    return bool(value) and not re.search(r"\s", value)


def absolute_url(value: str) -> bool:
    return value.startswith(("http://", "https://"))


BOOL = _one_of("true", "false")
METHOD = _one_of("GET", "POST")
CALL_EVENTS = _words("initiated", "ringing", "answered", "completed")
RECORDING_EVENTS = _words("in-progress", "completed", "absent")

_LOOP = _number(0, 1000)
_DETECTION: dict[str, Check] = {
    "machineDetection": _one_of("Enable", "DetectMessageEnd"),
    "machineDetectionTimeout": _number(3, 60),
    "machineDetectionSpeechThreshold": _number(1000, 6000),
    "machineDetectionSpeechEndThreshold": _number(500, 5000),
    "machineDetectionSilenceTimeout": _number(2000, 10000),
    "amdStatusCallback": absolute_url,
    "amdStatusCallbackMethod": METHOD,
}
_DIALLED: dict[str, Check] = {
    "url": url,
    "method": METHOD,
    "statusCallback": url,
    "statusCallbackMethod": METHOD,
    "statusCallbackEvent": CALL_EVENTS,
}
_RECORDED: dict[str, Check] = {
    "recordingStatusCallback": url,
    "recordingStatusCallbackMethod": METHOD,
    "recordingStatusCallbackEvent": RECORDING_EVENTS,
    "trim": _one_of("trim-silence", "do-not-trim"),
}


@dataclass(frozen=True)
class Rule:
    """`children` are the elements allowed inside, `text` whether words may stand there."""

    attributes: dict[str, Check] = field(default_factory=dict)
    children: frozenset[str] = frozenset()
    text: bool = False


def _children(names: str) -> frozenset[str]:
    return frozenset(names.split())


VERBS = _children("Connect Dial Enqueue Gather Hangup Leave Pause Play Redirect Reject Say")

RULES: dict[str, Rule] = {
    "Response": Rule(children=VERBS),
    "Connect": Rule({"action": url, "method": METHOD}, _children("Stream")),
    "Stream": Rule(
        {
            "url": any_text,  # has error numbers of its own: 31920, 31922, 31923
            "name": any_text,
            "track": any_text,  # likewise 31941
            "statusCallback": absolute_url,
            "statusCallbackMethod": METHOD,
        },
        _children("Parameter"),
    ),
    "Parameter": Rule({"name": any_text, "value": any_text}),
    "Dial": Rule(
        {
            "action": url,
            "method": METHOD,
            "timeout": _number(5, 600),
            "timeLimit": _number(1, 86400),
            "answerOnBridge": BOOL,
            "callerId": any_text,
            "hangupOnStar": BOOL,
            "record": _one_of(
                "do-not-record",
                "record-from-answer",
                "record-from-ringing",
                "record-from-answer-dual",
                "record-from-ringing-dual",
                "true",
                "false",
            ),
            "recordingTrack": _one_of("inbound", "outbound", "both"),
            "recordingConfigurationId": any_text,
            "ringTone": _matches("[a-z]{2}(-old)?"),
            "referUrl": url,
            "referMethod": METHOD,
            "sequential": BOOL,
            "callReason": lambda value: len(value) <= 50,
            **_RECORDED,
        },
        _children("Number Client Sip Conference Queue"),
        text=True,
    ),
    "Number": Rule(
        {
            "sendDigits": _matches(r"[0-9A-DwW#*]{0,32}"),
            "byoc": any_text,
            **_DIALLED,
            **_DETECTION,
        },
        text=True,
    ),
    "Client": Rule(_DIALLED, _children("Identity Parameter"), text=True),
    "Identity": Rule(text=True),
    "Sip": Rule({"username": any_text, "password": any_text, **_DIALLED, **_DETECTION}, text=True),
    "Queue": Rule(
        {
            "url": url,
            "method": METHOD,
            "reservationSid": any_text,
            "postWorkActivitySid": any_text,
        },
        text=True,
    ),
    "Conference": Rule(
        {
            "muted": BOOL,
            "beep": _one_of("true", "false", "onEnter", "onExit"),
            "startConferenceOnEnter": BOOL,
            "endConferenceOnExit": BOOL,
            "participantLabel": _matches(r"(?!CA[0-9a-f]{32}$)[^/]{1,128}"),
            "jitterBufferSize": _one_of("small", "medium", "large", "off"),
            "waitUrl": any_text,  # empty means silence
            "waitMethod": METHOD,
            "maxParticipants": _number(2, 250),
            "record": _one_of("do-not-record", "record-from-start"),
            "recordingConfigurationId": any_text,
            "region": _one_of("us1", "ie1", "de1", "sg1", "br1", "au1", "jp1"),
            "coach": any_text,
            "statusCallback": url,
            "statusCallbackMethod": METHOD,
            "statusCallbackEvent": _words(
                *("start", "end", "join", "leave", "mute", "hold", "modify", "speaker"),
                "announcement",
            ),
            "eventCallbackUrl": url,
            **_RECORDED,
        },
        text=True,
    ),
    "Enqueue": Rule(
        {
            "action": url,
            "method": METHOD,
            "waitUrl": url,
            "waitUrlMethod": METHOD,
            "workflowSid": _matches("WW[0-9a-f]{32}"),
        },
        _children("Task"),
        text=True,
    ),
    "Task": Rule({"priority": _number(0, 2**31), "timeout": _number(0, 2**31)}, text=True),
    "Gather": Rule(
        {
            "input": _words("dtmf", "speech"),
            "action": url,
            "method": METHOD,
            "timeout": _number(0, 600),
            "numDigits": _number(1, 1000),
            "finishOnKey": _matches("[0-9*#]{0,1}"),
            "actionOnEmptyResult": BOOL,
            "speechTimeout": _matches(r"auto|\d+"),
            "speechModel": any_text,
            "enhanced": BOOL,
            "hints": any_text,
            "language": any_text,
            "profanityFilter": BOOL,
            "bargeIn": BOOL,
            "partialResultCallback": url,
            "partialResultCallbackMethod": METHOD,
        },
        _children("Say Play Pause"),
    ),
    "Say": Rule({"voice": any_text, "language": any_text, "loop": _LOOP}, text=True),
    "Play": Rule({"loop": _LOOP, "digits": _matches(r"[0-9A-DwW#*]+")}, text=True),
    "Pause": Rule({"length": _number(0, 600)}),
    "Redirect": Rule({"method": METHOD}, text=True),
    "Hangup": Rule(),
    "Reject": Rule({"reason": _one_of("rejected", "busy")}),
    "Leave": Rule(),
}

NOT_SIMULATED_VERBS = _children("Start Stop Record Pay Refer Sms Prompt Queue Echo")
"""Twilio has them as verbs, this stand-in does not yet."""

NOT_SIMULATED_NOUNS = _children(
    "Application Sim WhatsApp ConversationRelay VirtualAgent AiSession Room Autopilot"
)

NOT_SIMULATED_ATTRIBUTES = {
    "Dial": _children("record referUrl"),
    "Number": _children("sendDigits machineDetection"),
    "Sip": _children("machineDetection"),
    "Conference": _children("record coach"),
    "Gather": _children("partialResultCallback"),
}
"""Known, and without effect here: a notice says so."""

ACTIONS = ("action", "url", "waitUrl", "statusCallback", "referUrl", "partialResultCallback")
"""Attributes that must be absolute in TwiML sent by REST."""
