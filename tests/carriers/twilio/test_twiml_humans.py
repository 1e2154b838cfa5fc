"""Humans rung, screened and met, as TwiML."""

from __future__ import annotations

import pytest

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.twiml import room_name
from hookflash.carriers.twilio.urls import RETRY
from hookflash.core.commands import DialHumans, JoinRoom, ReferCaller, Screen
from hookflash.core.handoff_plan import Target, queue_target
from hookflash.errors import ConfigError

from .conftest import CALL, written

ANNA = Target.client("anna")
PHONE = Target.phone("+15550177")
DESK = Target.sip("sip:desk@example.com;transport=tls?x-a=1&x-b=2")
STATUS = {
    "statusCallback": "https://line.example.com/twilio/leg/5",
    "statusCallbackMethod": "POST",
    "statusCallbackEvent": "initiated ringing answered completed",
}


def test_dial_humans_rings_all_kinds_of_targets_at_once() -> None:
    dial, hangup = written(DialHumans(5, (PHONE, ANNA, DESK), 25, caller_id="+15550111"))
    assert dial.attrib == {
        "action": "https://line.example.com/twilio/dial/5" + RETRY,
        "method": "POST",
        "timeout": "25",
        "callerId": "+15550111",
        "answerOnBridge": "true",
    }
    assert [(noun.tag, noun.text) for noun in dial] == [
        ("Number", "+15550177"),
        ("Client", "anna"),
        ("Sip", "sip:desk@example.com;transport=tls?x-a=1&x-b=2"),
    ]
    assert all(noun.attrib == STATUS for noun in dial)
    assert hangup.tag == "Hangup"


def test_a_talk_may_be_limited_on_the_callers_leg() -> None:
    dial, _ = written(DialHumans(5, (PHONE,), 25, talk_seconds=1800))
    assert dial.get("timeLimit") == "1800"
    room, _ = written(JoinRoom(CALL, 3, 7, talk_seconds=1800))
    assert room.get("timeLimit") == "1800"


def test_each_leg_of_a_wave_has_webhooks_of_the_callers_call() -> None:
    dial, _ = written(DialHumans(5, (PHONE, ANNA), 25, wave=3))
    for number, noun in enumerate(dial):
        assert noun.attrib == {
            **STATUS,
            "url": f"https://line.example.com/twilio/human/{CALL}/3/{number}/answered" + RETRY,
            "method": "POST",
        }


@pytest.mark.parametrize(
    ("caller_id", "number", "own_number", "shown"),
    [
        ("+15550111", "+15550142", "+15550100", "+15550111"),
        (None, "+15550142", "+15550100", "+15550100"),
        (None, "+15550142", None, "client:hookflash"),
        ("caller", "+15550142", "+15550100", "+15550142"),
        ("caller", None, "+15550100", "+15550100"),
        ("caller", None, None, "client:hookflash"),
    ],
)
def test_caller_id_is_the_instructions_own_else_our_number_else_a_name(
    caller_id: str | None, number: str | None, own_number: str | None, shown: str | None
) -> None:
    parties = Parties(call_sid=CALL, number=number, own_number=own_number)
    dial, _ = written(DialHumans(1, (ANNA,), 20, caller_id), parties=parties)
    assert dial.get("callerId") == shown


@pytest.mark.parametrize(
    ("targets", "shown"),
    [
        ((ANNA,), "client:hookflash"),
        ((DESK, DESK), "hookflash"),
        ((PHONE,), None),
        ((ANNA, DESK), None),
        ((ANNA, PHONE), None),
    ],
)
def test_after_a_call_that_came_to_no_number_each_kind_sees_what_twilio_accepts(
    targets: tuple[Target, ...], shown: str | None
) -> None:
    dial, _ = written(DialHumans(1, targets, 20, "caller"), parties=Parties(call_sid=CALL))
    assert dial.get("callerId") == shown
    ours = Parties(call_sid=CALL, own_number="+15550100")
    dial, _ = written(DialHumans(1, targets, 20, "caller"), parties=ours)
    assert dial.get("callerId") == "+15550100"


