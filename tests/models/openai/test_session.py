"""The machine of one session, in sentences: messages in, events out; commands in, frames out."""

from __future__ import annotations

import base64
import json
import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from hookflash.core import commands, events
from hookflash.core.commands import Message
from hookflash.core.setup import ModelSetup, ToolSpec
from hookflash.errors import IllegalTransition
from hookflash.models.openai.options import RealtimeOptions
from hookflash.models.openai.session import Backlog, Ids, RealtimeSession, State

WIRE = Path(__file__).parents[2] / "wire" / "openai"
CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
PCMU = {"type": "audio/pcmu"}
SETUP = ModelSetup(
    instructions="You answer for Acme.",
    tools=(ToolSpec(name="look_up", description="Look up.", parameters={"type": "object"}),),
)


def wire(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def updated(heard: Any = PCMU, spoken: Any = PCMU) -> bytes:
    audio = {"input": {"format": heard}, "output": {"format": spoken}}
    return wire(type="session.updated", session={"id": "sess_1", "audio": audio})


def error(code: str | None, **fields: Any) -> bytes:
    return wire(type="error", error={"code": code, "type": "invalid_request_error", **fields})


def sent(session: RealtimeSession) -> list[dict[str, Any]]:
    frames = session.frames()
    for frame in frames:
        CLIENT.validate_json(frame)
    return [json.loads(frame) for frame in frames]


def configuring(setup: ModelSetup = SETUP, **options: Any) -> RealtimeSession:
    session = RealtimeSession(setup, RealtimeOptions(**options))
    session.opened()
    session.frames()
    return session


def ready(setup: ModelSetup = SETUP, **options: Any) -> RealtimeSession:
    session = configuring(setup, **options)
    assert session.receive(updated()) == [events.ModelReady("sess_1")]
    session.frames()
    return session


def play(session: RealtimeSession, name: str) -> list[Any]:
    found: list[Any] = []
    for line in (WIRE / name).read_bytes().splitlines():
        found += session.receive(line)
    return found


def audio(size: int) -> commands.SendCallerAudio:
    return commands.SendCallerAudio(base64.b64encode(b"\x7f" * size).decode(), size)


# --- opening ----------------------------------------------------------------------------------


def test_opening_sends_one_session_update_and_nothing_before_it() -> None:
    session = RealtimeSession(SETUP, RealtimeOptions())
    assert session.state is State.CONNECTING
    assert session.frames() == []
    session.opened()
    (update,) = sent(session)
    assert update["type"] == "session.update"
    assert update["session"]["audio"]["input"]["format"] == PCMU
    assert session.state is State.CONFIGURING


def test_opening_twice_is_a_mistake_of_ours() -> None:
    session = configuring()
    with pytest.raises(IllegalTransition):
        session.opened()


def test_opening_after_close_sends_nothing() -> None:
    session = RealtimeSession(SETUP, RealtimeOptions())
    session.close()
    session.opened()
    assert session.frames() == []
    assert session.state is State.CLOSING


def test_session_created_makes_nothing_ready_since_it_holds_the_servers_defaults() -> None:
    session = configuring()
    created = wire(type="session.created", session={"id": "sess_0"})
    assert session.receive(created) == []
    assert session.session_id == "sess_0"
    assert session.state is State.CONFIGURING


def test_session_updated_in_mu_law_makes_it_ready_once() -> None:
    session = configuring()
    assert session.receive(updated()) == [events.ModelReady("sess_1")]
    assert session.state is State.READY
    assert session.receive(updated()) == []


@pytest.mark.parametrize(
    ("heard", "spoken"),
    [
        ({"type": "audio/pcm", "rate": 24000}, {"type": "audio/pcm", "rate": 24000}),
        (PCMU, {"type": "audio/pcma"}),
        ({"type": "audio/pcm"}, PCMU),
        (None, PCMU),
        (PCMU, "pcm16"),
    ],
)
def test_a_session_that_does_not_speak_mu_law_is_not_bridged(heard: Any, spoken: Any) -> None:
    session = configuring()
    (lost,) = session.receive(updated(heard, spoken))
    assert isinstance(lost, events.ModelLost)
    assert lost.remedy == "none"
    assert "not bridged" in lost.reason
    assert session.state is State.CLOSING


def test_a_session_that_names_no_format_at_all_is_not_bridged() -> None:
    (lost,) = configuring().receive(wire(type="session.updated", session={"id": "s"}))
    assert isinstance(lost, events.ModelLost)
    assert "an unnamed format" in lost.reason


def test_a_session_that_changes_its_format_in_mid_call_is_given_up() -> None:
    (lost,) = ready().receive(updated({"type": "audio/pcm", "rate": 24000}))
    assert isinstance(lost, events.ModelLost)


def test_the_beta_shape_of_the_session_is_read_too() -> None:
    session = configuring()
    found = play(session, "beta_names.jsonl")
    assert found[0] == events.ModelReady("sess_beta")
    kinds = [type(event) for event in found]
    assert kinds.count(events.ModelAudio) == 2
    assert kinds[-1] is events.ResponseEnded
    assert "".join(e.text for e in found if isinstance(e, events.AgentTranscribed)) == (
        "Beta names are fine too."
    )


# --- before it is ready -----------------------------------------------------------------------


def test_history_then_commands_then_audio_are_sent_once_ready() -> None:
    history = (
        Message("system", "The caller was cut off."),
        Message("user", "Hello?"),
        Message("assistant", "Hello, this is Acme."),
    )
    session = RealtimeSession(
        ModelSetup(instructions="You answer.", history=history), RealtimeOptions()
    )
    session.carry_out(audio(160))
    session.carry_out(commands.RequestResponse("Greet the caller."))
    session.opened()
    session.carry_out(audio(160))
    session.carry_out(commands.AddMessage(Message("system", "Nobody is there.")))
    assert [frame["type"] for frame in sent(session)] == ["session.update"]
    session.receive(updated())
    frames = sent(session)
    assert [frame["type"] for frame in frames] == [
        *["conversation.item.create"] * 3,
        "response.create",
        "conversation.item.create",
        *["input_audio_buffer.append"] * 2,
    ]
    assert [frame["item"]["role"] for frame in frames[:3]] == ["system", "user", "assistant"]
    assert [frame["item"]["content"][0]["type"] for frame in frames[:3]] == [
        "input_text",
        "input_text",
        "output_text",
    ]
    assert session.frames() == []


def test_of_the_callers_audio_the_newest_seconds_are_kept() -> None:
    session = configuring(backlog_seconds=0.1)
    pieces = [
        commands.SendCallerAudio(base64.b64encode(bytes([n]) * 160).decode(), 160)
        for n in range(20)
    ]
    for piece in pieces:
        session.carry_out(piece)
    session.receive(updated())
    assert [frame["audio"] for frame in sent(session)] == [p.payload for p in pieces[-5:]]


def test_a_backlog_without_room_keeps_commands_but_no_audio() -> None:
    backlog = Backlog(0)
    backlog.add(audio(160))
    backlog.add(commands.DeleteItem("item_1"))
    assert backlog.drain() == [commands.DeleteItem("item_1")]
    assert backlog.drain() == []


# --- commands ---------------------------------------------------------------------------------


def test_each_command_becomes_its_client_event() -> None:
    session = ready()
    for command in (
        audio(160),
        commands.CancelResponse("resp_1"),
        commands.TruncateItem("item_1", 820),
        commands.DeleteItem("item_2"),
        commands.AddMessage(Message("user", "I pressed 0.")),
        commands.SendToolOutput("call_1", "nine o'clock"),
    ):
        session.carry_out(command)
    assert sent(session) == [
        {"type": "input_audio_buffer.append", "audio": audio(160).payload},
        {"type": "response.cancel", "response_id": "resp_1"},
        {
            "type": "conversation.item.truncate",
            "item_id": "item_1",
            "content_index": 0,
            "audio_end_ms": 820,
        },
        {"type": "conversation.item.delete", "item_id": "item_2"},
        {
            "type": "conversation.item.create",
            "item": {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "I pressed 0."}],
            },
        },
        {
            "type": "conversation.item.create",
            "item": {
                "type": "function_call_output",
                "call_id": "call_1",
                "output": "nine o'clock",
            },
        },
    ]


