"""The owner's options of the local speech, from environment variables:

HOOKFLASH_WHISPER_MODEL   a directory with a CTranslate2 Whisper model, instead of tiny.en
HOOKFLASH_PIPER_VOICE     a Piper voice (`.onnx`, its `.onnx.json` beside it), instead of joe
HOOKFLASH_LLM_URL         an OpenAI-compatible endpoint, such as http://127.0.0.1:11434/v1
HOOKFLASH_LLM_MODEL       the model's name there
HOOKFLASH_LLM_KEY         its API key, if it needs one
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from hookflash.errors import ConfigError


class SpeechOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options; None means the default, which ships in the packages."""

    whisper_model: Path | None = None
    piper_voice: Path | None = None
    llm_url: str | None = None
    llm_model: str | None = None
    llm_key: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> SpeechOptions:
        """Read the variables. Raises `ConfigError` for an invalid URL or a missing model name."""
        url = environment.get("HOOKFLASH_LLM_URL") or None
        model = environment.get("HOOKFLASH_LLM_MODEL") or None
        if url is not None and not url.startswith(("http://", "https://")):
            raise ConfigError(
                f"HOOKFLASH_LLM_URL: expected a URL such as http://127.0.0.1:11434/v1, got {url!r}"
            )
        if url is not None and model is None:
            raise ConfigError(
                "HOOKFLASH_LLM_URL is set but HOOKFLASH_LLM_MODEL is not: name the model to use"
            )
        return cls(
            whisper_model=_path(environment.get("HOOKFLASH_WHISPER_MODEL")),
            piper_voice=_path(environment.get("HOOKFLASH_PIPER_VOICE")),
            llm_url=url,
            llm_model=model,
            llm_key=environment.get("HOOKFLASH_LLM_KEY") or None,
        )

    def environment(self) -> dict[str, str]:
        """Return the options as environment variables for a process, without the defaults."""
        variables = {
            "HOOKFLASH_WHISPER_MODEL": self.whisper_model,
            "HOOKFLASH_PIPER_VOICE": self.piper_voice,
            "HOOKFLASH_LLM_URL": self.llm_url,
            "HOOKFLASH_LLM_MODEL": self.llm_model,
            "HOOKFLASH_LLM_KEY": self.llm_key,
        }
        return {name: str(value) for name, value in variables.items() if value is not None}


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None
