"""The machine of one session at work: turns, tools, errors, the end, garbage."""

from __future__ import annotations

import base64
import json
import logging
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookflash.core import commands, events
from hookflash.core.token_usage import Tokens
from hookflash.models.openai.session import SeenIds, SessionState

from .session_parts import (
    WIRE,
    configuring,
    error,
    play,
    ready,
    sent,
    updated,
    wire,
)

TOKENS = Tokens(text_read=55, text_cached=64, sound_read=13, text_written=30, sound_written=91)

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
        events.TokensUsed(TOKENS),
        events.ResponseEnded("resp_1", "completed"),
    ]
    for piece in pieces:
        assert (piece.response_id, piece.item_id) == ("resp_1", "item_a1")
        assert piece.size == len(base64.b64decode(piece.payload)) == 400


@pytest.mark.parametrize(
    ("delta", "padded", "size"), [("AAA", "AAA=", 2), ("AAAAAA", "AAAAAA==", 4)]
)
def test_audio_without_padding_is_padded_for_the_carrier(
    delta: str, padded: str, size: int
) -> None:
    line = wire(type="response.output_audio.delta", item_id="i", response_id="r", delta=delta)
    assert ready().receive(line) == [events.ModelAudio("r", "i", padded, size)]


@pytest.mark.parametrize("delta", ["", "AA=", "AAAAA", "AA=A==", "äöüß"])
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
    response = {"id": "r", "conversation_id": None, "metadata": {"topic": "summary"}}
    line = wire(type="response.done", response=response)
    assert ready().receive(line) == []


def test_what_a_response_outside_the_conversation_took_counts_too() -> None:
    usage = {"input_token_details": {"text_tokens": 7}}
    metadata = {"topic": "summary"}
    response = {"id": "r", "conversation_id": None, "usage": usage, "metadata": metadata}
    line = wire(type="response.done", response=response)
    assert ready().receive(line) == [events.TokensUsed(Tokens(text_read=7))]


@pytest.mark.parametrize("metadata", [None, {}, {"request": "r7"}])
def test_a_proxy_that_names_no_conversation_is_heard(metadata: dict[str, str] | None) -> None:
    session = ready()
    response = {"id": "r", "conversation_id": None, "metadata": metadata}
    (started,) = session.receive(wire(type="response.created", response=response))
    assert started == events.ResponseStarted("r", (metadata or {}).get("request", ""))
    delta = wire(type="response.output_audio.delta", item_id="i", response_id="r", delta="AAAA")
    assert session.receive(delta) == [events.ModelAudio("r", "i", "AAAA", 3)]
    failed = {"error": {"type": "server_error", "code": 503, "message": "no capacity"}}
    response |= {"status": "failed", "status_details": failed}
    ended = wire(type="response.done", response=response)
    assert session.receive(ended) == [events.ResponseEnded("r", "failed", "503: no capacity")]


def test_a_rate_limit_that_a_proxy_writes_as_a_number_is_waited_for() -> None:
    error = {"code": 429, "message": "Rate limit reached. Please try again in 1.5s."}
    response = {"id": "r", "status": "failed", "status_details": {"error": error}}
    (ended,) = ready().receive(wire(type="response.done", response=response))
    assert isinstance(ended, events.ResponseEnded)
    assert ended.retry_seconds == 1.5


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


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Rate limit reached for gpt-realtime. Please try again in 7.5s.", 7.5),
        ("Please Try Again In 20 s. Visit the page about limits.", 20.0),
        ("Please try again in 640ms.", 0.64),
        ("Try again in 640 MS.", 0.64),
        ("Please try again in a moment.", 0.0),
        (None, 0.0),
    ],
)
def test_a_model_at_its_limit_says_how_long_it_is_to_be_left_alone(
    text: str | None, seconds: float
) -> None:
    code = "rate_limit_exceeded"
    details = {"type": "failed", "error": {"code": code, "message": text}}
    line = wire(
        type="response.done", response={"id": "r", "status": "failed", "status_details": details}
    )
    assert ready().receive(line) == [events.ResponseEnded("r", "failed", code, seconds)]


# --- tools ------------------------------------------------------------------------------------


def test_tool_calls_come_once_and_before_the_end_of_their_response() -> None:
    found = play(ready(), "tool_calls.jsonl")
    assert found.pop(2) == events.TokensUsed(TOKENS)
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
    ids = SeenIds()
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
    assert session.state is SessionState.CLOSED


def test_a_lost_socket_is_reported_once() -> None:
    session = ready()
    (lost,) = session.disconnected()
    assert isinstance(lost, events.ModelLost)
    assert lost.remedy == "rotate"
    assert session.disconnected() == []
    assert session.lost(events.ModelLost("again")) == []
    session.close()
    assert session.state is SessionState.CLOSED
    assert session.receive(updated()) == []


def test_after_close_the_end_of_the_socket_is_no_news() -> None:
    session = ready()
    session.close()
    assert session.disconnected(1000) == []
    assert session.state is SessionState.CLOSED


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
            assert session.receive(b'{"type":"response.done","response":"secret"}') == []
    first, second = (record.getMessage() for record in caplog.records)
    assert "response.telepathy" in first
    assert "response.done" in second
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
        if session.state is SessionState.CLOSING:
            # A spoiled message may well say that the session is over: go on with another.
            assert session.disconnected() == []
            session = ready()
            ends += 1
    assert ends < len(batch)
    sent(session)
    assert [type(event) for event in session.disconnected()] == [events.ModelLost]
