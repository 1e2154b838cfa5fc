"""The codec: captured-style messages in, values out; values in, documented client events out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import TypeAdapter

from hookflash.models.openai import messages

WIRE = Path(__file__).parents[2] / "wire" / "openai"
CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
SERVER: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def lines(name: str) -> list[bytes]:
    return (WIRE / name).read_bytes().splitlines()


def union_types() -> set[str]:
    union = get_args(RealtimeServerEvent)[0]
    return {get_args(kind.model_fields["type"].annotation)[0] for kind in get_args(union)}


def test_every_server_event_of_the_official_union_is_mapped_or_knowingly_ignored() -> None:
    documented = union_types()
    assert len(documented) >= 46
    assert documented <= messages.MAPPED | messages.IGNORED
    assert not messages.MAPPED & messages.IGNORED


def test_one_event_of_each_kind_is_accepted_by_the_official_types_and_read_by_ours() -> None:
    seen = set()
    for line in lines("one_of_each.jsonl"):
        kind = json.loads(line)["type"]
        assert SERVER.validate_json(line).type == kind
        message = messages.decode(line)
        assert messages.type_of(message) == kind
        assert isinstance(message, messages.Ignored) == (kind in messages.IGNORED)
        seen.add(kind)
    assert seen == union_types()


@pytest.mark.parametrize(
    "name",
    ["spoken_turn", "tool_calls", "endings", "out_of_band", "errors"],
)
def test_wire_files_are_what_the_official_types_accept(name: str) -> None:
    for line in lines(f"{name}.jsonl"):
        assert SERVER.validate_json(line).type == json.loads(line)["type"]
        assert not isinstance(messages.decode(line), messages.Malformed | messages.Unknown)


def test_audio_keeps_the_payload_as_the_text_it_came_as() -> None:
    message = messages.decode(
        b'{"type":"response.output_audio.delta","response_id":"r","item_id":"i","output_index":0,'
        b'"content_index":0,"delta":"//8="}'
    )
    assert message == messages.AudioDelta(delta="//8=", item_id="i", response_id="r")


@pytest.mark.parametrize("payload", ["", "//8=", "/35+fn7///9+fg=="])
def test_sound_is_written_by_hand_as_the_encoder_writes_it(payload: str) -> None:
    frame = messages.SOUND_HEAD + payload.encode() + messages.SOUND_END
    assert frame == messages.encode(messages.AudioAppend(payload))
    assert CLIENT.validate_json(frame).audio == payload


@pytest.mark.parametrize(
    ("beta", "expected"),
    [
        ("response.audio.delta", messages.AudioDelta),
        ("response.audio.done", messages.AudioDone),
        ("response.audio_transcript.delta", messages.TranscriptDelta),
    ],
)
def test_beta_names_are_read_like_the_names_of_today(beta: str, expected: type) -> None:
    line = json.dumps({"item_id": "i", "delta": "AAAA", "response_id": "r", "type": beta})
    message = messages.decode(line.encode())
    assert isinstance(message, expected)
    assert messages.type_of(message) == beta


def test_beta_item_events_are_known() -> None:
    kinds = [messages.decode(line) for line in lines("beta_names.jsonl")]
    assert not [m for m in kinds if isinstance(m, messages.Malformed | messages.Unknown)]


def test_a_type_we_have_never_heard_of_is_unknown_not_an_error() -> None:
    assert messages.decode(b'{"type":"response.telepathy","x":[1]}') == messages.Unknown(
        "response.telepathy"
    )


def test_a_known_type_with_wrong_fields_is_malformed_and_says_why() -> None:
    message = messages.decode(b'{"type":"response.created","response":{"id":7}}')
    assert isinstance(message, messages.Malformed)
    assert message.type == "response.created"
    assert "$.response.id" in message.reason


@pytest.mark.parametrize(
    ("error", "read"),
    [
        ({"code": 429, "message": "busy"}, messages.ErrorView(code="429", message="busy")),
        ({"code": 4.5, "type": 7, "param": ["x"]}, messages.ErrorView("7", "4.5", None, '["x"]')),
        (
            {"code": 1, "message": {"detail": "no"}},
            messages.ErrorView(None, "1", '{"detail":"no"}'),
        ),
        (
            {"code": None, "message": "busy", "param": 0},
            messages.ErrorView(None, None, "busy", "0"),
        ),
        ("busy", messages.ErrorView(message="busy")),
    ],
)
def test_an_error_that_is_not_made_of_texts_is_read(
    error: object, read: messages.ErrorView
) -> None:
    raised = json.dumps({"type": "error", "error": error}).encode()
    assert messages.decode(raised) == messages.ErrorRaised(read)
    response = {"id": "r", "status": "failed", "status_details": {"error": error}}
    done = messages.decode(json.dumps({"type": "response.done", "response": response}).encode())
    assert isinstance(done, messages.ResponseDone)
    assert done.response.status_details == messages.StatusDetails(error=read)


def test_items_of_a_response_whose_error_has_a_number_are_read() -> None:
    response = {
        "id": "r",
        "output": [{"type": "function_call", "call_id": None}],
        "status_details": {"error": {"code": 429}},
    }
    done = messages.decode(json.dumps({"type": "response.done", "response": response}).encode())
    assert isinstance(done, messages.ResponseDone)
    assert done.response.output == [messages.Item(type="function_call")]


def test_a_null_reads_like_a_missing_field() -> None:
    delta = {"type": "response.output_audio.delta", "delta": "AAAA", "item_id": "i"}
    odd = json.dumps(delta | {"response_id": None}).encode()
    assert messages.decode(odd) == messages.AudioDelta("AAAA", "i")
    item = {"type": "message", "status": None}
    done = {"type": "response.output_item.done", "response_id": None, "item": item}
    assert messages.decode(json.dumps(done).encode()) == messages.OutputItemDone(
        messages.Item(type="message")
    )
    nested = {"id": "r", "conversation_id": None, "output": [{"call_id": None}], "status": None}
    created = {
        "type": "response.created",
        "response": nested | {"status_details": {"reason": None}},
    }
    assert messages.decode(json.dumps(created).encode()) == messages.ResponseCreated(
        messages.Response(
            id="r",
            conversation_id=None,
            output=[messages.Item()],
            status_details=messages.StatusDetails(),
        )
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"7", b'"x"', b"{}", b'{"type":7}', b'{"type":"\xff"}', b"\x00\xff"],
)
def test_what_has_no_readable_type_is_malformed(data: bytes) -> None:
    message = messages.decode(data)
    assert isinstance(message, messages.Malformed)
    assert message.type == ""
    assert message.reason


def test_very_deep_nesting_is_malformed_and_does_not_exhaust_the_stack() -> None:
    depth = 200_000
    data = b'{"type":"error","error":' + b"[" * depth + b"]" * depth + b"}"
    assert isinstance(messages.decode(data), messages.Malformed)


def test_fields_that_nobody_reads_may_be_anything() -> None:
    line = b'{"type":"response.created","event_id":[],"response":{"id":"r","voice":1,"audio":3}}'
    assert messages.decode(line) == messages.ResponseCreated(messages.Response(id="r"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_decoded_to_something(data: bytes) -> None:
    assert messages.type_of(messages.decode(data)) is not None


@pytest.mark.parametrize(
    "message",
    [
        messages.SessionUpdate({"type": "realtime", "instructions": "Hi", "tools": []}),
        messages.AudioAppend("//8="),
        messages.ItemCreate(messages.message_item("system", "Be brief.")),
        messages.ItemCreate(messages.message_item("user", "Größe?")),
        messages.ItemCreate(messages.message_item("assistant", "Nine o'clock.")),
        messages.ItemCreate(messages.tool_output_item("call_1", '{"ok": true}')),
        messages.ItemTruncate("item_1", 820),
        messages.ItemDelete("item_1"),
        messages.ResponseCreate({}),
        messages.ResponseCreate({"instructions": "Say hello.", "tool_choice": "none"}),
        messages.ResponseCancel("resp_1"),
    ],
    ids=messages.type_of,
)
def test_client_events_validate_against_the_official_types(message: messages.ClientMessage) -> None:
    data = messages.encode(message)
    official = CLIENT.validate_json(data)
    assert official.type == messages.type_of(message)
    assert json.loads(data) == json.loads(official.model_dump_json(exclude_unset=True))


def test_a_payload_cannot_break_out_of_its_message() -> None:
    data = messages.encode(messages.AudioAppend('","type":"session.update'))
    assert json.loads(data) == {
        "type": "input_audio_buffer.append",
        "audio": '","type":"session.update',
    }