@pytest.mark.parametrize(
    ("command", "response"),
    [
        (commands.RequestResponse(), {}),
        (commands.RequestResponse(tools="none"), {"tool_choice": "none"}),
        (commands.RequestResponse(tools="required"), {"tool_choice": "required"}),
        (
            commands.RequestResponse(tools="transfer_to_human"),
            {"tool_choice": {"type": "function", "name": "transfer_to_human"}},
        ),
        (
            commands.RequestResponse("Say goodbye."),
            {"instructions": "You answer for Acme.\n\nSay goodbye."},
        ),
    ],
)
def test_what_a_response_is_asked_for(
    command: commands.RequestResponse, response: dict[str, Any]
) -> None:
    session = ready()
    session.carry_out(command)
    assert sent(session) == [{"type": "response.create", "response": response}]


def test_added_instructions_stand_alone_when_the_agent_has_none() -> None:
    session = ready(ModelSetup(instructions=""))
    session.carry_out(commands.RequestResponse("Say hello."))
    assert sent(session)[0]["response"] == {"instructions": "Say hello."}


def test_a_command_for_somebody_else_is_a_mistake_of_ours() -> None:
    with pytest.raises(IllegalTransition):
        ready().carry_out(commands.ClearAudio())


def test_after_close_commands_are_dropped() -> None:
    session = ready()
    session.close()
    session.carry_out(audio(160))
    assert session.frames() == []


