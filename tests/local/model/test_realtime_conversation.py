"""The rules of one session, each as a sentence; every event is judged by the official types."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hookflash_local.model.realtime_conversation import (
    ConfigureTurnDetection,
    FeedAudio,
    StopResponse,
    Transcribe,
)


def kinds(effects: list[Any]) -> list[str]:
    return [one["type"] if isinstance(one, dict) else type(one).__name__ for one in effects]


def sound(ms: int, byte: int = 1) -> str:
    return base64.b64encode(bytes([byte]) * ms * 8).decode()


def test_a_session_begins_with_its_full_default_and_with_server_vad(client: Any) -> None:
    created, detect = client.took(client.conversation.opened())
    assert created["type"] == "session.created"
    assert created["session"]["type"] == "realtime"
    assert created["session"]["model"] == "gpt-realtime-2.1"
    assert created["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert detect == ConfigureTurnDetection(created["session"]["audio"]["input"]["turn_detection"])
    assert detect.turn_detection["type"] == "server_vad"


def test_an_update_is_answered_with_the_whole_effective_session(client: Any) -> None:
    (updated,) = client.sends(
        "session.update", session={"type": "realtime", "instructions": "Be brief."}
    )
    assert updated["type"] == "session.updated"
    assert updated["session"]["instructions"] == "Be brief."
    assert updated["session"]["audio"]["output"]["voice"] == "marin"


def test_turning_detection_off_is_a_job_for_the_ears(client: Any) -> None:
    effects = client.sends(
        "session.update",
        session={"type": "realtime", "audio": {"input": {"turn_detection": None}}},
    )
    assert effects[1:] == [ConfigureTurnDetection(None)]


def test_a_refused_update_changes_nothing_at_all(client: Any) -> None:
    before = client.conversation.session
    body = client.is_told(
        {
            "type": "session.update",
            "event_id": "mine",
            "session": {
                "type": "realtime",
                "instructions": "kept?",
                "audio": {"input": {"format": {"type": "audio/pcmu", "rate": 8000}}},
            },
        }
    )
    assert body["code"] == "unknown_parameter"
    assert body["param"] == "session.audio.input.format.rate"
    assert body["event_id"] == "mine"
    assert client.conversation.session == before


def test_the_voice_is_locked_once_the_model_has_spoken(client: Any) -> None:
    client.speaks_pcmu()
    change = {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}
    assert kinds(client.sends("session.update", session=change)) == ["session.updated"]
    client.hears_response()
    change["audio"] = {"output": {"voice": "ash"}}
    assert client.refusal("session.update", session=change)["code"] == "cannot_update_voice"
    change["audio"] = {"output": {"voice": "cedar"}}
    assert kinds(client.sends("session.update", session=change)) == ["session.updated"]


@pytest.mark.parametrize(
    "raw, code",
    [
        ([], "invalid_event"),
        ({}, "missing_required_parameter"),
        ({"type": "session.close"}, "invalid_value"),
        ({"type": "output_audio_buffer.clear"}, "invalid_value"),
        ({"type": 7}, "invalid_type"),
        ({"type": "session.update"}, "missing_required_parameter"),
        ({"type": "response.create", "respond": {}}, "unknown_parameter"),
        ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_value"),
        (
            {"type": "conversation.item.create", "item": {"type": "message"}},
            "missing_required_parameter",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_audio", "audio": ""}],
                },
            },
            "invalid_value",
        ),
    ],
)
def test_what_no_client_may_send_is_told_by_its_code(client: Any, raw: Any, code: str) -> None:
    assert client.is_told(raw)["code"] == code


def test_appended_sound_has_no_answer_and_goes_to_the_ears(client: Any) -> None:
    client.speaks_pcmu()
    effects = client.sends("input_audio_buffer.append", audio=sound(20))
    assert effects == [FeedAudio(b"\x01" * 160)]
    assert client.conversation.input.written_ms == 20


def test_a_commit_makes_an_item_and_no_response(client: Any) -> None:
    client.speaks_pcmu(turn_detection=None)
    client.sends("input_audio_buffer.append", audio=sound(150))
    effects = client.sends("input_audio_buffer.commit")
    assert kinds(effects) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "Transcribe",
    ]
    item_id = effects[0]["item_id"]
    assert effects[1]["item"]["id"] == item_id
    assert effects[-1] == Transcribe(item_id)
    assert client.conversation.items.get(item_id).audio_ms == 150


def test_a_commit_of_next_to_nothing_is_refused(client: Any) -> None:
    client.speaks_pcmu(turn_detection=None)
    client.sends("input_audio_buffer.append", audio=sound(99))
    body = client.refusal("input_audio_buffer.commit")
    assert body["code"] == "input_audio_buffer_commit_empty"
    assert "99.00ms" in body["message"]


def test_a_cleared_buffer_is_empty(client: Any) -> None:
    client.speaks_pcmu(turn_detection=None)
    client.sends("input_audio_buffer.append", audio=sound(500))
    assert kinds(client.sends("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert client.refusal("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"


def test_a_spoken_turn_begins_a_response_in_the_order_of_the_reference(client: Any) -> None:
    client.speaks_pcmu()
    started = client.took(client.conversation.speech_started(300))
    stopped = client.took(client.conversation.speech_stopped(1500, b"\x01" * 8000))
    assert kinds(started + stopped) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "Transcribe",
        "response.created",
        "rate_limits.updated",
        "Respond",
    ]
    assert started[0]["audio_start_ms"] == 300
    assert stopped[0]["audio_end_ms"] == 1500
    assert started[0]["item_id"] == stopped[1]["item_id"]


def test_without_create_response_a_turn_is_only_committed(client: Any) -> None:
    client.speaks_pcmu(turn_detection={"type": "server_vad", "create_response": False})
    client.conversation.speech_started(0)
    assert "Respond" not in kinds(client.conversation.speech_stopped(900, b"\x01" * 8000))


def test_speech_cancels_the_running_response(client: Any) -> None:
    client.speaks_pcmu()
    client.sends("response.create")
    response = client.conversation.active
    response.open_message("cut")
    response.add_transcript("Hello and")
    response.add_audio(b"\x01" * 800)
    effects = client.took(client.conversation.speech_started(0))
    assert kinds(effects) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "StopResponse",
    ]
    done = effects[-2]["response"]
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert done["output"][0]["status"] == "incomplete"
    assert effects[2]["transcript"] == "Hello and"
    assert effects[-1] == StopResponse(response.id)


def test_speech_does_not_cancel_where_the_session_says_so(client: Any) -> None:
    client.speaks_pcmu(turn_detection={"type": "server_vad", "interrupt_response": False})
    client.sends("response.create")
    effects = client.conversation.speech_started(0)
    assert kinds(effects) == ["input_audio_buffer.speech_started"]
    stopped = client.took(client.conversation.speech_stopped(900, b"\x01" * 8000))
    assert stopped[-1]["error"]["code"] == "conversation_already_has_active_response"


def test_words_of_the_caller_are_told_only_if_asked_for(client: Any) -> None:
    client.speaks_pcmu(turn_detection=None)
    for wanted in (None, {"model": "gpt-transcribe"}, {"model": "whisper-1"}):
        client.speaks_pcmu(turn_detection=None, transcription=wanted)
        client.sends("input_audio_buffer.append", audio=sound(1000))
        item_id = client.sends("input_audio_buffer.commit")[0]["item_id"]
        events = client.took(client.conversation.transcribed(item_id, "Hello."))
        assert client.conversation.items.get(item_id).turn({}).text == "Hello."
        if wanted is None:
            assert events == []
            assert client.conversation.transcription_failed(item_id) == []
            continue
        assert kinds(events) == [
            "conversation.item.input_audio_transcription.delta",
            "conversation.item.input_audio_transcription.completed",
        ]
        assert events[-1]["transcript"] == "Hello."
        timed = wanted["model"] == "whisper-1"
        assert events[-1]["usage"]["type"] == ("duration" if timed else "tokens")
        failed = client.took(client.conversation.transcription_failed(item_id))
        assert kinds(failed) == ["conversation.item.input_audio_transcription.failed"]
