"""What webhooks say about humans' legs, rooms and callers who wait, as the core's events. No I/O.

The caller's call, the wave and the number of the leg come from the path, because the form of a
human's leg names that leg. As in `webhooks`, only what is needed is read. Raises
`CarrierProtocolError` when a form names no call.

Sources: twilio.com/docs/voice/twiml/number, /gather, /conference, /enqueue, /refer, /record,
/voice/answering-machine-detection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from hookflash.carriers.twilio.urls import Point
from hookflash.carriers.twilio.webhooks import (
    LEG_STATUS,
    call_sid,
    is_machine,
    is_over,
)
from hookflash.core.events import (
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    Outcome,
    QueueAsked,
    Recording,
    RecordingReady,
    RoomChanged,
    VoicemailTranscribed,
)

_CHANGES: dict[str, Literal["joined", "left", "started", "ended"]] = {
    "participant-join": "joined",
    "participant-leave": "left",
    "conference-start": "started",
    "conference-end": "ended",
}

_REFER: dict[str, Outcome] = {
    "in-progress": "bridged",
    "completed": "bridged",
    "answered": "bridged",
    "busy": "busy",
    "no-answer": "no-answer",
    "failed": "failed",
}

_SIP: dict[int, Outcome] = {
    408: "no-answer",
    480: "no-answer",
    486: "busy",
    487: "canceled",
    600: "busy",
    603: "declined",
}


def human_asked(form: Mapping[str, str], wave: int, leg: int, point: Point) -> HumanAsked:
    """Read the question of a human's leg: somebody answered, pressed a key, left the room."""
    by = form.get("AnsweredBy", "")
    answered_by: Literal["human", "machine", "unknown", ""] = ""
    if is_machine(by):
        answered_by = "machine"
    elif by == "human":
        answered_by = "human"
    elif by:
        # `unknown`, or a word that this version does not know.
        answered_by = "unknown"
    return HumanAsked(
        wave, leg, call_sid(form), point, digit=form.get("Digits", "")[:1], answered_by=answered_by
    )


def human_changed(form: Mapping[str, str], wave: int, leg: int) -> LegChanged | None:
    """Read the status callback of a leg that we have placed, or the result of a detection beside
    the call, which has no status. None for a status that this version does not know."""
    machine = is_machine(form.get("AnsweredBy", ""))
    if "CallStatus" not in form and "AnsweredBy" in form:
        return LegChanged(call_sid(form), "answered", wave, "machine" if machine else None, leg)
    found = LEG_STATUS.get(form.get("CallStatus", ""))
    if found is None:
        return None
    status, outcome = found
    return LegChanged(call_sid(form), status, wave, "machine" if machine else outcome, leg)


def room_changed(form: Mapping[str, str], wave: int) -> RoomChanged | None:
    """Read a conference's status callback; None for a change that nobody waits for."""
    change = _CHANGES.get(form.get("StatusCallbackEvent", ""))
    return None if change is None else RoomChanged(wave, change, form.get("CallSid", ""))


def queue_asked(form: Mapping[str, str], step: int) -> QueueAsked:
    """Read the waitUrl of a queue, or the `<Gather action>` in what it was answered with."""
    return QueueAsked(
        step,
        position=_number(form, "QueuePosition"),
        waited_seconds=_number(form, "QueueTime"),
        average_seconds=_number(form, "AvgQueueTime"),
        digit=form.get("Digits", "")[:1],
    )


def room_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read the caller's `<Dial action>` of a room; `failed` if they could not come in."""
    failed = form.get("DialCallStatus") == "failed"
    return InstructionsAsked(step, "room", outcome="failed" if failed else None)


def hold_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read the `<Redirect>` at the end of a moment on hold."""
    return InstructionsAsked(step, "hold")


def refer_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Refer action>`.

    The referred call is `in-progress` when the other side took it. Where no status came, the code
    of the last NOTIFY decides, or else that of the REFER itself: an accepted one (202) of which
    nothing was heard again is a caller who has left, if their leg is over.
    """
    status = form.get("ReferCallStatus", "")
    notified = _number(form, "NotifySipResponseCode")
    outcome: Outcome
    if status == "canceled":
        outcome = "caller-gone" if is_over(form) else "canceled"
    elif notified in _SIP:
        outcome = _SIP[notified]
    elif status in _REFER:
        outcome = _REFER[status]
    elif 200 <= notified < 300:
        outcome = "bridged"
    elif _number(form, "ReferSipResponseCode") == 202 and is_over(form):
        outcome = "bridged"
    else:
        outcome = "failed"
    return InstructionsAsked(step, "refer", outcome=outcome)


def voicemail_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Record action>`, or the question of a caller who said nothing: no recording."""
    return InstructionsAsked(step, "voicemail", recording=_recording(form))


def recording_ready(form: Mapping[str, str], step: int) -> tuple[str, RecordingReady | None]:
    """Read a recording's status callback: the call, and the recording if it can be had."""
    recording = _recording(form)
    if recording is None or form.get("RecordingStatus", "completed") != "completed":
        return call_sid(form), None
    return call_sid(form), RecordingReady(step, recording)


def transcribed(form: Mapping[str, str], step: int) -> tuple[str, VoicemailTranscribed]:
    """Read `<Record transcribeCallback>`. What could not be written down is an empty text."""
    done = form.get("TranscriptionStatus", "") == "completed"
    text = form.get("TranscriptionText", "") if done else ""
    return call_sid(form), VoicemailTranscribed(step, text.strip())


def _recording(form: Mapping[str, str]) -> Recording | None:
    url = form.get("RecordingUrl", "")
    if not url:
        return None
    seconds = float(_number(form, "RecordingDuration"))
    return Recording(url, seconds, form.get("RecordingSid", ""))


def _number(form: Mapping[str, str], name: str) -> int:
    """Return a count; 0 for one that is missing, negative (unknown) or no number."""
    text = form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
