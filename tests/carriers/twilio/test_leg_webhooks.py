"""Webhook forms of humans' legs, rooms, queues and voicemails, as the core's events."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from hookflash.carriers.twilio.webhooks import (
    Form,
    hold_ended,
    human_asked,
    human_changed,
    queue_asked,
    recording_ready,
    refer_ended,
    room_changed,
    room_ended,
    transcribed,
    voicemail_ended,
)
from hookflash.core.events import (
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    QueueAsked,
    Recording,
    RecordingReady,
    RoomChanged,
    VoicemailTranscribed,
)
from hookflash.errors import CarrierProtocolError

from .conftest import CALL, LEG

URL = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"


def form(call_sid: str = LEG, **fields: str) -> Form:
    return Form.parse(urlencode({"CallSid": call_sid, **fields}).encode())


def bare(**fields: str) -> Form:
    return Form.parse(urlencode(fields).encode())


@pytest.mark.parametrize("point", ["answered", "pressed", "parting", "left"])
def test_a_humans_leg_asks_what_is_next(point) -> None:
    assert human_asked(form(), 2, 1, point) == HumanAsked(2, 1, LEG, point)


@pytest.mark.parametrize(("digits", "digit"), [("1", "1"), ("", ""), ("*", "*"), ("12", "1")])
def test_a_key_is_told_and_none_is_an_empty_one(digits: str, digit: str) -> None:
    assert human_asked(form(Digits=digits), 2, 1, "pressed").digit == digit


@pytest.mark.parametrize(
    ("answered_by", "by"),
    [
        ("human", "human"),
        ("machine_start", "machine"),
        ("machine_end_beep", "machine"),
        ("fax", "machine"),
        ("unknown", "unknown"),
        ("a word of tomorrow", "unknown"),
        ("", ""),
    ],
)
def test_answering_machine_detection_gives_human_machine_or_unknown(
    answered_by: str, by: str
) -> None:
    assert human_asked(form(AnsweredBy=answered_by), 2, 1, "answered").answered_by == by


def test_a_leg_that_names_nothing_is_a_protocol_error() -> None:
    for read in (
        lambda: human_asked(bare(), 2, 1, "answered"),
        lambda: human_changed(bare(CallStatus="ringing"), 2, 1),
        lambda: recording_ready(bare(RecordingUrl=URL), 2),
        lambda: transcribed(bare(), 2),
    ):
        with pytest.raises(CarrierProtocolError, match="CallSid"):
            read()


@pytest.mark.parametrize(
    ("fields", "status", "outcome"),
    [
        ({"CallStatus": "initiated"}, "initiated", None),
        ({"CallStatus": "ringing"}, "ringing", None),
        ({"CallStatus": "in-progress"}, "answered", None),
        ({"CallStatus": "in-progress", "AnsweredBy": "machine_start"}, "answered", "machine"),
        ({"CallStatus": "completed"}, "completed", None),
        ({"CallStatus": "busy"}, "completed", "busy"),
        ({"CallStatus": "no-answer"}, "completed", "no-answer"),
        ({"CallStatus": "failed"}, "completed", "failed"),
        ({"CallStatus": "canceled"}, "completed", "cancelled"),
        ({"AnsweredBy": "machine_start"}, "answered", "machine"),
        ({"AnsweredBy": "human"}, "answered", None),
    ],
)
def test_the_status_of_a_leg_that_we_have_placed(fields, status, outcome) -> None:
    assert human_changed(form(**fields), 2, 1) == LegChanged(LEG, status, 2, outcome, 1)


def test_a_status_that_is_not_known_says_nothing() -> None:
    assert human_changed(form(CallStatus="dreaming"), 2, 1) is None
    assert human_changed(form(), 2, 1) is None


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ("participant-join", "joined"),
        ("participant-leave", "left"),
        ("conference-start", "started"),
        ("conference-end", "ended"),
    ],
)
def test_a_room_changes(told: str, change) -> None:
    assert room_changed(form(StatusCallbackEvent=told), 3) == RoomChanged(3, change, LEG)
    assert room_changed(bare(StatusCallbackEvent=told), 3) == RoomChanged(3, change)


def test_a_change_that_nobody_waits_for_is_passed_over() -> None:
    assert room_changed(form(StatusCallbackEvent="participant-mute"), 3) is None
    assert room_changed(form(), 3) is None


def test_a_queue_asks_what_the_caller_hears() -> None:
    told = form(CALL, QueuePosition="3", QueueTime="40", AvgQueueTime="95", Digits="1")
    assert queue_asked(told, 6) == QueueAsked(6, 3, 40, 95, "1")


@pytest.mark.parametrize("odd", ["", "-1", "x", "1.5", "²", "1" * 50])
def test_a_number_that_is_none_is_not_known(odd: str) -> None:
    assert queue_asked(form(CALL, QueuePosition=odd), 6) == QueueAsked(6)


def test_room_and_hold_ask_what_is_next() -> None:
    assert room_ended(form(CALL), 4) == InstructionsAsked(4, "room")
    answered = form(CALL, DialCallStatus="answered")
    assert room_ended(answered, 4) == InstructionsAsked(4, "room")
    failed = form(CALL, DialCallStatus="failed")
    assert room_ended(failed, 4) == InstructionsAsked(4, "room", outcome="failed")
    assert hold_ended(form(CALL), 4) == InstructionsAsked(4, "hold")


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        # The four scenarios of Twilio's page on <Refer>.
        (("in-progress", "202", "200"), "bridged"),
        (("busy", "202", "486"), "busy"),
        (("failed", "405", ""), "failed"),
        (("canceled", "202", "180"), "cancelled"),
        (("failed", "202", "603"), "declined"),
        (("failed", "202", "480"), "no-answer"),
        (("failed", "202", "408"), "no-answer"),
        (("failed", "202", "404"), "failed"),
        (("no-answer", "202", ""), "no-answer"),
        (("", "202", "200"), "bridged"),
        (("", "202", ""), "failed"),
        (("", "", ""), "failed"),
        (("something-new", "202", "500"), "failed"),
    ],
)
def test_a_caller_was_handed_over_or_was_not(fields: tuple[str, str, str], outcome: str) -> None:
    names = ("ReferCallStatus", "ReferSipResponseCode", "NotifySipResponseCode")
    told = {name: value for name, value in zip(names, fields, strict=True) if value}
    asked = refer_ended(form(CALL, CallStatus="in-progress", **told), 5)
    assert asked == InstructionsAsked(5, "refer", outcome=outcome)


def test_a_caller_who_left_by_a_refer_of_which_nothing_was_heard_has_been_handed_over() -> None:
    told = form(CALL, CallStatus="completed", ReferSipResponseCode="202")
    assert refer_ended(told, 5).outcome == "bridged"


def test_a_caller_who_hung_up_during_a_refer_is_gone() -> None:
    told = form(CALL, CallStatus="completed", ReferCallStatus="canceled")
    assert refer_ended(told, 5).outcome == "caller-gone"


def test_a_voicemail_is_told_with_its_recording_or_without() -> None:
    told = form(CALL, RecordingUrl=URL, RecordingDuration="12", RecordingSid="RE1")
    recording = Recording(URL, 12.0, "RE1")
    assert voicemail_ended(told, 5) == InstructionsAsked(5, "voicemail", recording=recording)
    assert voicemail_ended(form(CALL), 5) == InstructionsAsked(5, "voicemail")


def test_a_recording_can_be_fetched_when_it_is_complete() -> None:
    fields = {"RecordingUrl": URL, "RecordingDuration": "12", "RecordingSid": "RE1"}
    ready = RecordingReady(5, Recording(URL, 12.0, "RE1"))
    assert recording_ready(form(CALL, **fields), 5) == (CALL, ready)
    assert recording_ready(form(CALL, RecordingStatus="completed", **fields), 5) == (CALL, ready)
    assert recording_ready(form(CALL, RecordingStatus="absent", **fields), 5) == (CALL, None)
    assert recording_ready(form(CALL, RecordingStatus="completed"), 5) == (CALL, None)


def test_a_voicemail_is_written_down_or_cannot_be() -> None:
    told = form(CALL, TranscriptionStatus="completed", TranscriptionText=" Call me back. ")
    assert transcribed(told, 5) == (CALL, VoicemailTranscribed(5, "Call me back."))
    failed = form(CALL, TranscriptionStatus="failed", TranscriptionText="x")
    assert transcribed(failed, 5) == (CALL, VoicemailTranscribed(5, ""))
