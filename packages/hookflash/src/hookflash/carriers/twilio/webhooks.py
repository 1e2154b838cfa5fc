"""Read Twilio's webhooks as events of the core. No I/O.

Twilio adds parameters without notice. It sends some webhooks twice, late or out of order, and may
withhold the caller's number. So only the needed parameters are read. The step comes from the path,
the call from the form. For a human's leg, the caller's call, the wave and the leg's number come
from the path, because the form names that leg. Raises `CarrierProtocolError` if a form names no
call.

Sources: twilio.com/docs/voice/twiml (request parameters) and its pages on dial, enqueue, stream,
number, gather, conference, refer, record; /voice/answering-machine-detection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import parse_qsl

import msgspec

from hookflash.carriers.twilio.urls import Point
from hookflash.core.caller_number import is_withheld, masked
from hookflash.core.events import (
    CallArrived,
    CallCompleted,
    CalleeDetected,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    Outcome,
    QueueAsked,
    Recording,
    RecordingReady,
    RoomChanged,
    StreamStopped,
    VoicemailTranscribed,
)
from hookflash.core.visible_text import ADDRESS_CHARS, visible
from hookflash.errors import CarrierProtocolError

MAX_FIELDS = 500

_CALL_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""Twilio's are `CA` and 32 hex digits; stand-ins may name calls as they like."""

_LegStatus = Literal["initiated", "ringing", "answered", "completed"]

LEG_STATUS: dict[str, tuple[_LegStatus, Outcome | None]] = {
    "queued": ("initiated", None),
    "initiated": ("initiated", None),
    "ringing": ("ringing", None),
    "answered": ("answered", None),
    "in-progress": ("answered", None),
    # Whether an ended leg was bridged is only in the dial action.
    "completed": ("completed", None),
    "busy": ("completed", "busy"),
    "no-answer": ("completed", "no-answer"),
    "failed": ("completed", "failed"),
    "canceled": ("completed", "cancelled"),
}

_OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})

_DIAL: dict[str, Outcome] = {
    "busy": "busy",
    "no-answer": "no-answer",
    "failed": "failed",
    "canceled": "cancelled",
}

_QUEUE: dict[str, Outcome] = {
    "bridged": "bridged",
    "bridging-in-process": "bridged",
    "redirected-from-bridged": "bridged",
    "hangup": "caller-gone",
    "leave": "no-answer",
    "redirected": "cancelled",
    "queue-full": "busy",
    "error": "failed",
    "system-error": "failed",
}


_ANSWERED_BY: dict[str, Literal["human", "machine", "machine-end", "fax"]] = {
    "human": "human",
    "fax": "fax",
    "machine_start": "machine",
    "machine_end_beep": "machine-end",
    "machine_end_silence": "machine-end",
    "machine_end_other": "machine-end",
}


class Forwarded(msgspec.Struct, frozen=True):
    """A call that a phone has forwarded: the phone's number (`by`), and the caller it shows."""

    call_sid: str
    by: str
    caller: str


