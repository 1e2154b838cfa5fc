"""The session object: its defaults, the valid updates, and how they are merged. No I/O.

Rules of the Realtime API: an update is applied or refused as a whole. Only the given fields change.
`session.type` is required. The model is fixed when the socket opens. The voice is locked once the
model has spoken. `audio/pcmu` and `audio/pcma` have no `rate`; `audio/pcm` has 24,000 samples per
second.
"""

from __future__ import annotations

from typing import Any

from hookflash_local.model.validation import (
    Check,
    Refusal,
    anything,
    by_kind,
    each,
    flag,
    mapping,
    missing,
    nullable,
    number,
    one_of,
    record,
    tagged,
    text,
    whole,
)

SERVER_VAD: dict[str, Any] = {
    "type": "server_vad",
    "threshold": 0.5,
    "prefix_padding_ms": 300,
    "silence_duration_ms": 500,
    "idle_timeout_ms": None,
    "create_response": True,
    "interrupt_response": True,
}
SEMANTIC_VAD: dict[str, Any] = {
    "type": "semantic_vad",
    "eagerness": "auto",
    "create_response": True,
    "interrupt_response": True,
}
_VAD_DEFAULTS = {"server_vad": SERVER_VAD, "semantic_vad": SEMANTIC_VAD}

PCM_RATE = 24_000

audio_format = tagged(
    {
        "audio/pcmu": record({"type": text}),
        "audio/pcma": record({"type": text}),
        "audio/pcm": record({"type": text, "rate": whole(PCM_RATE, PCM_RATE)}),
    }
)

turn_detection = tagged(
    {
        "server_vad": record(
            {
                "type": text,
                "threshold": number(0, 1),
                "prefix_padding_ms": whole(0, 10_000),
                "silence_duration_ms": whole(0, 10_000),
                "idle_timeout_ms": nullable(whole(5_000, 30_000)),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
        "semantic_vad": record(
            {
                "type": text,
                "eagerness": one_of("auto", "low", "medium", "high"),
                "create_response": flag,
                "interrupt_response": flag,
            }
        ),
    }
)

_transcription = record(
    {
        "model": text,
        "language": text,
        "prompt": text,
        "keywords": each(text),
        "languages": each(text),
        "delay": one_of("minimal", "low", "medium", "high", "xhigh"),
    }
)

_mcp_tool = record(
    {
        "type": text,
        "server_label": text,
        "server_url": text,
        "connector_id": text,
        "tunnel_id": text,
        "authorization": text,
        "headers": nullable(mapping),
        "allowed_tools": anything,
        "require_approval": anything,
        "server_description": text,
        "defer_loading": flag,
        "allowed_callers": anything,
    },
    required=("server_label",),
)

tool = tagged(
    {
        "function": record(
            {"type": text, "name": text, "description": text, "parameters": mapping},
            required=("name",),
        ),
        "mcp": _mcp_tool,
    }
)

tool_choice = by_kind(
    {
        str: one_of("auto", "none", "required"),
        dict: tagged(
            {
                "function": record({"type": text, "name": text}, required=("name",)),
                "mcp": record(
                    {"type": text, "server_label": text, "name": nullable(text)},
                    required=("server_label",),
                ),
            }
        ),
    },
    "one of 'auto', 'none', 'required' or an object",
)

max_output_tokens = by_kind({int: whole(1, 4096), str: one_of("inf")}, "an integer or 'inf'")

voice = by_kind({str: text, dict: record({"id": text}, required=("id",))}, "a string or an object")


def output_modalities(value: Any, path: str) -> list[str]:
    """Check that the value is `["audio"]` or `["text"]`; the API does not offer both together."""
    names: list[str] = each(one_of("audio", "text"))(value, path)
    if len(names) != 1:
        raise Refusal(
            "invalid_value",
            f"Invalid value for '{path}': supported combinations are ['text'] and ['audio'].",
            path,
        )
    return names


_reasoning = record({"effort": one_of("minimal", "low", "medium", "high", "xhigh")})
_prompt = record({"id": text, "version": nullable(text), "variables": nullable(mapping)})

SHARED_FIELDS: dict[str, Check] = {
    "instructions": text,
    "output_modalities": output_modalities,
    "tools": each(tool),
    "tool_choice": tool_choice,
    "parallel_tool_calls": flag,
    "max_output_tokens": max_output_tokens,
    "prompt": nullable(_prompt),
    "reasoning": _reasoning,
}
"""Fields that a session and a single response have in common."""

_session = record(
    {
        **SHARED_FIELDS,
        "type": one_of("realtime"),
        "model": text,
        "include": nullable(each(one_of("item.input_audio_transcription.logprobs"))),
        "tracing": nullable(by_kind({str: one_of("auto"), dict: mapping}, "'auto' or an object")),
        "truncation": by_kind(
            {str: one_of("auto", "disabled"), dict: mapping},
            "'auto', 'disabled' or an object",
        ),
        "audio": record(
            {
                "input": record(
                    {
                        "format": audio_format,
                        "noise_reduction": nullable(
                            record(
                                {
                                    "type": one_of("near_field", "far_field"),
                                    "strength": number(0, 1),
                                }
                            )
                        ),
                        "transcription": nullable(_transcription),
                        "turn_detection": nullable(turn_detection),
                    }
                ),
                "output": record(
                    {"format": audio_format, "voice": voice, "speed": number(0.25, 1.5)}
                ),
            }
        ),
    },
    required=("type",),
)


def default_session(session_id: str, model: str, expires_at: int) -> dict[str, Any]:
    """Return the session object before any update. `expires_at` is seconds since 1970."""
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "output_modalities": ["audio"],
        "instructions": "You are a helpful assistant.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": expires_at,
        "include": None,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": PCM_RATE},
                "noise_reduction": None,
                "transcription": None,
                "turn_detection": dict(SERVER_VAD),
            },
            "output": {
                "format": {"type": "audio/pcm", "rate": PCM_RATE},
                "voice": "marin",
                "speed": 1.0,
            },
        },
    }


