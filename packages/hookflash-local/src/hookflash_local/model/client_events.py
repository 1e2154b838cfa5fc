"""Validate the events of a client: one check for each type of event and item. No I/O.

Source: the GA client events of the Realtime API. `output_audio_buffer.clear` exists only with
WebRTC and SIP, so a WebSocket session refuses it like an unknown type.
"""

from __future__ import annotations

from typing import Any

from hookflash_local.model.session_config import SHARED_FIELDS, audio_format, voice
from hookflash_local.model.validation import (
    Check,
    Refusal,
    anything,
    each,
    mapping,
    nullable,
    one_of,
    record,
    tagged,
    text,
    whole,
)

_STATUS = one_of("completed", "incomplete", "in_progress")
_ITEM: dict[str, Check] = {
    "type": text,
    "id": text,
    "object": one_of("realtime.item"),
    "status": _STATUS,
}


def _message(content: dict[str, Check]) -> Check:
    fields = {**_ITEM, "role": text, "content": each(tagged(content))}
    return record(fields, required=("role", "content"))


_INPUT_TEXT = record({"type": text, "text": text}, required=("text",))

_created_message = tagged(
    {
        "system": _message({"input_text": _INPUT_TEXT}),
        "user": _message(
            {
                "input_text": _INPUT_TEXT,
                "input_audio": record(
                    {"type": text, "audio": text, "transcript": nullable(text)},
                    required=("audio",),
                ),
                "input_image": record(
                    {
                        "type": text,
                        "image_url": text,
                        "detail": one_of("auto", "low", "high"),
                    },
                    required=("image_url",),
                ),
            }
        ),
        # A client can create an assistant turn as text only; audio comes from the model.
        "assistant": _message({"output_text": _INPUT_TEXT}),
    },
    tag="role",
)

_ITEMS: dict[str, Check] = {
    "message": _created_message,
    "function_call": record(
        {**_ITEM, "call_id": text, "name": text, "arguments": text},
        required=("name", "arguments"),
    ),
    "function_call_output": record(
        {**_ITEM, "call_id": text, "output": text}, required=("call_id", "output")
    ),
}

_RESPONSE = record(
    {
        **SHARED_FIELDS,
        "conversation": one_of("auto", "none"),
        "input": each(
            tagged(
                {**_ITEMS, "item_reference": record({"type": text, "id": text}, required=("id",))}
            )
        ),
        "metadata": nullable(mapping),
        "audio": record({"output": record({"format": audio_format, "voice": voice})}),
    }
)

_EVENTS: dict[str, tuple[dict[str, Check], tuple[str, ...]]] = {
    "session.update": ({"session": anything}, ("session",)),
    "input_audio_buffer.append": ({"audio": text}, ("audio",)),
    "input_audio_buffer.commit": ({}, ()),
    "input_audio_buffer.clear": ({}, ()),
    "conversation.item.create": (
        {"item": tagged(_ITEMS), "previous_item_id": nullable(text)},
        ("item",),
    ),
    "conversation.item.retrieve": ({"item_id": text}, ("item_id",)),
    "conversation.item.truncate": (
        {
            "item_id": text,
            "content_index": whole(0, 0),
            "audio_end_ms": whole(0, 24 * 3_600_000),
        },
        ("item_id", "content_index", "audio_end_ms"),
    ),
    "conversation.item.delete": ({"item_id": text}, ("item_id",)),
    "response.create": ({"response": nullable(_RESPONSE)}, ()),
    "response.cancel": ({"response_id": nullable(text)}, ()),
}

_client_event = tagged(
    {
        kind: record({"type": text, "event_id": text, **fields}, required)
        for kind, (fields, required) in _EVENTS.items()
    }
)


def checked_event(event: Any) -> dict[str, Any]:
    """Return `event` if it is a valid client event; raise `Refusal` otherwise."""
    if not isinstance(event, dict):
        raise Refusal("invalid_event", "The event was not a JSON object.")
    checked: dict[str, Any] = _client_event(event, "")
    return checked
