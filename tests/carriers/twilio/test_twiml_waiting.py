"""Queues, hold and voicemail, as TwiML."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash.carriers.twilio.urls import RETRY
from hookflash.core.commands import (
    ConnectAgent,
    Hold,
    Instruction,
    JoinQueue,
    KeepInQueue,
    LeaveQueue,
    PlayKeys,
    TakeVoicemail,
)
from hookflash.core.handoff_plan import Target, queue_target
from hookflash.errors import ConfigError

from .conftest import CALL, IN_A_QUEUE, WORKFLOW, check_documented, texts, written

AT = "https://line.example.com/twilio"


def test_a_workflow_gets_its_attributes_as_a_task_and_where_the_call_can_be_read() -> None:
    attributes = {"reason": 'a "refund" & more', "name": "J\u00fcrgen\n\x01"}
    enqueue, _ = written(JoinQueue(7, queue_target(WORKFLOW), attributes))
    assert enqueue.attrib == {
        "action": f"{AT}/queue/7" + RETRY,
        "method": "POST",
        "waitUrl": f"{AT}/wait/7" + RETRY,
        "waitUrlMethod": "POST",
        "workflowSid": WORKFLOW,
    }
    (task,) = enqueue
    read_at = f"https://line.example.com/api/calls/{CALL}"
    assert json.loads(task.text or "") == {**attributes, "transcript_url": read_at}


def test_a_plain_queue_is_a_name() -> None:
    enqueue, _ = written(JoinQueue(7, queue_target("support desk"), {"reason": "x"}))
    assert enqueue.text == "support desk"
    assert list(enqueue) == []
    assert "workflowSid" not in enqueue.attrib
    assert enqueue.get("waitUrl") == f"{AT}/wait/7" + RETRY


def test_only_queues_can_be_joined() -> None:
    with pytest.raises(ConfigError, match="<Enqueue>"):
        written(JoinQueue(1, Target.client("anna")))


def test_a_caller_in_a_queue_hears_a_word_and_music_and_may_press_a_key_meanwhile() -> None:
    (gather,) = written(KeepInQueue(7, "You are next.", 30, "en-GB"))
    assert gather.attrib == {
        "action": f"{AT}/wait/7" + RETRY,
        "method": "POST",
        "numDigits": "1",
        "finishOnKey": "",
        "actionOnEmptyResult": "true",
        "timeout": "1",
    }
    assert [(each.tag, each.text, each.attrib) for each in gather] == [
        ("Say", "You are next.", {"language": "en-GB"}),
        ("Play", f"{AT}/music/30.wav", {}),
    ]


@given(st.builds(KeepInQueue, st.integers(0, 9), texts) | st.just(LeaveQueue()))
def test_in_a_queue_only_the_verbs_that_are_allowed_there_are_used(what: Instruction) -> None:
    document = written(what)
    check_documented(document)
    assert {each.tag for each in document.iter()} <= IN_A_QUEUE


def test_a_caller_on_hold_hears_a_word_and_music_and_asks_again() -> None:
    say, play, redirect, _ = written(Hold(9, "One moment.", 3))
    assert (say.text, play.text) == ("One moment.", f"{AT}/music/3.wav")
    assert (redirect.text, redirect.attrib) == (f"{AT}/hold/9" + RETRY, {"method": "POST"})


def test_music_has_an_address_for_one_second_to_a_minute() -> None:
    for asked, there in ((0, 1), (60, 60), (600, 60)):
        assert written(Hold(9, "x", asked))[1].text == f"{AT}/music/{there}.wav"


def test_a_voicemail_is_recorded_written_down_and_asked_about_even_if_nothing_was_said() -> None:
    say, record, redirect, _ = written(TakeVoicemail(4, "Speak now.", 90, language="de-DE"))
    assert (say.text, say.attrib) == ("Speak now.", {"language": "de-DE"})
    assert record.attrib == {
        "action": f"{AT}/voicemail/4" + RETRY,
        "method": "POST",
        "maxLength": "90",
        "timeout": "5",
        "finishOnKey": "#",
        "playBeep": "true",
        "recordingStatusCallback": f"{AT}/recording/4",
        "recordingStatusCallbackMethod": "POST",
        "recordingStatusCallbackEvent": "completed",
        "transcribe": "true",
        "transcribeCallback": f"{AT}/transcription/4",
    }
    assert redirect.text == f"{AT}/voicemail/4" + RETRY


def test_a_voicemail_that_twilio_writes_down_is_no_longer_than_it_writes() -> None:
    assert written(TakeVoicemail(4, "x"))[1].get("maxLength") == "120"
    record = written(TakeVoicemail(4, "x", transcribe=False))[1]
    assert record.get("maxLength") == "180"
    assert "transcribe" not in record.attrib and "transcribeCallback" not in record.attrib


def test_keys_are_played_as_tones_before_the_stream() -> None:
    play, connect, _ = written(PlayKeys("1w2#"), ConnectAgent(4))
    assert (play.tag, play.attrib, play.text) == ("Play", {"digits": "1w2#"}, None)
    assert connect.tag == "Connect"
