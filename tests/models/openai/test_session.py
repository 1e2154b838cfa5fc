"""The machine of one session, in sentences: opening, what waits for it, commands out."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from hookflash.core import commands, events
from hookflash.core.commands import Message
from hookflash.core.setup import ModelSetup
from hookflash.errors import IllegalTransition
from hookflash.models.openai.options import RealtimeOptions
from hookflash.models.openai.session import Backlog, RealtimeSession, SessionState

from .session_parts import (
    PCMU,
    SETUP,
    audio,
    configuring,
    play,
    ready,
    sent,
    updated,
    wire,
)

# --- opening ----------------------------------------------------------------------------------


def test_opening_sends_one_session_update_and_nothing_before_it() -> None:
    session = RealtimeSession(SETUP, RealtimeOptions())
    assert session.state is SessionState.CONNECTING
    assert session.frames() == []
    session.opened()
    (update,) = sent(session)
    assert update["type"] == "session.update"
    assert update["session"]["audio"]["input"]["format"] == PCMU
    assert session.state is SessionState.CONFIGURING


def test_opening_twice_is_a_mistake_of_ours() -> None:
    session = configuring()
    with pytest.raises(IllegalTransition):
        session.opened()


def test_opening_after_close_sends_nothing() -> None:
    session = RealtimeSession(SETUP, RealtimeOptions())
    session.close()
    session.opened()
    assert session.frames() == []
    assert session.state is SessionState.CLOSING


def test_session_created_makes_nothing_ready_since_it_holds_the_servers_defaults() -> None:
    session = configuring()
    created = wire(type="session.created", session={"id": "sess_0"})
    assert session.receive(created) == []
    assert session.session_id == "sess_0"
    assert session.state is SessionState.CONFIGURING


def test_session_updated_in_mu_law_makes_it_ready_once() -> None:
    session = configuring()
    assert session.receive(updated()) == [events.ModelReady("sess_1")]
    assert session.state is SessionState.READY
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
    assert session.state is SessionState.CLOSING


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


def test_sound_that_comes_before_the_session_is_ready_is_kept_for_it() -> None:
    session = configuring()
    assert not session.takes_sound
    session.carry_out(audio(160))
    session.receive(updated())
    assert [frame["audio"] for frame in sent(session)] == [audio(160).payload]


def test_only_a_session_that_is_ready_takes_sound_at_once() -> None:
    session = ready()
    assert session.takes_sound
    session.close()
    assert not session.takes_sound
    assert not ready(log_event_types=("input_audio_buffer.append",)).takes_sound


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
        commands.CommitCallerAudio(),
        commands.CancelResponse("resp_1"),
        commands.TruncateItem("item_1", 820),
        commands.DeleteItem("item_2"),
        commands.AddMessage(Message("user", "I pressed 0.")),
        commands.SendToolOutput("call_1", "nine o'clock"),
    ):
        session.carry_out(command)
    assert sent(session) == [
        {"type": "input_audio_buffer.append", "audio": audio(160).payload},
        {"type": "input_audio_buffer.commit"},
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


def test_a_request_carries_its_id_and_its_response_brings_it_back() -> None:
    session = ready()
    session.carry_out(commands.RequestResponse(request_id="request-1"))
    (request,) = sent(session)
    assert request == {
        "type": "response.create",
        "event_id": "request-1",
        "response": {"metadata": {"request": "request-1"}},
    }
    begun = wire(type="response.created", response={"id": "r1", **request["response"]})
    assert session.receive(begun) == [events.ResponseStarted("r1", "request-1")]


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


def test_a_server_that_the_models_service_cannot_use_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    session = ready()
    for kind in ("mcp_list_tools.in_progress", "mcp_list_tools.failed", "mcp_list_tools.failed"):
        assert session.receive(wire(type=kind, item_id="i1")) == []
    assert [line for line in caplog.messages if "agent.mcp(run_by='model')" in line] == [
        "! mcp_list_tools.failed: the model's service cannot use a server of"
        " agent.mcp(run_by='model'); check its URL, headers and allowed_tools"
    ]