class Form(Mapping[str, str]):
    """Form fields by name; a repeated name reads as its first value.

    `getlist` returns all values of a name, as Twilio's validator needs them.
    """

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    @classmethod
    def parse(cls, body: bytes) -> Form:
        """Read `application/x-www-form-urlencoded`. Blank values count, because they are signed
        too."""
        fields: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(
                body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
            )
        except ValueError as error:
            raise CarrierProtocolError(
                f"webhook: expected a form of at most {MAX_FIELDS} fields, got {error}"
            ) from None
        for name, value in pairs:
            fields.setdefault(name, []).append(value)
        return cls(fields)

    def getlist(self, name: str) -> list[str]:
        return self._fields[name]

    def __getitem__(self, name: str) -> str:
        return self._fields[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def is_call_sid(text: str) -> bool:
    """Return whether a text may be a call SID. It names files, so it must be short and plain."""
    return _CALL_SID.fullmatch(text) is not None


def call_sid(form: Mapping[str, str]) -> str:
    """Return the SID of the call in a webhook."""
    return _sid(form, "CallSid")


def is_over(form: Mapping[str, str]) -> bool:
    """Return whether the form says that its leg has ended."""
    return form.get("CallStatus", "") in _OVER


def is_machine(answered_by: str) -> bool:
    """Return whether answering machine detection found a machine."""
    return answered_by.startswith(("machine", "fax"))


def party(form: Mapping[str, str], name: str) -> str:
    """Return the number or address in a field, visible and at most `ADDRESS_CHARS` long."""
    return visible(form.get(name, ""), ADDRESS_CHARS)


def call_arrived(form: Mapping[str, str]) -> CallArrived:
    """Read the voice webhook.

    A withheld number becomes `anonymous`. A caller by SIP keeps their address, so that they can be
    referred. What a caller has chosen is made visible and short, before anything stores it.
    """
    caller = party(form, "From")
    if is_withheld(caller) and not caller.lower().startswith(("sip:", "sips:")):
        caller = "anonymous"
    return CallArrived(
        call_sid=call_sid(form),
        caller=caller,
        called=party(form, "To"),
        direction=direction(form),
    )


def calls_itself(form: Mapping[str, str]) -> bool:
    """Return whether a call comes from the number that it goes to.

    A human's phone was then rung from the line's number and forwards back to it.
    """
    return _rings(form) and form.get("From", "") == form.get("To", "") != ""


def forwarded(form: Mapping[str, str]) -> Forwarded | None:
    """Return who has forwarded a ringing call; None if nobody has, or the form does not say."""
    by = party(form, "ForwardedFrom")
    if not by or not _rings(form):
        return None
    return Forwarded(call_sid(form), by, party(form, "From"))


def error_of(form: Mapping[str, str]) -> str:
    """Return the error that Twilio reports with a webhook, for the log; "" if there is none.

    After a `<Dial>` it is why nobody could be rung; in a request to a fallback URL it is the reason
    for the fallback. Phone numbers are masked.
    """
    code, message = form.get("ErrorCode", ""), form.get("ErrorMessage", "")
    if not code and not message:
        return ""
    text = visible(masked(message), 200) or "no message"
    return f"error {visible(masked(code), 20) or 'without a code'}, {text}"


def _rings(form: Mapping[str, str]) -> bool:
    """Return whether a call is incoming and not answered yet: only then it can be rejected."""
    return direction(form) == "inbound" and form.get("CallStatus", "ringing") == "ringing"


def direction(form: Mapping[str, str]) -> str:
    """Return `inbound`, or `outbound` for a call that this line has placed."""
    return "outbound" if form.get("Direction", "").startswith("outbound") else "inbound"


def connect_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Connect action>`: the stream of `step` has ended."""
    return InstructionsAsked(step, "connect")


def dial_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Dial action>`.

    `DialCallStatus` is `completed` as soon as somebody answers, even if a screening was declined.
    `DialBridged` says whether the two spoke. The call's own status shows a caller who hung up while
    it rang.
    """
    status = form.get("DialCallStatus", "")
    bridged = form.get("DialBridged", "").lower()
    outcome: Outcome
    if bridged == "true":
        outcome = "bridged"
    elif is_over(form) and (bridged == "false" or status not in ("completed", "answered")):
        outcome = "caller-gone"
    elif status in ("completed", "answered"):
        outcome = "declined" if bridged == "false" else "bridged"
    else:
        outcome = _DIAL.get(status, "failed")
    return InstructionsAsked(step, "dial", form.get("DialCallSid", ""), outcome)


def queue_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Enqueue action>`. A full queue counts as busy, a queue that was left as no answer."""
    outcome = _QUEUE.get(form.get("QueueResult", ""), "failed")
    if outcome != "bridged" and is_over(form):
        outcome = "caller-gone"
    return InstructionsAsked(step, "queue", outcome=outcome)


def leg_changed(form: Mapping[str, str], step: int) -> tuple[str, LegChanged | None]:
    """Read the status callback of a dialled leg: the caller's call SID, and the event.

    The event is None for an unknown status.
    """
    parent = _sid(form, "ParentCallSid")
    found = LEG_STATUS.get(form.get("CallStatus", ""))
    if found is None:
        return parent, None
    status, outcome = found
    if is_machine(form.get("AnsweredBy", "")):
        outcome = "machine"
    return parent, LegChanged(call_sid(form), status, step, outcome)


def call_status(form: Mapping[str, str]) -> tuple[str, CallCompleted | None]:
    """Read a call's status callback; the event is None unless the call has ended."""
    event = CallCompleted(form["CallStatus"]) if is_over(form) else None
    return call_sid(form), event


def callee_detected(form: Mapping[str, str]) -> tuple[str, CalleeDetected]:
    """Read the result of answering machine detection on a call that the line has placed."""
    by = form.get("AnsweredBy", "")
    return call_sid(form), CalleeDetected(_ANSWERED_BY.get(by, "unknown"))


def stream_status(form: Mapping[str, str]) -> tuple[str, StreamStopped | None]:
    """Read a stream's status callback; the event is None unless the stream has ended.

    `stream-error` alone ends nothing: it also reports warnings. If it is the end (a failed
    handshake), Twilio requests `<Connect action>`.
    """
    call = call_sid(form)
    if form.get("StreamEvent") != "stream-stopped":
        return call, None
    return call, StreamStopped(_required(form, "StreamSid"), "stream-stopped")


# --- humans' legs, rooms and callers who wait ----------------------------------------------------

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
    487: "cancelled",
    600: "busy",
    603: "declined",
}


