"""The live model reads a text aloud, and is not believed when it says something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hookflash.errors import ModelError
from hookflash.models.openai.realtime_speech import RealtimeSpeech
from hookflash_local.model.scripted import ScriptedModel

TEXT = 'Un instant, s\'il vous plaît: "Anna".'


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


async def read(model: ScriptedModel, *steps: Any, text: str = TEXT, **options: Any) -> bytes:
    if steps:
        model.on("response.create", steps)
    reading = RealtimeSpeech(model.url, "gpt-realtime-2.1", key="key", **options)
    return await reading.render(text, "cedar", "fr")


async def test_a_text_is_read_in_the_agents_voice(model: ScriptedModel) -> None:
    said = {"item": "one", "ms": 700, "byte": 7, "text": TEXT.replace("'", "\u2019").upper()}
    assert await read(model, {"say": said}) == b"\x07" * 5600
    (order,) = model.received.of("response.create")
    assert order["response"] == {
        "conversation": "none",
        "instructions": 'Say exactly: "Un instant, s\'il vous plaît: \\"Anna\\"."',
    }
    (update,) = model.received.of("session.update")
    assert update["session"]["audio"]["output"] == {
        "format": {"type": "audio/pcmu"},
        "voice": "cedar",
    }
    assert model.refused == []


@pytest.mark.parametrize("said", ["", "Un moment, s'il vous plaît: Anna.", f"{TEXT} Voilà."])
async def test_a_reading_with_other_words_is_an_error(model: ScriptedModel, said: str) -> None:
    with pytest.raises(ModelError, match="read other words"):
        await read(model, {"say": {"item": "one", "ms": 700, "text": said}})


async def test_a_response_that_fails_is_an_error(model: ScriptedModel) -> None:
    model.faults.fail_response = "insufficient_quota"
    with pytest.raises(ModelError, match="expected a completed response, got 'failed'"):
        await read(model)


async def test_an_error_of_the_session_is_told(model: ScriptedModel) -> None:
    with pytest.raises(ModelError, match="refused to read a text: No more."):
        await read(model, {"error": {"code": "x", "message": "No more."}})


async def test_a_session_that_closes_or_is_refused_is_an_error(model: ScriptedModel) -> None:
    with pytest.raises(ModelError, match="closed the session"):
        await read(model, {"close": {"code": 1000, "reason": ""}})
    model.faults.refuse_upgrade = 429
    with pytest.raises(ModelError, match="could not read a text: InvalidStatus.*429"):
        await read(model)


async def test_a_frame_that_is_no_event_is_an_error(model: ScriptedModel) -> None:
    with pytest.raises(ModelError, match="could not read a text: DecodeError"):
        await read(model, {"send_text": "not JSON"})


async def test_a_minute_is_the_most(model: ScriptedModel) -> None:
    with pytest.raises(ModelError, match="at most a minute"):
        await read(model, {"say": {"item": "one", "ms": 61_000, "text": TEXT}})


async def test_a_model_that_says_nothing_is_given_up(model: ScriptedModel) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(ModelError, match="within 5 s"):
        await read(model, seconds=5.0)
    assert asyncio.get_running_loop().time() - began == pytest.approx(5.0)


def test_the_version_is_the_models() -> None:
    url = "ws://127.0.0.1:9/v1/realtime"
    versions = {RealtimeSpeech(url, model, key=None).version for model in ("a", "b")}
    assert len(versions) == 2
