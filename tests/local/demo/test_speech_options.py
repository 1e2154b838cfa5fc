"""What the settings say about the local speech reaches the process that speaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash import ConfigError, Settings
from hookflash_local.demo.local_call import speech_options
from hookflash_local.model.speech import SpeechOptions

from ...settings_parts import settings_of


def test_without_settings_the_speech_is_that_of_the_packages() -> None:
    assert speech_options(Settings()) == SpeechOptions()


def test_each_setting_of_the_local_speech_is_handed_on() -> None:
    settings = settings_of(
        whisper_model="models/base.en",
        piper_voice="voices/amy.onnx",
        llm_url="http://127.0.0.1:11434/v1",
        llm_model="small",
        llm_key="secret",
    )
    assert speech_options(settings) == SpeechOptions(
        whisper_model=Path("models/base.en"),
        piper_voice=Path("voices/amy.onnx"),
        llm_url="http://127.0.0.1:11434/v1",
        llm_model="small",
        llm_key="secret",
    )


def test_settings_that_do_not_fit_are_told_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="HOOKFLASH_LLM_MODEL is not"):
        speech_options(settings_of(llm_url="http://127.0.0.1:11434/v1"))