def human_asked(form: Mapping[str, str], wave: int, leg: int, point: Point) -> HumanAsked:
    """Read a question of a human's leg: they answered, pressed a key or left the room."""
    by = form.get("AnsweredBy", "")
    answered_by: Literal["human", "machine", "unknown", ""] = ""
    if is_machine(by):
        answered_by = "machine"
    elif by == "human":
        answered_by = "human"
    elif by:
        # `unknown`, or a value that this version does not know.
        answered_by = "unknown"
    return HumanAsked(
        wave, leg, call_sid(form), point, digit=form.get("Digits", "")[:1], answered_by=answered_by
    )


def human_changed(form: Mapping[str, str], wave: int, leg: int) -> LegChanged | None:
    """Read the status callback of a leg placed by REST, or the result of a detection, without a
    status.

    Returns None for an unknown status.
    """
    machine = is_machine(form.get("AnsweredBy", ""))
    if "CallStatus" not in form and "AnsweredBy" in form:
        return LegChanged(call_sid(form), "answered", wave, "machine" if machine else None, leg)
    found = LEG_STATUS.get(form.get("CallStatus", ""))
    if found is None:
        return None
    status, outcome = found
    return LegChanged(call_sid(form), status, wave, "machine" if machine else outcome, leg)


def room_changed(form: Mapping[str, str], wave: int) -> RoomChanged | None:
    """Read a conference's status callback; None for an unused event."""
    change = _CHANGES.get(form.get("StatusCallbackEvent", ""))
    return None if change is None else RoomChanged(wave, change, form.get("CallSid", ""))


def queue_asked(form: Mapping[str, str], step: int) -> QueueAsked:
    """Read the waitUrl of a queue, or the `<Gather action>` of its answer."""
    return QueueAsked(
        step,
        position=_number(form, "QueuePosition"),
        waited_seconds=_number(form, "QueueTime"),
        average_seconds=_number(form, "AvgQueueTime"),
        digit=form.get("Digits", "")[:1],
    )


def room_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read the caller's `<Dial action>` of a room; `failed` if they could not join."""
    failed = form.get("DialCallStatus") == "failed"
    return InstructionsAsked(step, "room", outcome="failed" if failed else None)


def hold_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read the `<Redirect>` at the end of hold music."""
    return InstructionsAsked(step, "hold")


def refer_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Refer action>`.

    The referred call is `in-progress` if the other side took it. Without a status, the code of the
    last NOTIFY decides, otherwise that of the REFER itself. An accepted REFER (202) without a
    NOTIFY counts as bridged if the caller's leg has ended.
    """
    status = form.get("ReferCallStatus", "")
    notified = _number(form, "NotifySipResponseCode")
    outcome: Outcome
    if status == "canceled":
        outcome = "caller-gone" if is_over(form) else "cancelled"
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
    """Read `<Record action>`, or the request after a caller who said nothing: no recording."""
    return InstructionsAsked(step, "voicemail", recording=_recording(form))


def recording_ready(form: Mapping[str, str], step: int) -> tuple[str, RecordingReady | None]:
    """Read a recording's status callback: the call, and the recording if it is available."""
    recording = _recording(form)
    if recording is None or form.get("RecordingStatus", "completed") != "completed":
        return call_sid(form), None
    return call_sid(form), RecordingReady(step, recording)


def transcribed(form: Mapping[str, str], step: int) -> tuple[str, VoicemailTranscribed]:
    """Read `<Record transcribeCallback>`. A failed transcription is an empty text."""
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
    """Return a number; 0 if it is missing, negative (unknown) or invalid."""
    text = form.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _sid(form: Mapping[str, str], name: str) -> str:
    value = _required(form, name)
    if not is_call_sid(value):
        raise CarrierProtocolError(
            f"webhook: expected a call SID as the parameter {name} (at most 64 letters, digits, _"
            f" and -), got another text of {len(value)} characters"
        )
    return value


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise CarrierProtocolError(f"webhook: expected the parameter {name}, got none")
    return value