def updated_session(session: dict[str, Any], change: Any, *, voice_locked: bool) -> dict[str, Any]:
    """Return `session` with `change` merged in; neither is altered.

    Raises `Refusal` if any part of the change is invalid; the session then stays unchanged.
    """
    if change is None:
        raise missing("session")
    checked: dict[str, Any] = _session(change, "session")
    if checked.get("model", session["model"]) != session["model"]:
        raise Refusal("invalid_value", "The model of a session cannot be changed.", "session.model")
    merged = {**session, **checked}
    audio = checked.get("audio", {})
    merged["audio"] = {
        side: {**session["audio"][side], **audio.get(side, {})} for side in ("input", "output")
    }
    incoming, outgoing = merged["audio"]["input"], merged["audio"]["output"]
    check_voice(session, outgoing["voice"], "session.audio.output.voice", voice_locked)
    for side in (incoming, outgoing):
        if side["format"]["type"] == "audio/pcm":
            side["format"] = {"type": "audio/pcm", "rate": PCM_RATE}
    detection = incoming["turn_detection"]
    if detection is not None:
        current = session["audio"]["input"]["turn_detection"] or {}
        earlier = current if current.get("type") == detection["type"] else {}
        incoming["turn_detection"] = {**_VAD_DEFAULTS[detection["type"]], **earlier, **detection}
    return merged


def check_voice(session: dict[str, Any], wanted: Any, path: str, locked: bool) -> None:
    """Raise `Refusal` if the voice is `locked` and `wanted` is another voice."""
    if locked and wanted != session["audio"]["output"]["voice"]:
        raise Refusal(
            "cannot_update_voice",
            "Cannot update a conversation's voice if assistant audio is present.",
            path,
        )
