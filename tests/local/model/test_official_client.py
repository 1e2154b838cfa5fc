"""The official `openai` package holds conversations with the stand-in."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from openai import AsyncOpenAI
from openai.resources.realtime.realtime import AsyncRealtimeConnection

from hookflash_local.model.local_model import local_model
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.model.timing import Pace

PCMU: Any = {"type": "audio/pcmu"}
PCM: Any = {"type": "audio/pcm", "rate": 24000}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncRealtimeConnection]:
    base = url.removesuffix("/realtime")
    async with (
        AsyncOpenAI(
            api_key="any", base_url="http://127.0.0.1:9", websocket_base_url=base
        ) as client,
        client.realtime.connect(model="gpt-realtime-2.1") as connection,
    ):
        yield connection


async def until(connection: AsyncRealtimeConnection, *kinds: str) -> tuple[Any, list[Any]]:
    """Read on; return the event of one of these types, and all that came."""
    came = []
    async for event in connection:
        came.append(event)
        if event.type in kinds:
            return event, came
    raise AssertionError(f"closed before {kinds}")


def spoken(came: list[Any]) -> bytes:
    deltas = [event.delta for event in came if event.type == "response.output_audio.delta"]
    return b"".join(base64.b64decode(delta) for delta in deltas)


async def configure(connection: AsyncRealtimeConnection, audio_format: Any) -> Any:
    await connection.session.update(
        session={
            "type": "realtime",
            "instructions": "You answer the phone.",
            "audio": {
                "input": {"format": audio_format, "transcription": {"model": "gpt-transcribe"}},
                "output": {"format": audio_format, "voice": "cedar"},
            },
            "tools": [
                {
                    "type": "function",
                    "name": "find_order",
                    "description": "Find an order.",
                    "parameters": {"type": "object", "properties": {}},
                }
            ],
        }
    )
    updated, came = await until(connection, "session.updated")
    assert came[0].type == "session.created"
    return updated


async def test_it_talks_in_mu_law(components: Any) -> None:
    async with local_model(components) as model, connected(model.url) as connection:
        updated = await configure(connection, PCMU)
        assert updated.session.audio.output.format.type == "audio/pcmu"
        assert updated.session.audio.output.voice == "cedar"
        for byte in (3, 4, 0xFF, 0xFF, 0xFF):
            audio = base64.b64encode(bytes([byte]) * 800).decode()
            await connection.input_audio_buffer.append(audio=audio)
        done, came = await until(connection, "response.done")
        assert done.response.status == "completed"
        assert done.response.usage.output_tokens > 0
        assert spoken(came) == b"\x03" * 1600 + b"\x04" * 1600
        words = [one for one in came if one.type.endswith("transcription.completed")]
        assert [one.transcript for one in words] == ["w3 w4"]


async def test_it_talks_in_pcm_at_24000_samples_a_second(components: Any) -> None:
    class LoudnessEars(type(components.new_turn_detector({}))):  # type: ignore[misc] # a class of the fixture
        """Resampled silence rings a little at its edges: only what is loud is speech."""

        def feed(self, audio: bytes) -> Any:
            return super().feed(bytes(9 if byte & 0x7F < 0x50 else 0xFF for byte in audio))

    components.new_turn_detector = LoudnessEars
    async with local_model(components) as model, connected(model.url) as connection:
        await configure(connection, PCM)
        loud = np.full(12_000, 12_000, dtype="<i2").tobytes()
        for piece in (loud, bytes(24_000)):
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        done, came = await until(connection, "response.done")
        assert done.response.status == "completed"
        assert done.response.output[0].content[0].transcript == "w9"
        assert len(spoken(came)) == 1600 * 3 * 2


async def test_it_writes_and_asks_in_text(components: Any) -> None:
    async with local_model(components) as model, connected(model.url) as connection:
        await configure(connection, PCMU)
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "Good morning. Who is there"}],
            }
        )
        await connection.response.create(response={"output_modalities": ["text"]})
        done, came = await until(connection, "response.done")
        assert done.response.output[0].content[0].text == "Good morning Who is there"
        assert spoken(came) == b""
        await connection.response.create(response={"instructions": "hi you"})
        done, came = await until(connection, "response.done")
        assert spoken(came) == b"\x02" * 1600 + b"\x03" * 1600


async def test_it_calls_a_tool_and_hears_the_answer(components: Any) -> None:
    async with local_model(components) as model, connected(model.url) as connection:
        await configure(connection, PCMU)
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "tool find_order"}],
            }
        )
        await connection.response.create()
        called, _ = await until(connection, "response.function_call_arguments.done")
        assert (called.name, called.arguments) == ("find_order", '{"reason":"asked"}')
        await until(connection, "response.done")
        await connection.conversation.item.create(
            item={"type": "function_call_output", "call_id": called.call_id, "output": "two days"}
        )
        await connection.response.create()
        done, _ = await until(connection, "response.done")
        assert done.response.output[0].content[0].transcript == "two days"


async def test_it_cancels_truncates_deletes_and_retrieves(components: Any) -> None:
    slowly = Pace(factor=0.1)
    async with local_model(components, pace=slowly) as model, connected(model.url) as connection:
        await configure(connection, PCMU)
        await connection.response.create(response={"instructions": "one two three"})
        delta, _ = await until(connection, "response.output_audio.delta")
        await connection.response.cancel()
        done, _ = await until(connection, "response.done")
        assert done.response.status == "cancelled"
        item = connection.conversation.item
        await item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=40)
        truncated, _ = await until(connection, "conversation.item.truncated")
        assert truncated.audio_end_ms == 40
        await item.truncate(item_id=delta.item_id, content_index=0, audio_end_ms=4000)
        error, _ = await until(connection, "error")
        assert "already shorter than 4000ms" in error.error.message
        await item.retrieve(item_id=delta.item_id)
        retrieved, _ = await until(connection, "conversation.item.retrieved")
        assert base64.b64decode(retrieved.item.content[0].audio) == b"\x03" * 320
        await item.delete(item_id=delta.item_id)
        await until(connection, "conversation.item.deleted")
        await connection.input_audio_buffer.clear()
        await until(connection, "input_audio_buffer.cleared")
        await connection.input_audio_buffer.commit()
        error, _ = await until(connection, "error")
        assert error.error.code == "input_audio_buffer_commit_empty"


async def test_it_follows_a_script_too() -> None:
    script = [
        {"expect": "session.update"},
        {"expect": "response.create"},
        {"say": {"item": "greeting", "ms": 1000, "byte": 5, "rate": 10, "text": "Welcome."}},
        {"expect": {"type": "input_audio_buffer.append"}},
        {"hears": {"text": "Thank you.", "ms": 300}},
    ]
    async with ScriptedModel(script, speed=20) as model, connected(model.url) as connection:
        await configure(connection, PCMU)
        await connection.response.create()
        done, came = await until(connection, "response.done")
        assert done.response.output[0].id == "greeting"
        assert spoken(came) == b"\x05" * 8000
        await connection.input_audio_buffer.append(audio=base64.b64encode(b"\x01" * 160).decode())
        told, _ = await until(connection, "conversation.item.input_audio_transcription.completed")
        assert told.transcript == "Thank you."
        await model.finished()
        model.assert_met()


@pytest.mark.parametrize("header", ["realtime=v1"])
async def test_its_old_beta_header_is_told_off(components: Any, header: str) -> None:
    async with local_model(components) as model:
        base = model.url.removesuffix("/realtime")
        async with (
            AsyncOpenAI(api_key="any", websocket_base_url=base) as client,
            client.realtime.connect(model="m", extra_headers={"OpenAI-Beta": header}) as connection,
        ):
            event = await connection.recv()
            assert event.type == "error"
            assert event.error.code == "beta_api_shape_disabled"