# --- a turn -----------------------------------------------------------------------------------


def test_a_spoken_turn() -> None:
    session = configuring()
    found = play(session, "spoken_turn.jsonl")
    pieces = [event for event in found if isinstance(event, events.ModelAudio)]
    assert found == [
        events.ModelReady("sess_CcSqH"),
        events.CallerSpeechStarted("item_u1"),
        events.CallerSpeechStopped("item_u1"),
        events.ResponseStarted("resp_1"),
        events.AgentTranscribed("item_a1", "We open a"),
        pieces[0],
        pieces[1],
        events.AgentTranscribed("item_a1", "t nine o'clock. Größe?"),
        events.ModelAudioEnded("resp_1", "item_a1"),
        events.CallerTranscribed("item_u1", "When do you open?"),
        events.ResponseEnded("resp_1", "completed"),
    ]
    for piece in pieces:
        assert (piece.response_id, piece.item_id) == ("resp_1", "item_a1")
        assert piece.size == len(base64.b64decode(piece.payload)) == 400


@pytest.mark.parametrize("delta", ["", "AAA", "AAAAA", "äöüß"])
def test_audio_that_is_no_base64_is_dropped(delta: str) -> None:
    line = wire(type="response.output_audio.delta", item_id="i", response_id="r", delta=delta)
    assert ready().receive(line) == []


def test_responses_outside_the_conversation_are_not_heard() -> None:
    found = play(ready(), "out_of_band.jsonl")
    assert {getattr(event, "response_id", "resp_6") for event in found} == {"resp_6"}
    assert {getattr(event, "item_id", "item_a6") for event in found} == {"item_a6"}
    assert [type(event) for event in found].count(events.ModelAudio) == 2
    assert found[-1] == events.ResponseEnded("resp_6", "completed")


def test_a_response_outside_the_conversation_is_known_by_its_end_alone() -> None:
    line = wire(type="response.done", response={"id": "r", "conversation_id": None})
    assert ready().receive(line) == []


def test_a_failed_transcription_is_recorded() -> None:
    line = wire(
        type="conversation.item.input_audio_transcription.failed",
        item_id="item_u1",
        content_index=0,
        error={"code": "audio_unintelligible", "message": "Not understood."},
    )
    assert ready().receive(line) == [
        events.ModelRefused("transcription_failed:audio_unintelligible", "Not understood.", True)
    ]


def test_a_failed_transcription_without_a_reason_is_recorded() -> None:
    line = wire(type="conversation.item.input_audio_transcription.failed", item_id="i", error={})
    (refused,) = ready().receive(line)
    assert isinstance(refused, events.ModelRefused)
    assert refused.benign
    assert refused.message


