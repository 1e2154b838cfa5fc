"""Options become a session.update that the official types accept; wrong ones are refused here."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from hookflash.core import model_options
from hookflash.core.model_options import ModelOptions
from hookflash.core.setup import HostedServer, ModelSetup, ToolSpec
from hookflash.errors import ConfigError
from hookflash.models.openai import messages
from hookflash.models.openai.options import (
    CAPABILITIES,
    DEFAULT_URL,
    RealtimeOptions,
    RetentionRatio,
    SemanticVad,
    ServerVad,
    is_loopback_url,
    options_for,
    realtime_url,
    session_config,
)

CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
SETUP = ModelSetup(instructions="You answer the phone.")


def config(setup: ModelSetup = SETUP, **options: Any) -> dict[str, Any]:
    """Return the session's configuration, once the official types have accepted it whole."""
    found = session_config(setup, RealtimeOptions(**options))
    official = CLIENT.validate_json(messages.encode(messages.SessionUpdate(found)))
    assert official.model_dump(exclude_unset=True)["session"] == found
    return found


def test_the_default_session_is_telephone_audio_both_ways_without_a_rate() -> None:
    assert config() == {
        "type": "realtime",
        "output_modalities": ["audio"],
        "instructions": "You answer the phone.",
        "audio": {
            "input": {
                "format": {"type": "audio/pcmu"},
                "turn_detection": {
                    "type": "server_vad",
                    "create_response": True,
                    "interrupt_response": False,
                },
                "transcription": {"model": "gpt-transcribe"},
            },
            "output": {"format": {"type": "audio/pcmu"}, "voice": "marin"},
        },
        "tools": [],
        "tool_choice": "auto",
    }


def test_everything_that_can_be_set_is_sent() -> None:
    found = config(
        ModelSetup(
            instructions="",
            voice="voice_abc",
            language="en-GB",
            tools=(ToolSpec(name="look_up", description="Look.", parameters={"type": "object"}),),
        ),
        speed=1.2,
        turn_detection=ServerVad(
            threshold=0.7,
            prefix_padding_ms=200,
            silence_duration_ms=400,
            idle_timeout_ms=8000,
            create_response=False,
            interrupt_response=True,
        ),
        noise_reduction="far_field",
        transcription_prompt="An order line.",
        transcription_keywords=("Acme",),
        max_output_tokens=1000,
        truncation=RetentionRatio(retention_ratio=0.8, post_instructions_tokens=8000),
        reasoning_effort="low",
        parallel_tool_calls=False,
    )
    assert found["instructions"] == ""
    assert found["audio"] == {
        "input": {
            "format": {"type": "audio/pcmu"},
            "noise_reduction": {"type": "far_field"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.7,
                "prefix_padding_ms": 200,
                "silence_duration_ms": 400,
                "idle_timeout_ms": 8000,
                "create_response": False,
                "interrupt_response": True,
            },
            "transcription": {
                "model": "gpt-transcribe",
                "language": "en",
                "prompt": "An order line.",
                "keywords": ["Acme"],
            },
        },
        "output": {"format": {"type": "audio/pcmu"}, "voice": {"id": "voice_abc"}, "speed": 1.2},
    }
    assert found["tools"] == [
        {
            "type": "function",
            "name": "look_up",
            "description": "Look.",
            "parameters": {"type": "object"},
        }
    ]
    assert found["reasoning"] == {"effort": "low"}
    assert found["parallel_tool_calls"] is False
    assert found["max_output_tokens"] == 1000
    assert found["truncation"] == {
        "type": "retention_ratio",
        "retention_ratio": 0.8,
        "token_limits": {"post_instructions": 8000},
    }


def test_semantic_endpointing() -> None:
    found = config(turn_detection=SemanticVad(eagerness="high"))
    assert found["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "high",
        "create_response": True,
        "interrupt_response": False,
    }


def test_truncation_and_tokens_by_name() -> None:
    found = config(truncation="disabled", max_output_tokens="inf")
    assert (found["truncation"], found["max_output_tokens"]) == ("disabled", "inf")
    kept = config(truncation=RetentionRatio(retention_ratio=0.5))["truncation"]
    assert kept == {"type": "retention_ratio", "retention_ratio": 0.5}


