from pathlib import Path

import pytest

from hookflash.errors import ConfigError
from hookflash_local.model.speech import SpeechOptions


def test_an_empty_environment_means_the_defaults():
    assert SpeechOptions.from_environment({"HOOKFLASH_LLM_URL": ""}) == SpeechOptions()


def test_each_variable_is_read():
    options = SpeechOptions.from_environment(
        {
            "HOOKFLASH_WHISPER_MODEL": "models/base.en",
            "HOOKFLASH_PIPER_VOICE": "voices/amy.onnx",
            "HOOKFLASH_LLM_URL": "http://127.0.0.1:11434/v1",
            "HOOKFLASH_LLM_MODEL": "small",
            "HOOKFLASH_LLM_KEY": "secret",
        }
    )
    assert options == SpeechOptions(
        whisper_model=Path("models/base.en"),
        piper_voice=Path("voices/amy.onnx"),
        llm_url="http://127.0.0.1:11434/v1",
        llm_model="small",
        llm_key="secret",
    )


def test_options_are_handed_on_as_the_variables_they_were_read_from():
    given = {"HOOKFLASH_WHISPER_MODEL": "models/base.en", "HOOKFLASH_LLM_KEY": "secret"}
    assert SpeechOptions.from_environment(given).environment() == given
    assert SpeechOptions().environment() == {}


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"HOOKFLASH_LLM_URL": "localhost:11434"}, "expected a URL"),
        ({"HOOKFLASH_LLM_URL": "http://127.0.0.1:11434/v1"}, "HOOKFLASH_LLM_MODEL is not"),
    ],
)
def test_what_does_not_fit_is_named(environment, text):
    with pytest.raises(ConfigError, match=text):
        SpeechOptions.from_environment(environment)