def test_how_responses_end() -> None:
    assert [e for e in play(ready(), "endings.jsonl") if isinstance(e, events.ResponseEnded)] == [
        events.ResponseEnded("resp_3", "cancelled", "client_cancelled"),
        events.ResponseEnded("resp_4", "failed", "insufficient_quota"),
        events.ResponseEnded("resp_5", "incomplete", "content_filter"),
    ]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"id": "r"}, ("completed", "")),
        ({"id": "r", "status": "in_progress"}, ("failed", "in_progress")),
        ({"id": "r", "status": "melted"}, ("failed", "melted")),
        (
            {"id": "r", "status": "failed", "status_details": {"error": {"message": "oh"}}},
            ("failed", "oh"),
        ),
        (
            {"id": "r", "status": "failed", "status_details": {"error": {"type": "server_error"}}},
            ("failed", "server_error"),
        ),
    ],
)
def test_a_response_always_ends_in_a_status_of_ours(
    response: dict[str, Any], expected: tuple[str, str]
) -> None:
    line = wire(type="response.done", response=response)
    assert ready().receive(line) == [events.ResponseEnded("r", *expected)]  # type: ignore[arg-type]  # parametrised


# --- tools ------------------------------------------------------------------------------------


def test_tool_calls_come_once_and_before_the_end_of_their_response() -> None:
    found = play(ready(), "tool_calls.jsonl")
    arguments = '{"destination":"billing","reason":"refund"}'
    assert found == [
        events.ResponseStarted("resp_2"),
        events.ToolCallRequested("call_9", "transfer_to_human", arguments, "resp_2"),
        events.ToolCallRequested("call_10", "look_up_order", "{}", "resp_2"),
        events.ResponseEnded("resp_2", "completed"),
    ]


def test_an_interrupted_tool_call_is_never_made() -> None:
    found = play(ready(), "endings.jsonl")
    assert not [event for event in found if isinstance(event, events.ToolCallRequested)]


