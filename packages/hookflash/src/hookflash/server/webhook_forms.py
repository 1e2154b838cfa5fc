"""Read a webhook's form and path: the question or notice in it, and its call.

A question is answered with TwiML, a notice is not. Webhooks about the caller's leg name the call in
the form. Webhooks about a human's leg name that leg in the form and the caller's call in the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hookflash.carriers.twilio import webhooks
from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.urls import Point
from hookflash.carriers.twilio.webhooks import Form, Forwarded
from hookflash.core.events import AnyEvent, CallArrived, CallCompleted, LegChanged
from hookflash.core.visible_text import visible
from hookflash.server.carrier_answers import Asked

Path = Mapping[str, Any]


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What one webhook asks: a `Question` without its delivery keys.

    `again` is true if an identical form may be a new question: a caller on hold asks repeatedly
    with the same form.
    """

    call_sid: str
    leg_sid: str = ""
    asked: CallArrived | Asked | None = None
    over: CallCompleted | LegChanged | None = None
    parties: Parties | None = None
    again: bool = False
    forwarded: Forwarded | None = None
    loops: bool = False


ReadQuestion = Callable[[Form, Path], WebhookRequest]
ReadNotice = Callable[[Form, Path], tuple[str, AnyEvent | None]]


# --- questions of the caller's leg --------------------------------------------------------------


def arrived(form: Form, path: Path) -> WebhookRequest:
    return msgspec.structs.replace(
        _request(form, webhooks.call_arrived(form)),
        forwarded=webhooks.forwarded(form),
        loops=webhooks.calls_itself(form),
    )


def connect_ended(form: Form, path: Path) -> WebhookRequest:
    return _request_unless_ended(form, webhooks.connect_ended(form, path["step"]))


def dial_ended(form: Form, path: Path) -> WebhookRequest:
    return _request(form, webhooks.dial_ended(form, path["step"]))


def queue_ended(form: Form, path: Path) -> WebhookRequest:
    return _request(form, webhooks.queue_ended(form, path["step"]))


def queue_asked(form: Form, path: Path) -> WebhookRequest:
    return _request_unless_ended(form, webhooks.queue_asked(form, path["step"]), again=True)


def room_ended(form: Form, path: Path) -> WebhookRequest:
    return _request_unless_ended(form, webhooks.room_ended(form, path["step"]))


def hold_ended(form: Form, path: Path) -> WebhookRequest:
    return _request_unless_ended(form, webhooks.hold_ended(form, path["step"]), again=True)


def refer_ended(form: Form, path: Path) -> WebhookRequest:
    return _request(form, webhooks.refer_ended(form, path["step"]))


def voicemail_ended(form: Form, path: Path) -> WebhookRequest:
    return _request(form, webhooks.voicemail_ended(form, path["step"]))


# --- questions of a human's leg -----------------------------------------------------------------


def human_asked(point: Point) -> ReadQuestion:
    def read(form: Form, path: Path) -> WebhookRequest:
        wave, leg = path["wave"], path["leg"]
        asked = webhooks.human_asked(form, wave, leg, point)
        if webhooks.is_over(form):
            gone = LegChanged(asked.leg_sid, "completed", wave, leg=leg)
            return WebhookRequest(call_sid=path["call_sid"], leg_sid=asked.leg_sid, over=gone)
        return WebhookRequest(
            call_sid=path["call_sid"],
            leg_sid=asked.leg_sid,
            asked=asked,
            again=point in ("pressed", "parting"),
        )

    return read


def consult_ended(form: Form, path: Path) -> WebhookRequest:
    """Read the end of the stream on a human's leg."""
    over = _over(form)
    return WebhookRequest(
        call_sid=path["call_sid"],
        leg_sid=webhooks.call_sid(form),
        asked=None if over else webhooks.connect_ended(form, path["step"]),
        over=over,
    )


# --- notices ------------------------------------------------------------------------------------


def leg_changed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.leg_changed(form, path["step"])


def human_changed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return path["call_sid"], webhooks.human_changed(form, path["wave"], path["leg"])


def room_changed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return path["call_sid"], webhooks.room_changed(form, path["wave"])


def recording_ready(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.recording_ready(form, path["step"])


def transcribed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.transcribed(form, path["step"])


def call_status(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.call_status(form)


def callee_detected(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.callee_detected(form)


def stream_status(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.stream_status(form)


def describe_notice(form: Form) -> str:
    """Return the log text of a notice without an event. It contains no phone number."""
    names = ("StreamEvent", "StreamError", "CallStatus", "StatusCallbackEvent", "RecordingStatus")
    return " ".join(visible(form[name], 120) for name in names if name in form) or "no known field"


# --- shared helpers -----------------------------------------------------------------------------


def _request(form: Form, asked: CallArrived | Asked) -> WebhookRequest:
    return WebhookRequest(
        call_sid=webhooks.call_sid(form), asked=asked, over=_over(form), parties=_parties(form)
    )


def _request_unless_ended(form: Form, asked: Asked, *, again: bool = False) -> WebhookRequest:
    """Read a question that is dropped if the leg has ended: there is nobody left to connect."""
    over = _over(form)
    return WebhookRequest(
        call_sid=webhooks.call_sid(form),
        asked=None if over else asked,
        over=over,
        parties=_parties(form),
        again=again,
    )


def _over(form: Form) -> CallCompleted | None:
    return CallCompleted(form["CallStatus"]) if webhooks.is_over(form) else None


def _parties(form: Form) -> Parties:
    return Parties.of(
        webhooks.call_sid(form),
        direction=webhooks.direction(form),
        caller=webhooks.party(form, "From"),
        called=webhooks.party(form, "To"),
        call_token=form.get("CallToken", ""),
    )
