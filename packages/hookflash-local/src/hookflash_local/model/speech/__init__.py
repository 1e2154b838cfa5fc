"""The local speech of the stand-in model: ears, a transcriber, a mind and a voice, no account.

`build_parts` loads everything (2 to 3 s) and is called in the stand-in model's own process:
Piper is GPL-3.0-or-later, and 270 MB of models have no place beside live calls.
Importing this package alone loads nothing.

Measured behaviour, limits and how to use better weights: docs/local-speech.md.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from hookflash.errors import ConfigError
from hookflash_local.model.parts import Ears, Mind, Transcriber, Voice
from hookflash_local.model.speech.options import SpeechOptions

__all__ = ["LocalParts", "SpeechOptions", "build_parts"]

_NEEDED = ("numpy", "onnxruntime", "ctranslate2", "tokenizers", "faster_whisper", "piper")

Progress = Callable[[str, float], None]
"""Told what is being done and how much of all is done, from 0 to 1."""


class LocalParts(msgspec.Struct, frozen=True):
    """The parts, loaded. `new_ears` takes a session's `turn_detection` and serves one session.

    The other parts are shared by all sessions; `transcriber` and `voice` may be used from
    several threads at once.
    """

    new_ears: Callable[[dict[str, Any]], Ears]
    transcriber: Transcriber
    mind: Mind
    voice: Voice


def build_parts(progress: Progress, options: SpeechOptions | None = None) -> LocalParts:
    """Check and load the weights. Slow: call it off the event loop.

    `options` are read from the environment where none are given. Raises `ConfigError` when a
    package or a file is missing or was changed, with the command that mends it.
    """
    # Imported here so that naming the package costs nothing and needs no extra.
    from hookflash_local.model.speech import assets

    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"local speech needs {', '.join(missing)}, which is not installed: {assets.INSTALL}"
        )
    options = options or SpeechOptions.from_environment(os.environ)
    progress("checking the weights", 0.0)
    silero_path = assets.silero_model()
    whisper_path = assets.whisper_directory(options.whisper_model)
    piper_path = assets.piper_voice(options.piper_voice)

    progress("loading voice activity detection", 0.15)
    from hookflash_local.model.speech.vad import LocalEars, SileroModel

    silero = SileroModel(silero_path)
    progress("loading speech-to-text", 0.25)
    from hookflash_local.model.speech.stt import WhisperTranscriber

    with _explained(assets.WHISPER_SETTING, options.whisper_model, assets.WHISPER_EXPECTED):
        transcriber = WhisperTranscriber(whisper_path, silero)
    progress("loading the voice", 0.6)
    from hookflash_local.model.speech.tts import PiperVoice

    with _explained(assets.PIPER_SETTING, options.piper_voice, assets.PIPER_EXPECTED):
        voice = PiperVoice(piper_path)
    mind = _mind(options)
    progress("ready", 1.0)
    return LocalParts(
        new_ears=lambda turn_detection: LocalEars(silero, turn_detection),
        transcriber=transcriber,
        mind=mind,
        voice=voice,
    )


@contextmanager
def _explained(setting: str, chosen: Path | None, expected: str) -> Iterator[None]:
    """Turn whatever loading the `chosen` weights raises into the owner's error."""
    try:
        yield
    except Exception as error:
        # Weights of any origin are read here, by libraries that raise plain exceptions; ours were
        # checked, so that what goes wrong with them is no mistake of the owner's.
        if chosen is None:
            raise
        raise ConfigError(
            f"{setting}: {chosen} cannot be loaded: {type(error).__name__}: {error}; {expected}"
        ) from error


def _mind(options: SpeechOptions) -> Mind:
    if options.llm_url is not None and options.llm_model is not None:
        from hookflash_local.model.speech.chat import ChatMind

        return ChatMind(options.llm_url, options.llm_model, key=options.llm_key)
    from hookflash_local.model.speech.receptionist import Receptionist

    return Receptionist()
