"""The grammar of TwiML, as a table: the attributes of each verb, and what may be inside it.

Only what Twilio documents is here. A wrong attribute value is a schema warning (12200), as are
unknown names, names in the wrong case and wrong nesting.
Sources: Twilio's TwiML reference, one page a verb, and the Media Streams pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hookflash_local.carrier.checks import (
    BEEP,
    BOOL,
    BUFFER,
    CALL_EVENTS,
    LABEL,
    METHOD,
    RECORDING_EVENTS,
    REGION,
    TRIM,
    Check,
    absolute_url,
    any_text,
    at_most,
    matches,
    number,
    one_of,
    url,
    words,
)

_LOOP = number(0, 1000)
_DETECTION: dict[str, Check] = {
    "machineDetection": one_of("Enable", "DetectMessageEnd"),
    "machineDetectionTimeout": number(3, 60),
    "machineDetectionSpeechThreshold": number(1000, 6000),
    "machineDetectionSpeechEndThreshold": number(500, 5000),
    "machineDetectionSilenceTimeout": number(2000, 10000),
    "amdStatusCallback": url,
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
    "trim": TRIM,
}


@dataclass(frozen=True)
class Rule:
    """`children` are the elements allowed inside, `text` whether words may stand there."""

    attributes: dict[str, Check] = field(default_factory=dict)
    children: frozenset[str] = frozenset()
    text: bool = False


def _children(names: str) -> frozenset[str]:
    return frozenset(names.split())


VERBS = _children(
    "Connect Dial Enqueue Gather Hangup Leave Pause Play Record Redirect Refer Reject Say"
    " Start Stop"
)

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
    "Start": Rule({"action": url, "method": METHOD}, _children("Stream Recording")),
    "Stop": Rule(children=_children("Stream")),
    "Recording": Rule(
        {
            "track": one_of("inbound", "outbound", "both"),
            "channels": one_of("mono", "dual"),
            "recordingConfigurationId": any_text,
            **_RECORDED,
        }
    ),
    "Record": Rule(
        {
            "action": url,
            "method": METHOD,
            "timeout": number(1, 86400),
            "finishOnKey": matches("[0-9*#]{0,12}"),
            "maxLength": number(2, 86400),
            "playBeep": BOOL,
            "transcribe": BOOL,
            "transcribeCallback": url,
            "recordingConfigurationId": any_text,
            **_RECORDED,
        }
    ),
    "Refer": Rule({"action": url, "method": METHOD}, _children("Sip")),
    "Parameter": Rule({"name": any_text, "value": any_text}),
    "Dial": Rule(
        {
            "action": url,
            "method": METHOD,
            "timeout": number(5, 600),
            "timeLimit": number(1, 86400),
            "answerOnBridge": BOOL,
            "callerId": any_text,
            "hangupOnStar": BOOL,
            "record": one_of(
                "do-not-record",
                "record-from-answer",
                "record-from-ringing",
                "record-from-answer-dual",
                "record-from-ringing-dual",
                "true",
                "false",
            ),
            "recordingTrack": one_of("inbound", "outbound", "both"),
            "recordingConfigurationId": any_text,
            "ringTone": matches("[a-z]{2}(-old)?"),
            "referUrl": url,
            "referMethod": METHOD,
            "sequential": BOOL,
            "callReason": at_most(50),
            **_RECORDED,
        },
        _children("Number Client Sip Conference Queue"),
        text=True,
    ),
    "Number": Rule(
        {
            "sendDigits": matches(r"[0-9A-DwW#*]{0,32}"),
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
            "beep": BEEP,
            "startConferenceOnEnter": BOOL,
            "endConferenceOnExit": BOOL,
            "participantLabel": LABEL,
            "jitterBufferSize": BUFFER,
            "waitUrl": any_text,  # empty means silence
            "waitMethod": METHOD,
            "maxParticipants": number(2, 250),
            "record": one_of("do-not-record", "record-from-start"),
            "recordingConfigurationId": any_text,
            "region": REGION,
            "coach": any_text,
            "statusCallback": url,
            "statusCallbackMethod": METHOD,
            "statusCallbackEvent": words(
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
            "waitUrl": any_text,  # empty means silence
            "waitUrlMethod": METHOD,
            "workflowSid": matches("WW[0-9a-f]{32}"),
        },
        _children("Task"),
        text=True,
    ),
    "Task": Rule({"priority": number(0, 2**31), "timeout": number(0, 2**31)}, text=True),
    "Gather": Rule(
        {
            "input": words("dtmf", "speech"),
            "action": url,
            "method": METHOD,
            "timeout": number(0, 600),
            "numDigits": number(1, 1000),
            "finishOnKey": matches("[0-9*#]{0,1}"),
            "actionOnEmptyResult": BOOL,
            "speechTimeout": matches(r"auto|\d+"),
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
    "Play": Rule({"loop": _LOOP, "digits": matches(r"[0-9A-DwW#*]+")}, text=True),
    "Pause": Rule({"length": number(0, 600)}),
    "Redirect": Rule({"method": METHOD}, text=True),
    "Hangup": Rule(),
    "Reject": Rule({"reason": one_of("rejected", "busy")}),
    "Leave": Rule(),
}

NOT_SIMULATED_VERBS = _children("Pay Sms Prompt Queue Echo")
"""Twilio has them as verbs, this stand-in does not yet."""

NOT_SIMULATED_NOUNS = _children(
    "Application Sim WhatsApp ConversationRelay VirtualAgent AiSession Conference Autopilot Siprec"
    " Transcription"
)

NOT_SIMULATED_ATTRIBUTES = {
    "Dial": _children("referUrl"),
    "Conference": _children("record"),
    "Task": _children("timeout"),
    "Gather": _children("partialResultCallback"),
}
"""Known to Twilio, without effect here: an alert says so."""

ACTIONS = frozenset(
    "action url waitUrl statusCallback referUrl partialResultCallback amdStatusCallback"
    " recordingStatusCallback transcribeCallback eventCallbackUrl".split()
)
"""Attributes that must be absolute in TwiML sent by REST."""
