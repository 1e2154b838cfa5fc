"""What a response is told as, each rule as a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.model.realtime_conversation import Respond


def kinds(effects: list[Any]) -> list[str]:
    return [one["type"] if isinstance(one, dict) else type(one).__name__ for one in effects]


SPOKEN_TURN = [
    "response.created",
    "rate_limits.updated",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


def test_a_response_has_its_events_in_the_order_of_the_reference(client: Any) -> None:
    client.speaks_pcmu()
    events = client.hears_response("said", 1000, "Hello there.")
    assert kinds(events) == SPOKEN_TURN
    done = events[-1]["response"]
    assert done["status"] == "completed"
    assert done["conversation_id"].startswith("conv_")
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello there."}]
    assert "audio" not in done["output"][0]["content"][0]
    assert done["usage"]["output_token_details"] == {"text_tokens": 3, "audio_tokens": 20}
    assert len({event["event_id"] for event in events}) == len(events)


def test_a_written_response_has_text_events(client: Any) -> None:
    client.sends("response.create", response={"output_modalities": ["text"]})
    response = client.conversation.active
    events = client.took(
        response.open_message("t") + response.add_transcript("Hi.") + response.finish()
    )
    assert kinds(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[-1]["response"]["output"][0]["content"] == [
        {"type": "output_text", "text": "Hi."}
    ]


def test_only_one_response_at_a_time_writes_into_the_conversation(client: Any) -> None:
    client.sends("response.create")
    active = client.conversation.active
    body = client.refusal("response.create", event_id="second")
    assert body["code"] == "conversation_already_has_active_response"
    assert active.id in body["message"]
    assert body["event_id"] == "second"


def test_an_out_of_band_response_runs_beside_and_leaves_no_item(client: Any) -> None:
    client.sends("response.create")
    first = client.conversation.active
    effects = client.sends(
        "response.create",
        response={
            "conversation": "none",
            "input": [],
            "metadata": {"for": "summary"},
            "output_modalities": ["text"],
        },
    )
    aside = client.conversation.responses[effects[-1].response_id]
    assert aside is not first and client.conversation.active is first
    events = client.took(aside.open_message() + aside.add_transcript("Summed up.") + aside.finish())
    assert not [kind for kind in kinds(events) if kind.startswith("conversation.")]
    assert events[-1]["response"]["conversation_id"] is None
    assert events[-1]["response"]["metadata"] == {"for": "summary"}
    assert client.conversation.items.last_id is None
    assert aside.request().conversation == []


def test_cancelling_nothing_is_refused_and_the_session_goes_on(client: Any) -> None:
    assert client.refusal("response.cancel")["code"] == "response_cancel_not_active"
    assert kinds(client.sends("response.create"))[0] == "response.created"
    assert (
        client.refusal("response.cancel", response_id="resp_of_yesterday")["code"]
        == "response_cancel_not_active"
    )


def test_cancelling_ends_the_response_at_once(client: Any) -> None:
    client.sends("response.create")
    response = client.conversation.active
    effects = client.sends("response.cancel", response_id=response.id)
    assert kinds(effects) == ["response.done", "StopResponse"]
    assert effects[0]["response"]["status_details"]["reason"] == "client_cancelled"
    late = response.open_message() + response.add_audio(b"\x01") + response.add_transcript("a")
    assert late + response.call_tool("t", "{}") + response.finish() == []


def test_a_tool_call_is_told_and_its_output_starts_nothing(client: Any) -> None:
    client.sends("response.create")
    response = client.conversation.active
    arguments = '{"order": "1234", "reason": "the parcel is late"}'
    response.open_message("before")
    events = client.took(response.call_tool("find_order", arguments, "call_1", "tool_item"))
    told = [kind for kind in kinds(events) if not kind.endswith("arguments.delta")]
    assert told[-5:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
    ]
    deltas = [one["delta"] for one in events if one["type"].endswith("arguments.delta")]
    assert "".join(deltas) == arguments
    assert events[-1]["output_index"] == 1
    assert events[-1]["item"]["status"] == "completed"
    assert events[-1]["item"]["arguments"] == arguments
    client.took(response.finish())
    effects = client.sends(
        "conversation.item.create",
        item={"type": "function_call_output", "call_id": "call_1", "output": "on its way"},
    )
    assert kinds(effects) == ["conversation.item.added", "conversation.item.done"]
    client.sends("response.create")
    call, output = client.conversation.active.request().conversation[-2:]
    assert (call.role, call.name, call.arguments) == ("tool_call", "find_order", arguments)
    assert (output.role, output.name, output.text) == ("tool_output", "find_order", "on its way")


def test_a_response_reads_its_own_instructions_tools_and_input(client: Any) -> None:
    tool = {"type": "function", "name": "t", "description": "d", "parameters": {}}
    client.sends(
        "session.update", session={"type": "realtime", "instructions": "base", "tools": [tool]}
    )
    content = [{"type": "input_text", "text": "referred"}]
    client.sends(
        "conversation.item.create",
        item={"id": "kept", "type": "message", "role": "user", "content": content},
    )
    own = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "own"}]}
    effects = client.took(
        client.conversation.receive(
            {
                "type": "response.create",
                "response": {
                    "instructions": "greet",
                    "input": [{"type": "item_reference", "id": "kept"}, own],
                    "tool_choice": {"type": "function", "name": "t"},
                },
            }
        )
    )
    assert isinstance(effects[-1], Respond)
    request = client.conversation.active.request()
    assert (request.instructions, request.added) == ("base", "greet")
    assert [turn.text for turn in request.conversation] == ["referred", "own"]
    assert request.tools == [tool]
    assert request.tool_choice == "t"


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ("Be brief.\n\nSay hello.", "Say hello."),
        ("Say hello.", "Say hello."),
        ("Be brief.", None),
        (None, None),
    ],
)
def test_what_a_client_repeats_of_the_session_is_not_added(
    client: Any, own: str | None, added: str | None
) -> None:
    client.sends("session.update", session={"type": "realtime", "instructions": "Be brief."})
    client.sends("response.create", response={"instructions": own} if own else {})
    request = client.conversation.active.request()
    assert (request.instructions, request.added) == ("Be brief.", added)


def test_a_response_counts_what_the_one_before_it_had_read_as_cached(client: Any) -> None:
    client.speaks_pcmu()
    first = client.hears_response("one", 1000, "Hello.")[-1]["response"]["usage"]
    second = client.hears_response("two", 1000, "Again.")[-1]["response"]["usage"]
    assert first["input_token_details"]["cached_tokens"] == 0
    assert second["input_tokens"] > first["input_tokens"]
    assert 0 < second["input_token_details"]["cached_tokens"] <= second["input_tokens"]
    assert second["total_tokens"] == second["input_tokens"] + second["output_tokens"]


def test_a_failed_response_says_why(client: Any) -> None:
    client.sends("response.create")
    error = {"type": "server_error", "code": "rate_limit_exceeded", "message": "Too much."}
    (done,) = client.took(client.conversation.active.finish("failed", error=error))
    assert done["response"]["status_details"] == {"type": "failed", "error": error}


def test_another_voice_for_one_response_is_refused_once_it_has_spoken(client: Any) -> None:
    client.speaks_pcmu()
    client.hears_response()
    asked = {"audio": {"output": {"voice": "cedar"}}}
    assert client.refusal("response.create", response=asked)["code"] == "cannot_update_voice"
