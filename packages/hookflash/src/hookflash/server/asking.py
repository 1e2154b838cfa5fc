"""From a webhook's form and path to what is asked or told, and of which call.

Questions are answered with TwiML, notices are not. A caller's own webhooks name their call in the
form; those about a human's leg name the leg there and the caller's call in the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from hookflash.carriers.twilio import leg_webhooks, webhooks
from hookflash.carriers.twilio.parties import Parties
from hookflash.carriers.twilio.urls import Point
from hookflash.carriers.twilio.webhooks import Form, Forwarded
from hookflash.core.events import AnyEvent, CallArrived, CallCompleted, LegChanged
from hookflash.server.desk import Asked

Path = Mapping[str, Any]


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """What one webhook asks: the fields of a `Question`, without the names of its delivery.

    `again` says that the very same form may come again and be a new question: a caller on hold
    asks for the next moment of it with the same words each time.
    """

    call_sid: str
    leg_sid: str = ""
    asked: CallArrived | Asked | None = None
    over: CallCompleted | LegChanged | None = None
    parties: Parties | None = None
    again: bool = False
    forwarded: Forwarded | None = None
    loops: bool = False


Read = Callable[[Form, Path], Put]
Notice = Callable[[Form, Path], tuple[str, AnyEvent | None]]


# --- questions of the caller's leg --------------------------------------------------------------


def arrived(form: Form, path: Path) -> Put:
    return msgspec.structs.replace(
        _put(form, webhooks.call_arrived(form)),
        forwarded=webhooks.forwarded(form),
        loops=webhooks.calls_itself(form),
    )


def connect_ended(form: Form, path: Path) -> Put:
    return _put_to_the_living(form, webhooks.connect_ended(form, path["step"]))


def dial_ended(form: Form, path: Path) -> Put:
    return _put(form, webhooks.dial_ended(form, path["step"]))


def queue_ended(form: Form, path: Path) -> Put:
    return _put(form, webhooks.queue_ended(form, path["step"]))


def queue_asked(form: Form, path: Path) -> Put:
    return _put_to_the_living(form, leg_webhooks.queue_asked(form, path["step"]), again=True)


def room_ended(form: Form, path: Path) -> Put:
    return _put_to_the_living(form, leg_webhooks.room_ended(form, path["step"]))


def hold_ended(form: Form, path: Path) -> Put:
    return _put_to_the_living(form, leg_webhooks.hold_ended(form, path["step"]), again=True)


def refer_ended(form: Form, path: Path) -> Put:
    return _put(form, leg_webhooks.refer_ended(form, path["step"]))


def voicemail_ended(form: Form, path: Path) -> Put:
    return _put(form, leg_webhooks.voicemail_ended(form, path["step"]))


# --- questions of a human's leg -----------------------------------------------------------------


def human_asked(point: Point) -> Read:
    def read(form: Form, path: Path) -> Put:
        wave, leg = path["wave"], path["leg"]
        asked = leg_webhooks.human_asked(form, wave, leg, point)
        if webhooks.is_over(form):
            gone = LegChanged(asked.leg_sid, "completed", wave, leg=leg)
            return Put(call_sid=path["call_sid"], leg_sid=asked.leg_sid, over=gone)
        return Put(
            call_sid=path["call_sid"],
            leg_sid=asked.leg_sid,
            asked=asked,
            again=point in ("pressed", "parting"),
        )

    return read


def consult_ended(form: Form, path: Path) -> Put:
    """The stream on a human's own leg is over."""
    over = _over(form)
    return Put(
        call_sid=path["call_sid"],
        leg_sid=webhooks.call_sid(form),
        asked=None if over else webhooks.connect_ended(form, path["step"]),
        over=over,
    )


# --- notices ------------------------------------------------------------------------------------


def leg_changed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.leg_changed(form, path["step"])


def human_changed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return path["call_sid"], leg_webhooks.human_changed(form, path["wave"], path["leg"])


def room_changed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return path["call_sid"], leg_webhooks.room_changed(form, path["wave"])


def recording_ready(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return leg_webhooks.recording_ready(form, path["step"])


def transcribed(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return leg_webhooks.transcribed(form, path["step"])


def call_status(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.call_status(form)


def stream_status(form: Form, path: Path) -> tuple[str, AnyEvent | None]:
    return webhooks.stream_status(form)


def said(form: Form) -> str:
    """Return what a notice without an event said, for the log: no number is among it."""
    names = ("StreamEvent", "StreamError", "CallStatus", "StatusCallbackEvent", "RecordingStatus")
    return " ".join(form[name][:120] for name in names if name in form) or "nothing we know"


# --- what they share ----------------------------------------------------------------------------


def _put(form: Form, asked: CallArrived | Asked) -> Put:
    return Put(
        call_sid=webhooks.call_sid(form), asked=asked, over=_over(form), parties=_parties(form)
    )


def _put_to_the_living(form: Form, asked: Asked, *, again: bool = False) -> Put:
    """When nobody is left to connect, asking the core would open another model, or go on."""
    over = _over(form)
    return Put(
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
        caller=form.get("From", ""),
        called=form.get("To", ""),
        call_token=form.get("CallToken", ""),
    )