def test_the_callers_transcript_can_be_off_or_in_the_owners_language() -> None:
    assert config(transcription_model=None)["audio"]["input"]["transcription"] is None
    german = config(transcription_language="DE")["audio"]["input"]["transcription"]
    assert german["language"] == "de"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ServerVad(threshold=1.5), "threshold"),
        (lambda: ServerVad(prefix_padding_ms=-1), "prefix_padding_ms"),
        (lambda: ServerVad(silence_duration_ms=-1), "silence_duration_ms"),
        (lambda: ServerVad(idle_timeout_ms=100), "idle_timeout_ms"),
        (lambda: SemanticVad(eagerness="eager"), "eagerness"),  # type: ignore[arg-type]  # the point
        (lambda: RetentionRatio(retention_ratio=2), "retention_ratio"),
        (lambda: RetentionRatio(retention_ratio=1, post_instructions_tokens=0), "tokens"),
        (lambda: RealtimeOptions(model=""), "model"),
        (lambda: RealtimeOptions(voice=""), "voice"),
        (lambda: RealtimeOptions(speed=2), "speed"),
        (lambda: RealtimeOptions(max_output_tokens=0), "max_output_tokens"),
        (lambda: RealtimeOptions(backlog_seconds=-1), "backlog_seconds"),
        (lambda: RealtimeOptions(noise_reduction="off"), "noise_reduction"),  # type: ignore[arg-type]  # the point
        (lambda: RealtimeOptions(reasoning_effort="max"), "reasoning_effort"),  # type: ignore[arg-type]  # the point
        (lambda: RealtimeOptions(truncation="some"), "truncation"),  # type: ignore[arg-type]  # the point
    ],
)
def test_a_wrong_setting_is_named(make: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


def test_the_model_is_part_of_the_address() -> None:
    assert realtime_url(DEFAULT_URL, "gpt-realtime-2.1") == (
        "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1"
    )
    assert realtime_url("wss://proxy.example/rt?region=eu&model=old", "a b&c") == (
        "wss://proxy.example/rt?region=eu&model=a%20b%26c"
    )


@pytest.mark.parametrize(
    "url",
    ["ws://127.0.0.1:8765/v1/realtime", "ws://[::1]:8765/", "ws://localhost:1", "ws://127.9.9.9"],
)
def test_plain_ws_is_for_this_machine(url: str) -> None:
    assert realtime_url(url, "m").endswith("?model=m")
    assert is_loopback_url(url)
    assert not is_loopback_url(DEFAULT_URL)


@pytest.mark.parametrize(
    "url",
    [
        "ws://model.example/v1/realtime",
        "ws://127.0.0.1.example/",
        "https://api.openai.com/v1/realtime",
        "wss://",
        "wss://user:secret@model.example/",
        "wss://model.example/#here",
        "wss://model.example:port/",
        "wss://[::1/",
        "",
    ],
)
def test_a_wrong_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        realtime_url(url, "m")
    assert "secret" not in str(refused.value)


def test_what_the_model_can_do_is_data() -> None:
    assert CAPABILITIES.truncates
    assert CAPABILITIES.audio_formats == ("audio/pcmu",)
    assert CAPABILITIES.max_session_seconds == 3600


@pytest.mark.parametrize("vad", [ServerVad(idle_timeout_ms=6000, threshold=0.6), SemanticVad()])
def test_a_session_that_only_listens_answers_nothing_and_writes_down_all(
    vad: ServerVad | SemanticVad,
) -> None:
    setup = ModelSetup(instructions="Listen.", language="de", listens=True)
    heard = config(setup, turn_detection=vad, transcription_model=None)["audio"]["input"]
    assert heard["turn_detection"]["create_response"] is False
    assert "idle_timeout_ms" not in heard["turn_detection"]
    assert heard["turn_detection"].get("threshold") == getattr(vad, "threshold", None)
    assert heard["transcription"] == {"model": "gpt-transcribe", "language": "de"}
    own = config(setup, transcription_model="whisper-1")["audio"]["input"]
    assert own["transcription"]["model"] == "whisper-1"
    assert vad.create_response is True, "the owner's own option stays"


def test_a_server_that_the_models_service_calls_is_a_tool_of_the_session() -> None:
    servers = (
        HostedServer(label="orders", url="https://a.example", allowed_tools=("order_status",)),
        HostedServer(label="stock", url="https://b.example", headers={"X-Key": "k"}),
    )
    assert config(ModelSetup(instructions="Hello.", hosted=servers))["tools"] == [
        {
            "type": "mcp",
            "server_label": "orders",
            "server_url": "https://a.example",
            "allowed_tools": ["order_status"],
            "require_approval": "never",
        },
        {
            "type": "mcp",
            "server_label": "stock",
            "server_url": "https://b.example",
            "headers": {"X-Key": "k"},
            "require_approval": "never",
        },
    ]


def test_an_agents_own_options_take_the_place_of_the_lines() -> None:
    own = ModelOptions(
        model="gpt-realtime-mini",
        turn_detection=model_options.ServerVad(silence_ms=800),
        noise_reduction="off",
        transcription="whisper-1",
        speed=1.2,
        max_output_tokens=900,
    )
    line = RealtimeOptions(turn_detection=ServerVad(threshold=0.7), noise_reduction="near_field")
    found = options_for(ModelSetup(instructions="x", own=own), line)
    assert found.model == "gpt-realtime-mini"
    assert found.turn_detection == ServerVad(threshold=0.7, silence_duration_ms=800)
    session = session_config(ModelSetup(instructions="x", own=own), found)
    assert session["max_output_tokens"] == 900
    assert session["audio"]["output"]["speed"] == 1.2
    assert "noise_reduction" not in session["audio"]["input"]
    assert session["audio"]["input"]["transcription"] == {"model": "whisper-1"}


def test_without_options_of_its_own_an_agent_has_the_lines() -> None:
    line = RealtimeOptions(speed=0.9)
    assert options_for(ModelSetup(instructions="x"), line) is line


@pytest.mark.parametrize("line", [ServerVad(threshold=0.7), SemanticVad(eagerness="high")])
def test_turns_may_be_found_by_another_means_than_the_lines(line: ServerVad | SemanticVad) -> None:
    options = RealtimeOptions(turn_detection=line)
    by_meaning = ModelOptions(turn_detection=model_options.SemanticVad(eagerness="low"))
    found = options_for(ModelSetup(instructions="x", own=by_meaning), options)
    assert found.turn_detection == SemanticVad(eagerness="low")
    by_silence = ModelOptions(turn_detection=model_options.ServerVad())
    found = options_for(ModelSetup(instructions="x", own=by_silence), options)
    assert isinstance(found.turn_detection, ServerVad)


def test_an_agent_may_have_no_transcription() -> None:
    off = ModelSetup(instructions="x", own=ModelOptions(transcription="off"))
    session = session_config(off, options_for(off, RealtimeOptions()))
    assert session["audio"]["input"]["transcription"] is None
