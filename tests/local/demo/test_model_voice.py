"""The carrier's voice, against the stand-in model: what it says, keeps, and does without one."""

from __future__ import annotations

import pytest

from hookflash_local.carrier.media.sounds import voice_pattern
from hookflash_local.demo.model_voice import ModelVoice
from hookflash_local.model.scripted import ScriptedModel

SAID = 'Ben says "hello", about order 4571.'


def voice(model: ScriptedModel) -> ModelVoice:
    return ModelVoice(model.url, api_key="any", model="any")


async def test_a_text_is_said_as_it_stands_and_kept() -> None:
    async with ScriptedModel() as model:
        speak = voice(model)
        model.on("response.create", [{"say": {"item": "one", "ms": 400, "byte": 7}}])
        assert await speak(SAID) == b"\x07" * 3200
        assert await speak(SAID) == b"\x07" * 3200
        asked = model.received.of("response.create")
        assert [each["response"]["instructions"] for each in asked] == [
            'Say exactly: "Ben says \\"hello\\", about order 4571."'
        ]


async def test_without_a_model_there_are_tones(caplog: pytest.LogCaptureFixture) -> None:
    async with ScriptedModel() as model:
        speak = voice(model)
    assert await speak("Hello.") == voice_pattern("Hello.")
    assert "<Say> plays tones" in caplog.text
