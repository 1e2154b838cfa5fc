"""What a session update may say, and what it comes to."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.model.session_config import (
    SEMANTIC_VAD,
    SERVER_VAD,
    default_session,
    updated_session,
)
from hookflash_local.model.validation import Refusal

DEFAULT = default_session("sess_1", "gpt-realtime-2.1", 1)


def update(change: Any, session: dict[str, Any] = DEFAULT) -> dict[str, Any]:
    return updated_session(session, {"type": "realtime", **change}, voice_locked=False)


def audio(**sides: Any) -> dict[str, Any]:
    return {"audio": sides}


def refusal(change: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        updated_session(DEFAULT, change, voice_locked=False)
    return caught.value


def test_only_the_fields_that_are_present_change() -> None:
    once = update({"instructions": "Be kind.", **audio(input={"noise_reduction": None})})
    twice = update(audio(output={"speed": 1.2}), once)
    assert twice["instructions"] == "Be kind."
    assert twice["audio"]["output"] == {**DEFAULT["audio"]["output"], "speed": 1.2}
    assert twice["audio"]["input"]["turn_detection"] == SERVER_VAD
    assert DEFAULT["instructions"] != "Be kind."


def test_an_empty_string_and_an_empty_list_clear() -> None:
    full = update({"instructions": "x", "tools": [{"type": "function", "name": "t"}]})
    assert full["tools"]
    cleared = update({"instructions": "", "tools": []}, full)
    assert (cleared["instructions"], cleared["tools"]) == ("", [])


def test_turn_detection_is_filled_up_with_the_defaults_of_its_type() -> None:
    semantic = update(audio(input={"turn_detection": {"type": "semantic_vad"}}))
    assert semantic["audio"]["input"]["turn_detection"] == SEMANTIC_VAD
    vad = {"type": "server_vad", "silence_duration_ms": 300}
    server = update(audio(input={"turn_detection": vad}), semantic)
    assert server["audio"]["input"]["turn_detection"] == {**SERVER_VAD, "silence_duration_ms": 300}
    partly = {"type": "server_vad", "interrupt_response": False}
    again = update(audio(input={"turn_detection": partly}), server)["audio"]["input"]
    assert again["turn_detection"]["silence_duration_ms"] == 300
    assert again["turn_detection"]["interrupt_response"] is False
    off = update(audio(input={"turn_detection": None}), server)
    assert off["audio"]["input"]["turn_detection"] is None


@pytest.mark.parametrize("name", ["audio/pcmu", "audio/pcma"])
def test_telephone_formats_have_no_rate(name: str) -> None:
    session = update(audio(input={"format": {"type": name}}, output={"format": {"type": name}}))
    assert session["audio"]["output"]["format"] == {"type": name}
    wrong = {"type": "realtime", **audio(output={"format": {"type": name, "rate": 8000}})}
    found = refusal(wrong)
    assert (found.code, found.param) == ("unknown_parameter", "session.audio.output.format.rate")


def test_pcm_is_at_24000_samples_a_second() -> None:
    session = update(audio(input={"format": {"type": "audio/pcm"}}))
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    for rate, code in ((16000, "integer_below_min_value"), (48000, "integer_above_max_value")):
        wrong = {"type": "audio/pcm", "rate": rate}
        found = refusal({"type": "realtime", **audio(input={"format": wrong})})
        assert found.code == code
        assert str(rate) in found.message


@pytest.mark.parametrize(
    "change, code, param",
    [
        (None, "missing_required_parameter", "session"),
        ("x", "invalid_type", "session"),
        ({}, "missing_required_parameter", "session.type"),
        ({"type": "transcription"}, "invalid_value", "session.type"),
        ({"type": "realtime", "temperature": 0.8}, "unknown_parameter", "session.temperature"),
        ({"type": "realtime", "voice": "marin"}, "unknown_parameter", "session.voice"),
        ({"type": "realtime", "model": "another"}, "invalid_value", "session.model"),
        (
            {"type": "realtime", "output_modalities": ["audio", "text"]},
            "invalid_value",
            "session.output_modalities",
        ),
        ({"type": "realtime", "max_output_tokens": 0}, "integer_below_min_value", None),
        ({"type": "realtime", "max_output_tokens": True}, "invalid_type", None),
        ({"type": "realtime", "tool_choice": "always"}, "invalid_value", "session.tool_choice"),
        (
            {"type": "realtime", "tools": [{"type": "function", "function": {"name": "t"}}]},
            "unknown_parameter",
            "session.tools[0].function",
        ),
        (
            {"type": "realtime", "audio": {"output": {"speed": 2}}},
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        (
            {"type": "realtime", "audio": {"input": {"turn_detection": {"threshold": 0.5}}}},
            "missing_required_parameter",
            "session.audio.input.turn_detection.type",
        ),
        (
            {
                "type": "realtime",
                "audio": {"input": {"turn_detection": {"type": "semantic_vad", "threshold": 1}}},
            },
            "unknown_parameter",
            "session.audio.input.turn_detection.threshold",
        ),
    ],
)
def test_a_mistake_is_named_with_its_path(change: Any, code: str, param: str | None) -> None:
    found = refusal(change)
    assert found.code == code
    assert param is None or found.param == param


def test_the_whole_of_what_a_telephone_agent_sends_is_taken() -> None:
    tool = {"type": "function", "name": "t", "description": "d", "parameters": {"type": "object"}}
    session = update(
        {
            "model": "gpt-realtime-2.1",
            "output_modalities": ["audio"],
            "instructions": "You answer the phone.",
            "tools": [tool],
            "tool_choice": {"type": "function", "name": "t"},
            "parallel_tool_calls": True,
            "max_output_tokens": "inf",
            "reasoning": {"effort": "low"},
            "tracing": None,
            "truncation": {"type": "retention_ratio", "retention_ratio": 0.8},
            **audio(
                input={
                    "format": {"type": "audio/pcmu"},
                    "noise_reduction": {"type": "near_field"},
                    "transcription": {"model": "gpt-transcribe", "language": "en"},
                    "turn_detection": {"type": "server_vad", "idle_timeout_ms": 6000},
                },
                output={"format": {"type": "audio/pcmu"}, "voice": {"id": "voice_1"}, "speed": 1},
            ),
        }
    )
    assert session["tools"] == [tool]
    assert session["audio"]["input"]["transcription"]["language"] == "en"
    assert session["audio"]["output"]["voice"] == {"id": "voice_1"}