@pytest.mark.parametrize(("extension", "keys"), [("ww123#", "ww123#"), (",*9,", "WW*9WW")])
def test_an_extension_is_sent_as_keys_by_the_number_that_has_one(extension: str, keys: str) -> None:
    targets = (Target.phone("+15550177", extension=extension), PHONE)
    dial, _ = written(DialHumans(5, targets, 25, wave=3))
    assert [noun.get("sendDigits") for noun in dial] == [keys, None]
    assert [noun.text for noun in dial] == ["+15550177", "+15550177"]


def test_the_caller_waits_in_a_room_and_is_asked_about_when_it_is_over() -> None:
    dial, hangup = written(JoinRoom(CALL, 2, 7))
    assert dial.attrib == {
        "action": "https://line.example.com/twilio/room/7" + RETRY,
        "method": "POST",
    }
    (conference,) = dial
    assert conference.text == room_name(CALL, 2) == f"hookflash-{CALL}-2"
    assert conference.attrib == {
        "beep": "false",
        "jitterBufferSize": "small",
        "startConferenceOnEnter": "true",
        "endConferenceOnExit": "false",
        "participantLabel": "caller",
        "statusCallback": f"https://line.example.com/twilio/room-events/{CALL}/2",
        "statusCallbackMethod": "POST",
        "statusCallbackEvent": "start end join leave",
    }
    assert hangup.tag == "Hangup"


def test_a_human_ends_the_room_and_may_leave_it_by_a_star() -> None:
    dial, _ = written(JoinRoom(CALL, 2, leg=1))
    assert dial.attrib == {
        "action": f"https://line.example.com/twilio/human/{CALL}/2/1/left" + RETRY,
        "method": "POST",
        "hangupOnStar": "true",
    }
    (conference,) = dial
    assert conference.get("endConferenceOnExit") == "true"
    assert conference.get("participantLabel") == "human-1"
    caller = written(JoinRoom(CALL, 2, 7))[0][0]
    assert conference.text == caller.text
    assert conference.get("statusCallback") == caller.get("statusCallback")


def test_each_wave_has_a_room_of_its_own_whatever_the_call_is_named() -> None:
    assert room_name(CALL, 1) != room_name(CALL, 2)
    assert room_name("a/b?c#d\n", 1) == "hookflash-a_b_c_d_-1"
    assert len(room_name("x" * 500, 1)) < 128


def test_with_notes_another_stream_hears_both_sides() -> None:
    start, dial, _ = written(JoinRoom(CALL, 2, 7, notes=True))
    (stream,) = start
    assert stream.attrib == {
        "name": "notes-7",
        "url": "wss://line.example.com/twilio/notes",
        "track": "both_tracks",
    }
    assert [each.attrib for each in stream] == [{"name": "token", "value": "token-of-7"}]
    assert dial.tag == "Dial"


def test_a_human_is_asked_for_a_key_and_no_key_is_an_answer_too() -> None:
    gather, hangup = written(Screen(3, 1, "Call for sales. Press 1.", language="en-GB"))
    assert gather.attrib == {
        "action": f"https://line.example.com/twilio/human/{CALL}/3/1/pressed" + RETRY,
        "method": "POST",
        "numDigits": "1",
        "finishOnKey": "",
        "actionOnEmptyResult": "true",
        "timeout": "6",
    }
    assert [(say.text, say.attrib) for say in gather] == [
        ("Call for sales. Press 1.", {"language": "en-GB"})
    ]
    assert hangup.tag == "Hangup"
    short, _ = written(Screen(3, 1, "One moment, please.", seconds=2))
    assert short.get("timeout") == "2"
    parting, _ = written(Screen(3, 1, "Give back?", "parting"))
    assert (parting.get("action") or "").startswith(
        f"https://line.example.com/twilio/human/{CALL}/3/1/parting#"
    )


def test_a_caller_who_came_by_sip_is_handed_over() -> None:
    refer, _ = written(ReferCaller(4, DESK))
    assert refer.attrib == {
        "action": "https://line.example.com/twilio/refer/4" + RETRY,
        "method": "POST",
    }
    assert [(sip.tag, sip.text) for sip in refer] == [("Sip", DESK.address)]


def test_instructions_that_twilio_cannot_execute_are_refused() -> None:
    for instruction in (
        DialHumans(1, (), 20),
        DialHumans(1, (ANNA,) * 11, 20),
        DialHumans(1, (queue_target("desk"),), 20),
        ReferCaller(1, PHONE),
    ):
        with pytest.raises(ConfigError, match="<Dial>|<Refer>"):
            written(instruction)