def test_a_tool_call_without_a_status_counts_when_its_response_is_complete() -> None:
    session = ready()
    item = {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": ""}
    assert session.receive(wire(type="response.output_item.done", response_id="r", item=item)) == []
    cut = wire(type="response.done", response={"id": "q", "status": "cancelled", "output": [item]})
    assert session.receive(cut) == [events.ResponseEnded("q", "cancelled")]
    whole = wire(
        type="response.done", response={"id": "r", "status": "completed", "output": [item]}
    )
    assert session.receive(whole) == [
        events.ToolCallRequested("c", "look_up", "{}", "r"),
        events.ResponseEnded("r", "completed"),
    ]


@pytest.mark.parametrize("missing", ["call_id", "name"])
def test_a_tool_call_that_cannot_be_answered_is_passed_over(missing: str) -> None:
    item = {"type": "function_call", "status": "completed", "call_id": "c", "name": "n"}
    item[missing] = ""
    line = wire(type="response.output_item.done", response_id="r", item=item)
    assert ready().receive(line) == []


def test_ids_are_remembered_up_to_a_bound() -> None:
    ids = Ids()
    assert ids.add("first")
    assert not ids.add("first")
    for number in range(256):
        assert ids.add(str(number))
    assert "255" in ids
    assert "first" not in ids


# --- errors -----------------------------------------------------------------------------------


def test_errors_of_a_session_at_work_by_the_table() -> None:
    found = []
    for line in (WIRE / "errors.jsonl").read_bytes().splitlines():
        (event,) = ready().receive(line)
        found.append(event)
    assert all(isinstance(e, events.ModelRefused) and e.benign for e in found[:6])
    assert all(isinstance(e, events.ModelRefused) and not e.benign for e in found[6:10])
    assert [e.code for e in found[6:10]] == [
        "rate_limit_exceeded",
        "insufficient_quota",
        "server_error",
        "unknown_parameter",
    ]
    assert [(type(e), e.remedy) for e in found[10:]] == [
        (events.ModelLost, "rotate"),
        *[(events.ModelLost, "none")] * 4,
    ]


@pytest.mark.parametrize(
    ("line", "remedy", "words"),
    [
        (
            error("unknown_parameter", param="session.audio.input.format.rate", message="Unknown"),
            "none",
            "session.audio.input.format.rate",
        ),
        (error("integer_below_min_value", message="too low"), "none", "rejected"),
        (error("invalid_api_key"), "none", "OPENAI_API_KEY"),
        (error("insufficient_quota"), "none", "credit"),
        (error("rate_limit_exceeded"), "rotate", "rate_limit_exceeded"),
        (error("session_expired"), "rotate", "session_expired"),
        (error(None, type="server_error"), "rotate", "server_error"),
    ],
)
def test_an_error_while_configuring_means_that_this_session_is_not_used(
    line: bytes, remedy: str, words: str
) -> None:
    session = configuring()
    (lost,) = session.receive(line)
    assert isinstance(lost, events.ModelLost)
    assert lost.remedy == remedy
    assert words in lost.reason
    assert session.receive(updated()) == []


# --- the end ----------------------------------------------------------------------------------


def test_nothing_comes_after_model_lost() -> None:
    session = ready()
    (lost,) = session.receive(error("session_expired"))
    assert lost == events.ModelLost("session_expired: ", "rotate")
    assert play(session, "spoken_turn.jsonl") == []
    assert session.disconnected(1001, "going away") == []
    assert session.state is State.CLOSED


def test_a_lost_socket_is_reported_once() -> None:
    session = ready()
    (lost,) = session.disconnected()
    assert isinstance(lost, events.ModelLost)
    assert lost.remedy == "rotate"
    assert session.disconnected() == []
    assert session.lost(events.ModelLost("again")) == []
    session.close()
    assert session.state is State.CLOSED
    assert session.receive(updated()) == []


def test_after_close_the_end_of_the_socket_is_no_news() -> None:
    session = ready()
    session.close()
    assert session.disconnected(1000) == []
    assert session.state is State.CLOSED


# --- logging and garbage ----------------------------------------------------------------------


def test_chosen_types_are_logged_both_ways_and_never_a_payload(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chosen = frozenset({"session.updated", "response.output_audio.delta", "response.create"})
    with caplog.at_level(logging.INFO, "hookflash.model"):
        session = configuring(log_event_types=chosen)
        play(session, "spoken_turn.jsonl")
        session.carry_out(commands.RequestResponse())
    assert [record.getMessage() for record in caplog.records] == [
        "sess_CcSqH < session.updated",
        "sess_CcSqH < response.output_audio.delta",
        "sess_CcSqH < response.output_audio.delta",
        "sess_CcSqH > response.create",
    ]


def test_unknown_and_unreadable_messages_are_logged_once_each(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = ready()
    with caplog.at_level(logging.INFO, "hookflash.model"):
        for _ in range(3):
            assert session.receive(wire(type="response.telepathy", secret="x")) == []
            assert session.receive(b'{"type":"error","error":"secret"}') == []
    first, second = (record.getMessage() for record in caplog.records)
    assert "response.telepathy" in first
    assert "error" in second
    assert "secret" not in first + second


WIRE_LINES = [line for file in sorted(WIRE.iterdir()) for line in file.read_bytes().splitlines()]
KEYS = ["session", "response", "item", "error", "delta", "item_id", "audio", "output", "status"]


def spoil(line: bytes, random: Random) -> bytes:
    """Return a message that is nearly right: bytes changed, cut, or fields given other values."""
    way = random.randrange(4)
    if way == 0:
        place = random.randrange(len(line))
        return line[:place] + random.randbytes(random.randrange(1, 4)) + line[place + 1 :]
    if way == 1:
        return line[: random.randrange(len(line))]
    message = json.loads(line)
    inner = [value for value in message.values() if isinstance(value, dict)]
    target = random.choice([message, *inner])
    key = random.choice(KEYS if way == 2 else sorted(target))
    target[key] = random.choice([None, 7, -1.5, True, "", "\U0001f4de", [], [None], {}, {"id": 3}])
    return json.dumps(message).encode()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(min_value=0), st.lists(st.binary(max_size=40), max_size=8))
def test_ten_thousand_pieces_of_garbage_crash_nothing(seed: int, noise: list[bytes]) -> None:
    random = Random(seed)
    batch = [spoil(random.choice(WIRE_LINES), random) for _ in range(200)] + noise
    session = random.choice([ready, configuring])()
    ends = 0
    for data in batch:
        found = session.receive(data)
        assert all(isinstance(event, events.Event) for event in found)
        session.carry_out(commands.TruncateItem("item_1", 20))
        if session.state is State.CLOSING:
            # A spoiled message may well say that the session is over: go on with another.
            assert session.disconnected() == []
            session = ready()
            ends += 1
    assert ends < len(batch)
    sent(session)
    assert [type(event) for event in session.disconnected()] == [events.ModelLost]
