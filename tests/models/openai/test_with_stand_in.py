"""Our reading of the protocol against the stand-in's: two of them, so that a mistake shows."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hookflash.core import commands, events
from hookflash.core.commands import Message
from hookflash.core.setup import ModelSetup, ToolSpec
from hookflash.models.openai import OpenAIConnector, RealtimeOptions, SemanticVad
from hookflash_local.model.scripted import ScriptedModel

SETUP = ModelSetup(
    instructions="You answer for Acme.",
    voice="cedar",
    language="en",
    tools=(
        ToolSpec(
            name="transfer_to_human",
            description="Bring a person onto the line.",
            parameters={"type": "object", "properties": {"destination": {"type": "string"}}},
        ),
    ),
    history=(Message("user", "Hello?"), Message("assistant", "Hello, this is Acme.")),
    safety_identifier="caller-7f3a",
)


class Line:
    """A link to a stand-in, and what it has delivered so far."""

    def __init__(self, connector: OpenAIConnector) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self.link = connector.open(SETUP, self._queue.put_nowait)

    async def until(self, kind: type[Any]) -> Any:
        while not isinstance(event := await asyncio.wait_for(self._queue.get(), 20), kind):
            pass
        return event


@contextlib.asynccontextmanager
async def line(model: ScriptedModel, **options: Any) -> AsyncIterator[Line]:
    connector = OpenAIConnector(model.url, options=RealtimeOptions(**options))
    try:
        yield Line(connector)
    finally:
        await connector.aclose()


async def test_a_greeting_that_is_interrupted_is_cut_where_it_was_heard() -> None:
    script: list[Any] = [
        {"expect": "response.create"},
        {"say": {"item": "greeting", "ms": 2000, "text": "Hello, how can I help?"}},
        {"hears": {"text": "I want a person", "ms": 800}},
    ]
    async with ScriptedModel(script, speed=50) as model, line(model) as call:
        sound = base64.b64encode(b"\x7f" * 160).decode()
        for _ in range(50):
            call.link.carry_out(commands.SendCallerAudio(sound, 160))
        call.link.carry_out(commands.RequestResponse("Greet the caller.", tools="none"))
        assert (await call.until(events.ModelReady)).session_id
        size = 0
        while size < 16_000:
            piece = await call.until(events.ModelAudio)
            assert piece.item_id == "greeting"
            size += piece.size
        assert size == 16_000
        await call.until(events.CallerSpeechStarted)
        call.link.carry_out(commands.TruncateItem("greeting", 820))
        await model.until("conversation.item.truncate")
        await call.until(events.CallerTranscribed)
        await model.finished()
        model.assert_met()
        assert model.truncations == [("greeting", 820)]
        assert model.refused == []
        assert len(model.caller_audio) == 8000
        created = await model.until("response.create")
        assert created["response"] == {
            "instructions": "You answer for Acme.\n\nGreet the caller.",
            "tool_choice": "none",
        }


async def test_a_tool_call_is_answered_and_the_answer_spoken() -> None:
    script = [
        {"expect": "response.create"},
        {"call_tool": {"name": "transfer_to_human", "arguments": {"destination": "billing"}}},
        {
            "expect": {
                "type": "conversation.item.create",
                "where": {"item": {"call_id": {"$any": True}}},
            }
        },
        {"expect": "response.create"},
        {"say": {"item": "farewell", "ms": 500}},
    ]
    options = {"turn_detection": SemanticVad(), "noise_reduction": "far_field"}
    async with ScriptedModel(script, speed=50) as model, line(model, **options) as call:
        call.link.carry_out(commands.RequestResponse(tools="transfer_to_human"))
        asked = await call.until(events.ToolCallRequested)
        assert asked.name == "transfer_to_human"
        assert "billing" in asked.arguments
        took = (await call.until(events.TokensUsed)).tokens
        assert took.text_read > 0 and took.text_written > 0
        ended = await call.until(events.ResponseEnded)
        assert ended == events.ResponseEnded(asked.response_id, "completed")
        call.link.carry_out(commands.SendToolOutput(asked.call_id, "It is ringing."))
        call.link.carry_out(commands.RequestResponse())
        assert (await call.until(events.ModelAudio)).item_id == "farewell"
        await call.until(events.ModelAudioEnded)
        await model.finished()
        model.assert_met()
        assert model.refused == []


async def test_what_the_model_refuses_as_a_race_is_benign() -> None:
    script = [{"expect": "response.create"}, {"say": {"item": "short", "ms": 500}}]
    async with ScriptedModel(script, speed=50) as model, line(model) as call:
        call.link.carry_out(commands.RequestResponse())
        ended = await call.until(events.ResponseEnded)
        call.link.carry_out(commands.CancelResponse(ended.response_id))
        assert (await call.until(events.ModelRefused)).benign
        call.link.carry_out(commands.TruncateItem("short", 9000))
        assert (await call.until(events.ModelRefused)).benign
        call.link.carry_out(commands.DeleteItem("short"))
        call.link.carry_out(commands.DeleteItem("short"))
        assert (await call.until(events.ModelRefused)).benign
        assert model.deletions == ["short"]


@pytest.mark.parametrize(
    ("steps", "remedy"),
    [
        ([{"error": {"code": "session_expired", "message": "60 minutes"}}], "rotate"),
        ([{"close": {"code": 1011, "reason": ""}}], "rotate"),
        ([{"close": {"code": 4000, "reason": ""}}], "none"),
        (["drop"], "rotate"),
    ],
)
async def test_the_end_of_a_session_says_what_to_do(steps: list[Any], remedy: str) -> None:
    script = [{"expect": "response.create"}, *steps]
    async with ScriptedModel(script, speed=50) as model, line(model) as call:
        call.link.carry_out(commands.RequestResponse())
        assert (await call.until(events.ModelLost)).remedy == remedy
