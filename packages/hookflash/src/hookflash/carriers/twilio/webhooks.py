"""What Twilio's webhooks say, as the core's events. No I/O.

Twilio adds parameters without notice, sends some webhooks twice, late or out of order, and
withholds callers: only what is needed is read, everything else is ignored. The step comes from
the path, the call from the form. Raises `CarrierProtocolError` when a form names no call.

Sources: twilio.com/docs/voice/twiml (request parameters), /dial, /enqueue, /stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import parse_qsl

import msgspec

from hookflash.core.caller_number import is_withheld, masked
from hookflash.core.events import (
    CallArrived,
    CallCompleted,
    InstructionsAsked,
    LegChanged,
    Outcome,
    StreamStopped,
)
from hookflash.errors import CarrierProtocolError

MAX_FIELDS = 500

_LegStatus = Literal["initiated", "ringing", "answered", "completed"]

LEG_STATUS: dict[str, tuple[_LegStatus, Outcome | None]] = {
    "queued": ("initiated", None),
    "initiated": ("initiated", None),
    "ringing": ("ringing", None),
    "answered": ("answered", None),
    "in-progress": ("answered", None),
    # An answered leg that is over was bridged or not: only the dial action knows.
    "completed": ("completed", None),
    "busy": ("completed", "busy"),
    "no-answer": ("completed", "no-answer"),
    "failed": ("completed", "failed"),
    "canceled": ("completed", "canceled"),
}

_OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})

_DIAL: dict[str, Outcome] = {
    "busy": "busy",
    "no-answer": "no-answer",
    "failed": "failed",
    "canceled": "canceled",
}

_QUEUE: dict[str, Outcome] = {
    "bridged": "bridged",
    "bridging-in-process": "bridged",
    "redirected-from-bridged": "bridged",
    "hangup": "caller-gone",
    "leave": "no-answer",
    "redirected": "canceled",
    "queue-full": "busy",
    "error": "failed",
    "system-error": "failed",
}


class Forwarded(msgspec.Struct, frozen=True):
    """A call that somebody's telephone has forwarded: whose (`by`), and the caller it shows."""

    call_sid: str
    by: str
    caller: str


class Form(Mapping[str, str]):
    """Form fields by name; a name that comes twice reads as its first value.

    `getlist` gives all values of a name, which is how the official validator asks for them.
    """

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    @classmethod
    def parse(cls, body: bytes) -> Form:
        """Read `application/x-www-form-urlencoded`. Blank values count: they are signed too."""
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


def call_sid(form: Mapping[str, str]) -> str:
    """Return the SID of the call that a webhook is about."""
    return _required(form, "CallSid")


def is_over(form: Mapping[str, str]) -> bool:
    """Return whether the form says that the leg it is about has ended."""
    return form.get("CallStatus", "") in _OVER


def is_machine(answered_by: str) -> bool:
    """Return whether a detection took who answered for a machine."""
    return answered_by.startswith(("machine", "fax"))


def call_arrived(form: Mapping[str, str]) -> CallArrived:
    """Read the voice webhook. A caller who withholds their number is `anonymous`, in whatever
    spelling they came; one who came by SIP keeps their address, to which they may be referred."""
    caller = form.get("From", "")
    if is_withheld(caller) and not caller.lower().startswith(("sip:", "sips:")):
        caller = "anonymous"
    return CallArrived(
        call_sid=_required(form, "CallSid"),
        caller=caller,
        called=form.get("To", ""),
        direction=direction(form),
    )


def calls_itself(form: Mapping[str, str]) -> bool:
    """Return whether a call comes from the very number that it goes to: a human's telephone was
    rung from our number and forwards back to it."""
    return _rings(form) and form.get("From", "") == form.get("To", "") != ""


def forwarded(form: Mapping[str, str]) -> Forwarded | None:
    """Return who has forwarded a call that rings here; None if nobody has, or nobody says so."""
    by = form.get("ForwardedFrom", "")
    if not by or not _rings(form):
        return None
    return Forwarded(call_sid(form), by, form.get("From", ""))


def error_of(form: Mapping[str, str]) -> str:
    """Return the error that Twilio reports with a webhook, for the log; empty if there is none.

    After a `<Dial>` it is the reason why nobody could be rung, with a request to a fallback address
    the reason for that. No whole telephone number is in it.
    """
    code, message = form.get("ErrorCode", ""), form.get("ErrorMessage", "")
    if not code and not message:
        return ""
    told = masked(message)[:200] or "no message"
    return f"error {masked(code)[:20] or 'without a code'}, {told}"


def _rings(form: Mapping[str, str]) -> bool:
    """Whether a call comes in and is not answered yet: only then it can be rejected."""
    return direction(form) == "inbound" and form.get("CallStatus", "ringing") == "ringing"


def direction(form: Mapping[str, str]) -> str:
    """Return `inbound`, or `outbound` for a call that we have placed."""
    return "outbound" if form.get("Direction", "").startswith("outbound") else "inbound"


def connect_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Connect action>`: the stream of `step` is over."""
    return InstructionsAsked(step, "connect")


def dial_ended(form: Mapping[str, str], step: int) -> InstructionsAsked:
    """Read `<Dial action>`.

    `DialCallStatus` says `completed` as soon as somebody answered, also when a screening was
    declined: whether the two spoke is told by `DialBridged`. A caller who hung up while it rang
    is seen by the state of the call itself.
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
    """Read `<Enqueue action>`. A full queue counts as busy, one that was left as no answer."""
    outcome = _QUEUE.get(form.get("QueueResult", ""), "failed")
    if outcome != "bridged" and is_over(form):
        outcome = "caller-gone"
    return InstructionsAsked(step, "queue", outcome=outcome)


def leg_changed(form: Mapping[str, str], step: int) -> tuple[str, LegChanged | None]:
    """Read the status callback of a dialled leg: the caller's call SID, and what happened.

    None for a status that this version does not know.
    """
    parent = _required(form, "ParentCallSid")
    found = LEG_STATUS.get(form.get("CallStatus", ""))
    if found is None:
        return parent, None
    status, outcome = found
    if is_machine(form.get("AnsweredBy", "")):
        outcome = "machine"
    return parent, LegChanged(_required(form, "CallSid"), status, step, outcome)


def call_status(form: Mapping[str, str]) -> tuple[str, CallCompleted | None]:
    """Read a call's status callback; None unless the call is over."""
    event = CallCompleted(form["CallStatus"]) if is_over(form) else None
    return _required(form, "CallSid"), event


def stream_status(form: Mapping[str, str]) -> tuple[str, StreamStopped | None]:
    """Read a stream's status callback; None unless the stream is over.

    `stream-error` alone ends nothing: it also reports warnings on a stream that goes on. Where
    it is the end (a handshake that failed), Twilio asks `<Connect action>` for what is next.
    """
    call = _required(form, "CallSid")
    if form.get("StreamEvent") != "stream-stopped":
        return call, None
    return call, StreamStopped(_required(form, "StreamSid"), "stream-stopped")


def _required(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise CarrierProtocolError(f"webhook: expected the parameter {name}, got none")
    return value
