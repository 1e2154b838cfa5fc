"""Webhook forms as the core's events."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest

from hookflash.carriers.twilio.webhooks import (
    MAX_FIELDS,
    Form,
    Forwarded,
    call_arrived,
    call_sid,
    call_status,
    callee_detected,
    calls_itself,
    connect_ended,
    dial_ended,
    direction,
    error_of,
    forwarded,
    is_call_sid,
    is_over,
    leg_changed,
    queue_ended,
    stream_status,
)
from hookflash.core.events import (
    CallArrived,
    CallCompleted,
    InstructionsAsked,
    LegChanged,
    StreamStopped,
)
from hookflash.errors import CarrierProtocolError

WIRE = Path(__file__).parents[2] / "wire" / "twilio"
CALL = "CA22222222222222222222222222222222"
LEG = "CA33333333333333333333333333333333"


def captured(name: str) -> Form:
    return Form.parse((WIRE / f"{name}.form").read_bytes())


def form(**fields: str) -> Form:
    return Form.parse(urlencode({"CallSid": CALL, **fields}).encode())


def test_a_form_keeps_blank_and_repeated_values() -> None:
    fields = Form.parse(b"a=1&b=&a=2&c=%2B1+x")
    assert dict(fields) == {"a": "1", "b": "", "c": "+1 x"}
    assert fields.getlist("a") == ["1", "2"]
    assert len(fields) == 3


def test_a_form_with_broken_encoding_is_still_read_and_one_too_long_is_refused() -> None:
    assert dict(Form.parse(b"a=%ff\xff&&=&b")) == {"a": "\ufffd\ufffd", "": "", "b": ""}
    with pytest.raises(CarrierProtocolError, match="at most 500 fields"):
        Form.parse(b"&".join(b"a=1" for _ in range(MAX_FIELDS + 1)))


def test_the_voice_webhook_is_a_call_that_has_arrived() -> None:
    assert call_arrived(captured("voice")) == CallArrived(CALL, "+15550142", "+15550100", "inbound")


def test_a_withheld_caller_is_anonymous() -> None:
    assert call_arrived(captured("voice-withheld")).caller == "anonymous"


@pytest.mark.parametrize("caller", ["RESTRICTED", "Unknown", "", "+266696687"])
def test_whatever_a_withheld_caller_is_spelled_like_they_are_anonymous(caller: str) -> None:
    assert call_arrived(form(From=caller)).caller == "anonymous"


def test_a_withheld_caller_who_came_by_sip_keeps_their_address() -> None:
    """They may be handed over by REFER."""
    caller = "sip:anonymous@example.com"
    assert call_arrived(form(From=caller)).caller == caller


RINGS = {"CallStatus": "ringing", "Direction": "inbound", "To": "+15550100"}


def test_a_call_from_the_number_that_it_goes_to_calls_itself() -> None:
    assert calls_itself(form(**RINGS, From="+15550100"))
    assert not calls_itself(form(**RINGS, From="+15550142"))
    assert not calls_itself(form(CallStatus="ringing"))
    answered = {**RINGS, "CallStatus": "in-progress"}
    assert not calls_itself(form(**answered, From="+15550100")), "it cannot be rejected any more"
    placed = {**RINGS, "Direction": "outbound-api"}
    assert not calls_itself(form(**placed, From="+15550100"))


def test_a_call_may_say_whose_telephone_has_forwarded_it() -> None:
    told = {"From": "+15550142", "ForwardedFrom": "+15550177"}
    assert forwarded(form(**RINGS, **told)) == Forwarded(CALL, "+15550177", "+15550142")
    assert forwarded(form(**RINGS, From="+15550142")) is None
    assert forwarded(form(**{**RINGS, "CallStatus": "in-progress"}, **told)) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ""),
        ({"ErrorCode": "11200", "ErrorUrl": "https://line.example.com/x"}, "11200, no message"),
        ({"ErrorMessage": "no route"}, "error without a code, no route"),
        (
            {"ErrorCode": "13214", "ErrorMessage": "callerId +15550142 is not allowed"},
            "error 13214, callerId \N{HORIZONTAL ELLIPSIS}42 is not allowed",
        ),
    ],
)
def test_an_error_that_twilio_reports_is_told_without_a_number(
    fields: dict[str, str], told: str
) -> None:
    assert told in error_of(form(**fields))
    assert bool(error_of(form(**fields))) is bool(fields)


def test_a_call_that_we_have_placed_is_outbound() -> None:
    assert direction(form(Direction="outbound-api")) == "outbound"
    assert direction(form(Direction="inbound")) == "inbound"
    assert direction(form()) == "inbound"


@pytest.mark.parametrize("read", [call_sid, call_arrived, call_status, stream_status])
def test_a_form_that_names_no_call_is_a_protocol_error(read) -> None:
    with pytest.raises(CarrierProtocolError, match="CallSid"):
        read(Form.parse(b"CallSid=&From=%2B15550142"))


@pytest.mark.parametrize("sid", ["../x", "CA%00", "CA%201", "C" * 65, "CA%E2%80%AE"])
@pytest.mark.parametrize("read", [call_sid, call_arrived, call_status, stream_status])
def test_a_call_sid_that_could_be_anything_is_a_protocol_error(read, sid: str) -> None:
    form = Form.parse(f"CallSid={sid}&StreamSid=MZ1".encode())
    with pytest.raises(CarrierProtocolError, match="expected a call SID as the parameter CallSid"):
        read(form)
    assert not is_call_sid(form["CallSid"])


def test_a_plain_call_sid_is_accepted() -> None:
    for sid in ("CA22222222222222222222222222222222", "CA1", "a-b_c", "C" * 64):
        assert is_call_sid(sid)
        assert call_sid(Form.parse(f"CallSid={sid}".encode())) == sid


def test_connect_action_asks_what_is_next() -> None:
    assert connect_ended(captured("connect"), 4) == InstructionsAsked(4, "connect")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"DialCallStatus": "completed", "DialBridged": "true"}, "bridged"),
        ({"DialCallStatus": "completed", "DialBridged": "false"}, "declined"),
        ({"DialCallStatus": "answered", "DialBridged": "false"}, "declined"),
        ({"DialCallStatus": "completed"}, "bridged"),
        ({"DialCallStatus": "busy", "DialBridged": "false"}, "busy"),
        ({"DialCallStatus": "no-answer", "DialBridged": "false"}, "no-answer"),
        ({"DialCallStatus": "failed"}, "failed"),
        ({"DialCallStatus": "canceled"}, "cancelled"),
        ({"DialCallStatus": "something-new"}, "failed"),
        ({}, "failed"),
        (
            {"DialCallStatus": "no-answer", "DialBridged": "false", "CallStatus": "completed"},
            "caller-gone",
        ),
        ({"DialCallStatus": "canceled", "CallStatus": "canceled"}, "caller-gone"),
        (
            {"DialCallStatus": "completed", "DialBridged": "false", "CallStatus": "completed"},
            "caller-gone",
        ),
        (
            {"DialCallStatus": "completed", "DialBridged": "true", "CallStatus": "completed"},
            "bridged",
        ),
        ({"DialCallStatus": "completed", "CallStatus": "completed"}, "bridged"),
    ],
)
def test_dial_action_tells_the_outcome_by_whether_the_two_were_bridged(
    fields: dict[str, str], outcome: str
) -> None:
    asked = dial_ended(form(**{"CallStatus": "in-progress", "DialCallSid": LEG, **fields}), 2)
    assert asked == InstructionsAsked(2, "dial", LEG, outcome)


def test_captured_dial_actions_are_read() -> None:
    assert dial_ended(captured("dial-bridged"), 1).outcome == "bridged"
    assert dial_ended(captured("dial-declined"), 1) == InstructionsAsked(1, "dial", LEG, "declined")
    assert dial_ended(form(DialCallStatus="busy"), 1).leg_sid == ""


@pytest.mark.parametrize(
    ("result", "status", "outcome"),
    [
        ("bridged", "in-progress", "bridged"),
        ("bridged", "completed", "bridged"),
        ("bridging-in-process", "in-progress", "bridged"),
        ("redirected-from-bridged", "in-progress", "bridged"),
        ("hangup", "completed", "caller-gone"),
        ("hangup", "in-progress", "caller-gone"),
        ("leave", "in-progress", "no-answer"),
        ("redirected", "in-progress", "cancelled"),
        ("queue-full", "in-progress", "busy"),
        ("error", "in-progress", "failed"),
        ("system-error", "completed", "caller-gone"),
        ("something-new", "in-progress", "failed"),
    ],
)
def test_queue_action_tells_the_outcome(result: str, status: str, outcome: str) -> None:
    asked = queue_ended(form(QueueResult=result, CallStatus=status), 9)
    assert asked == InstructionsAsked(9, "queue", "", outcome)


@pytest.mark.parametrize(
    ("fields", "status", "outcome"),
    [
        ({"CallStatus": "queued"}, "initiated", None),
        ({"CallStatus": "initiated"}, "initiated", None),
        ({"CallStatus": "ringing"}, "ringing", None),
        ({"CallStatus": "in-progress"}, "answered", None),
        ({"CallStatus": "in-progress", "AnsweredBy": "human"}, "answered", None),
        ({"CallStatus": "in-progress", "AnsweredBy": "machine_start"}, "answered", "machine"),
        ({"CallStatus": "completed", "AnsweredBy": "fax"}, "completed", "machine"),
        ({"CallStatus": "completed"}, "completed", None),
        ({"CallStatus": "busy"}, "completed", "busy"),
        ({"CallStatus": "no-answer"}, "completed", "no-answer"),
        ({"CallStatus": "failed"}, "completed", "failed"),
        ({"CallStatus": "canceled"}, "completed", "cancelled"),
    ],
)
def test_a_legs_status_belongs_to_the_callers_call(
    fields: dict[str, str], status: str, outcome: str | None
) -> None:
    told = leg_changed(form(**{"ParentCallSid": CALL, "CallSid": LEG, **fields}), 6)
    assert told == (CALL, LegChanged(LEG, status, 6, outcome))


def test_a_captured_leg_status_is_read_and_one_unknown_says_nothing() -> None:
    assert leg_changed(captured("leg-ringing"), 1) == (CALL, LegChanged(LEG, "ringing", 1))
    assert leg_changed(form(ParentCallSid=CALL, CallStatus="dreaming"), 1) == (CALL, None)
    with pytest.raises(CarrierProtocolError, match="ParentCallSid"):
        leg_changed(form(CallStatus="ringing"), 1)


def test_a_call_is_over_when_its_status_says_so() -> None:
    assert call_status(captured("status-completed")) == (CALL, CallCompleted("completed"))
    assert call_status(form(CallStatus="no-answer")) == (CALL, CallCompleted("no-answer"))
    assert call_status(form(CallStatus="in-progress")) == (CALL, None)
    assert not is_over(form())


def test_only_a_stopped_stream_is_over_a_stream_error_may_be_a_warning() -> None:
    assert stream_status(captured("stream-stopped")) == (
        CALL,
        StreamStopped("MZ11111111111111111111111111111111", "stream-stopped"),
    )
    assert stream_status(captured("stream-error")) == (CALL, None)
    with pytest.raises(CarrierProtocolError, match="StreamSid"):
        stream_status(form(StreamEvent="stream-stopped"))


@pytest.mark.parametrize("sid", ["CA/../1", "C" * 65, "CA1\n", "\u00c4"])
def test_a_call_sid_that_is_none_is_refused_with_what_was_expected(sid: str) -> None:
    expected = f"a call SID.*got another text of {len(sid)} characters"
    with pytest.raises(CarrierProtocolError, match=expected):
        call_sid({"CallSid": sid})


@pytest.mark.parametrize(
    ("by", "told"),
    [
        ("human", "human"),
        ("fax", "fax"),
        ("machine_start", "machine"),
        ("machine_end_beep", "machine-end"),
        ("machine_end_other", "machine-end"),
        ("unknown", "unknown"),
        ("something new", "unknown"),
    ],
)
def test_what_answered_a_placed_call_is_read(by: str, told: str) -> None:
    form = Form.parse(f"CallSid=CA1&AnsweredBy={by}&MachineDetectionDuration=900".encode())
    sid, event = callee_detected(form)
    assert (sid, event.by) == ("CA1", told)
