"""Webhooks about humans' legs and callers who wait, over HTTP: what is asked, and of which call."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from urllib.parse import urlencode

import pytest

from hookflash.core.commands import Bridge, ConnectAgent, Hold, KeepInQueue, Screen
from hookflash.core.events import (
    CallCompleted,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    QueueAsked,
    Recording,
    RecordingReady,
    RoomChanged,
    VoicemailTranscribed,
)

CALL = "CA22222222222222222222222222222222"
LEG = "CA33333333333333333333333333333333"
HUMAN = f"/twilio/human/{CALL}/2/1"
RECORDED = {"RecordingUrl": "https://api.twilio.com/RE1", "RecordingDuration": "9"}


def form(call_sid: str = CALL, **fields: str) -> bytes:
    said = {"CallSid": call_sid, "CallStatus": "in-progress", "Direction": "inbound", **fields}
    return urlencode(said).encode()


def tags(text: str) -> list[str]:
    return [element.tag for element in ET.fromstring(text)]


@pytest.mark.parametrize("point", ["answered", "pressed", "parting", "left"])
async def test_a_humans_leg_is_answered_by_the_callers_call(webhook_server, point) -> None:
    webhook_server.calls.answers.append((Screen(2, 1, "Call for sales."),))
    response = await webhook_server.post(
        f"{HUMAN}/{point}", form(LEG, Digits="1", AnsweredBy="human")
    )
    assert tags(response.text) == ["Gather", "Hangup"]
    assert f"https://line.example.com{HUMAN}/pressed#" in response.text
    assert webhook_server.calls.asked == [(CALL, HumanAsked(2, 1, LEG, point, "1", "human"))]
    assert webhook_server.calls.legs == [LEG]


async def test_a_bridge_is_an_empty_document(webhook_server) -> None:
    webhook_server.calls.answers.append((Bridge(),))
    response = await webhook_server.post(f"{HUMAN}/pressed", form(LEG, Digits="1"))
    assert tags(response.text) == []


async def test_a_human_with_whom_the_agent_talks_gets_a_stream_of_their_own(webhook_server) -> None:
    webhook_server.calls.answers.append((ConnectAgent(1),))
    response = await webhook_server.post(f"{HUMAN}/answered", form(LEG))
    connect = ET.fromstring(response.text)[0]
    assert connect.attrib["action"].startswith(f"https://line.example.com/twilio/consult/{CALL}/1#")
    token = connect.findall("Stream/Parameter")[0].attrib["value"]
    assert webhook_server.line.tokens.redeem(LEG, token) == 1


async def test_the_end_of_a_humans_stream_is_asked_of_their_leg_by_way_of_the_call(
    webhook_server,
) -> None:
    await webhook_server.post(f"/twilio/consult/{CALL}/1", form(LEG))
    assert webhook_server.calls.asked == [(CALL, InstructionsAsked(1, "connect"))]
    assert webhook_server.calls.legs == [LEG]


async def test_a_human_who_hung_up_on_the_agent_is_told_to_their_leg(webhook_server) -> None:
    response = await webhook_server.post(
        f"/twilio/consult/{CALL}/1", form(LEG, CallStatus="completed")
    )
    assert tags(response.text) == ["Hangup"]
    assert webhook_server.calls.asked == []
    assert webhook_server.calls.posted == [(LEG, CallCompleted("completed"))]


async def test_a_human_who_left_by_hanging_up_is_told_and_not_asked_about(webhook_server) -> None:
    response = await webhook_server.post(f"{HUMAN}/left", form(LEG, CallStatus="completed"))
    assert tags(response.text) == ["Hangup"]
    assert webhook_server.calls.asked == []
    assert webhook_server.calls.posted == [(CALL, LegChanged(LEG, "completed", 2, None, 1))]


@pytest.mark.parametrize(
    ("path", "fields", "asked"),
    [
        ("room/4", {}, InstructionsAsked(4, "room")),
        ("hold/4", {}, InstructionsAsked(4, "hold")),
        (
            "refer/4",
            {"ReferCallStatus": "busy"},
            InstructionsAsked(4, "refer", outcome="busy"),
        ),
        ("voicemail/4", {}, InstructionsAsked(4, "voicemail")),
        (
            "voicemail/4",
            RECORDED,
            InstructionsAsked(4, "voicemail", recording=Recording(RECORDED["RecordingUrl"], 9.0)),
        ),
        (
            "wait/4",
            {"QueuePosition": "2", "QueueTime": "30", "AvgQueueTime": "60", "Digits": "1"},
            QueueAsked(4, 2, 30, 60, "1"),
        ),
    ],
)
async def test_a_caller_who_waits_asks_what_is_next(webhook_server, path, fields, asked) -> None:
    await webhook_server.post(f"/twilio/{path}", form(**fields))
    assert webhook_server.calls.asked == [(CALL, asked)]
    assert webhook_server.calls.legs == [""]


@pytest.mark.parametrize("path", ["room/4", "hold/4", "wait/4"])
async def test_a_caller_who_is_gone_is_told_and_not_asked_about(webhook_server, path) -> None:
    await webhook_server.post(f"/twilio/{path}", form(CallStatus="completed"))
    assert webhook_server.calls.asked == []
    assert webhook_server.calls.posted == [(CALL, CallCompleted("completed"))]


async def test_a_message_is_stored_before_the_call_of_a_caller_who_hung_up_ends(
    webhook_server,
) -> None:
    await webhook_server.post("/twilio/voicemail/4", form(CallStatus="completed", **RECORDED))
    recording = Recording(RECORDED["RecordingUrl"], 9.0)
    assert webhook_server.calls.asked == [
        (CALL, InstructionsAsked(4, "voicemail", recording=recording))
    ]
    assert webhook_server.calls.posted == [(CALL, CallCompleted("completed"))]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/twilio/hold/4", Hold(4, "One moment.")),
        ("/twilio/wait/4", KeepInQueue(4, "You are next.")),
        (f"{HUMAN}/pressed", Screen(2, 1, "Press 1.")),
        (f"{HUMAN}/parting", Screen(2, 1, "Press 1.", "parting")),
    ],
)
async def test_the_same_words_may_be_a_new_question_and_a_retry_is_not(
    webhook_server, path, answer
) -> None:
    webhook_server.calls.answers = [(answer,)] * 4
    for token in ("a", "a", "b", ""):
        headers = {"I_Twilio_Idempotency_Token": token} if token else {}
        await webhook_server.post(path, form(LEG), **headers)
    assert len(webhook_server.calls.asked) == 3


async def test_what_happens_to_humans_rooms_and_messages_is_told(webhook_server) -> None:
    told = (
        (f"{HUMAN}/status", form(LEG, CallStatus="busy")),
        (f"{HUMAN}/status", urlencode({"CallSid": LEG, "AnsweredBy": "fax"}).encode()),
        (f"/twilio/room-events/{CALL}/2", form(LEG, StatusCallbackEvent="participant-join")),
        ("/twilio/recording/4", form(RecordingStatus="completed", **RECORDED)),
        (
            "/twilio/transcription/4",
            form(TranscriptionStatus="completed", TranscriptionText="Call me."),
        ),
        (f"/twilio/room-events/{CALL}/2", form(LEG, StatusCallbackEvent="participant-mute")),
        ("/twilio/recording/4", form(RecordingStatus="absent")),
    )
    for path, body in told:
        response = await webhook_server.post(path, body)
        assert (response.status_code, response.content) == (204, b"")
    assert webhook_server.calls.posted == [
        (CALL, LegChanged(LEG, "completed", 2, "busy", 1)),
        (CALL, LegChanged(LEG, "answered", 2, "machine", 1)),
        (CALL, RoomChanged(2, "joined", LEG)),
        (CALL, RecordingReady(4, Recording(RECORDED["RecordingUrl"], 9.0))),
        (CALL, VoicemailTranscribed(4, "Call me.")),
    ]


@pytest.mark.parametrize("path", [f"{HUMAN}/elsewhere", f"/twilio/human/{CALL}/x/1/left"])
async def test_a_point_that_does_not_exist_is_404(webhook_server, path) -> None:
    assert (await webhook_server.post(path, form(LEG))).status_code == 404


async def test_a_callers_token_is_remembered_for_the_human_who_may_see_their_number(
    webhook_server,
) -> None:
    from hookflash.core.commands import RingHuman
    from hookflash.core.handoff_plan import Target

    told = form(From="+15550142", To="+15550100", CallToken="T")
    await webhook_server.post("/twilio/voice", told)
    await webhook_server.post("/twilio/connect/1", form(From="+15550142", To="+15550100"))
    ring = RingHuman(1, 0, Target.phone("+15550177"), 20, "caller")
    fields = webhook_server.line.write.ring_request(CALL, ring)
    assert (fields["From"], fields["CallToken"]) == ("+15550142", "T")
