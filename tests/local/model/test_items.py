"""What happens to the conversation's items, each rule as a sentence."""

from __future__ import annotations

import base64
from typing import Any

import pytest


def kinds(effects: list[Any]) -> list[str]:
    return [one["type"] if isinstance(one, dict) else type(one).__name__ for one in effects]


def sound(ms: int, byte: int = 1) -> str:
    return base64.b64encode(bytes([byte]) * ms * 8).decode()


def test_a_finished_item_is_truncated_and_loses_its_transcript(client: Any) -> None:
    client.speaks_pcmu()
    client.hears_response("said", 4000, "one two three four")
    (event,) = client.sends(
        "conversation.item.truncate", item_id="said", content_index=0, audio_end_ms=2000
    )
    assert event["type"] == "conversation.item.truncated"
    assert event["audio_end_ms"] == 2000
    entry = client.conversation.items.get("said")
    assert entry.audio_ms == 2000
    assert entry.item["content"] == [{"type": "output_audio"}]
    assert entry.turn({}).text == "one two"


def test_truncating_at_the_very_end_and_at_zero_is_allowed(client: Any) -> None:
    client.speaks_pcmu()
    client.hears_response("said", 1000, "all of it")
    for end_ms in (1000, 0, 0):
        events = client.sends(
            "conversation.item.truncate", item_id="said", content_index=0, audio_end_ms=end_ms
        )
        assert kinds(events) == ["conversation.item.truncated"]
    assert client.conversation.items.get("said").turn({}).text == ""


def test_truncating_beyond_what_was_generated_is_refused(client: Any) -> None:
    client.speaks_pcmu()
    client.hears_response("said", 3700)
    body = client.refusal(
        "conversation.item.truncate", item_id="said", content_index=0, audio_end_ms=3760
    )
    assert body["message"] == "Audio content of 3700ms is already shorter than 3760ms"
    assert body["code"] == "invalid_value"
    assert body["type"] == "invalid_request_error"
    assert client.conversation.items.get("said").audio_ms == 3700


def test_an_item_is_truncated_while_it_is_being_written(client: Any) -> None:
    client.speaks_pcmu()
    client.sends("response.create")
    response = client.conversation.active
    response.open_message("said")
    response.add_audio(b"\x01" * 8000)
    client.sends("conversation.item.truncate", item_id="said", content_index=0, audio_end_ms=600)
    assert kinds(client.took(response.add_audio(b"\x01" * 8000))) == ["response.output_audio.delta"]
    client.took(response.finish())
    assert client.conversation.items.get("said").audio_ms == 600


@pytest.mark.parametrize("what", ["unknown", "user", "silent"])
def test_only_sound_of_the_model_can_be_truncated(client: Any, what: str) -> None:
    client.speaks_pcmu()
    content = [{"type": "input_text", "text": "hi"}]
    client.sends(
        "conversation.item.create",
        item={"id": "user", "type": "message", "role": "user", "content": content},
    )
    client.sends("response.create")
    client.conversation.active.open_message("silent")
    body = client.refusal(
        "conversation.item.truncate", item_id=what, content_index=0, audio_end_ms=0
    )
    expected = {"unknown": "item_truncate_invalid_item_id"}.get(what, "unsupported_content_type")
    assert body["code"] == expected


def test_items_are_put_where_the_client_says(client: Any) -> None:
    def put(item_id: str, after: str | None) -> Any:
        content = [{"type": "input_text", "text": item_id}]
        item = {"id": item_id, "type": "message", "role": "user", "content": content}
        place = {} if after is None else {"previous_item_id": after}
        return client.sends("conversation.item.create", item=item, **place)

    added, done = put("b", None)
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert added["previous_item_id"] is None
    assert put("d", None)[0]["previous_item_id"] == "b"
    assert put("a", "root")[0]["previous_item_id"] is None
    assert put("c", "b")[0]["previous_item_id"] == "b"
    assert [entry.id for entry in client.conversation.items] == ["a", "b", "c", "d"]
    item = {"id": "e", "type": "message", "role": "user", "content": []}
    body = client.refusal("conversation.item.create", item=item, previous_item_id="nowhere")
    assert body["code"] == "item_create_invalid_previous_item_id"
    item["id"] = "a"
    body = client.refusal("conversation.item.create", item=item)
    assert body["code"] == "item_create_duplicate_item_id"


def test_a_deleted_item_is_forgotten(client: Any) -> None:
    client.speaks_pcmu()
    client.hears_response("said", 100, "forget this")
    (deleted,) = client.sends("conversation.item.delete", item_id="said")
    assert deleted["type"] == "conversation.item.deleted"
    body = client.refusal("conversation.item.delete", item_id="said")
    assert body["code"] == "item_delete_invalid_item_id"
    client.sends("response.create")
    assert client.conversation.active.request().conversation == []


def test_an_item_deleted_while_it_is_written_is_not_told_as_done(client: Any) -> None:
    client.sends("response.create")
    response = client.conversation.active
    response.open_message("going")
    client.sends("conversation.item.delete", item_id="going")
    assert "conversation.item.done" not in kinds(client.took(response.finish()))


def test_a_retrieved_item_comes_with_its_sound(client: Any) -> None:
    client.speaks_pcmu()
    client.hears_response("said", 100, "hi")
    (event,) = client.sends("conversation.item.retrieve", item_id="said")
    part = event["item"]["content"][0]
    assert base64.b64decode(part["audio"]) == b"\x01" * 800
    assert "audio" not in client.conversation.items.get("said").item["content"][0]
    body = client.refusal("conversation.item.retrieve", item_id="none")
    assert body["code"] == "item_retrieve_invalid_item_id"


def test_a_transcription_of_a_deleted_item_is_dropped(client: Any) -> None:
    assert client.conversation.transcribed("gone", "Hello.") == []


def test_a_callers_sound_may_be_an_item(client: Any) -> None:
    client.speaks_pcmu()
    part = {"type": "input_audio", "audio": sound(300)}
    item = {"type": "message", "role": "user", "content": [part]}
    effects = client.sends("conversation.item.create", item=item)
    assert kinds(effects)[-1] == "Transcribe"
    assert client.conversation.items.get(effects[-1].item_id).audio_ms == 300
    assert "audio" not in effects[0]["item"]["content"][0]
