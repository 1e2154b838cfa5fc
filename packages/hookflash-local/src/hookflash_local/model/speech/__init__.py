"""The local speech components of the stand-in model. They need no account.

`load_components` loads everything (2 to 3 s). Call it in the stand-in model's own process: Piper is
GPL-3.0-or-later, and 270 MB of models do not belong into the process of live calls. Importing this
package loads nothing.

docs/local-speech.md has measurements, limits and how to use better weights.
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
from hookflash_local.model.components import DialogueManager, Transcriber, TurnDetector, Voice
from hookflash_local.model.speech.speech_options import SpeechOptions

__all__ = ["LocalComponents", "SpeechOptions", "load_components"]

_NEEDED = {
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "ctranslate2": "ctranslate2",
    "tokenizers": "tokenizers",
    "faster_whisper": "faster-whisper",
    "piper": "piper-tts",
}
"""Module -> the distribution that has it."""

Progress = Callable[[str, float], None]
"""Gets the current step and the fraction done, from 0 to 1."""


class LocalComponents(msgspec.Struct, frozen=True):
    """The loaded components. `new_turn_detector` takes a session's `turn_detection` settings and
    returns a detector for that session.

    All sessions share the other components; `transcriber` and `voice` may be used from
    several threads at once.
    """

    new_turn_detector: Callable[[dict[str, Any]], TurnDetector]
    transcriber: Transcriber
    dialogue_manager: DialogueManager
    voice: Voice


def load_components(progress: Progress, options: SpeechOptions | None = None) -> LocalComponents:
    """Check and load the weights. Slow: call it outside the event loop.

    Without `options` they are read from the environment. Raises `ConfigError`, which names the
    remedy, if a package or file is missing or was changed.
    """
    # Imported here, so that importing this package loads nothing.
    from hookflash_local.model.speech import assets

    missing = [
        package for name, package in _NEEDED.items() if importlib.util.find_spec(name) is None
    ]
    if missing:
        wanted = [assets.requirement(package) for package in missing]
        raise ConfigError(
            f"local speech needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'}"
            " not installed:"
            f" pip install {' '.join(wanted)}"
        )
    options = options or SpeechOptions.from_environment(os.environ)
    progress("checking the weights", 0.0)
    silero_path = assets.silero_model()
    whisper_path = assets.whisper_directory(options.whisper_model)
    piper_path = assets.piper_voice(options.piper_voice)

    progress("loading voice activity detection", 0.15)
    from hookflash_local.model.speech.vad import LocalTurnDetector, SileroModel

    silero = SileroModel(silero_path)
    progress("loading speech-to-text", 0.25)
    from hookflash_local.model.speech.stt import WhisperTranscriber

    with _explained(assets.WHISPER_SETTING, options.whisper_model, assets.WHISPER_EXPECTED):
        transcriber = WhisperTranscriber(whisper_path, silero)
    progress("loading the voice", 0.6)
    from hookflash_local.model.speech.tts import PiperVoice

    with _explained(assets.PIPER_SETTING, options.piper_voice, assets.PIPER_EXPECTED):
        voice = PiperVoice(piper_path)
    dialogue_manager = _dialogue_manager(options)
    progress("ready", 1.0)
    return LocalComponents(
        new_turn_detector=lambda turn_detection: LocalTurnDetector(silero, turn_detection),
        transcriber=transcriber,
        dialogue_manager=dialogue_manager,
        voice=voice,
    )


@contextmanager
def _explained(setting: str, chosen: Path | None, expected: str) -> Iterator[None]:
    """Turn any error while loading the `chosen` weights into a `ConfigError`."""
    try:
        yield
    except Exception as error:
        # The libraries that read the weights raise plain exceptions. The packaged weights were
        # checked, so an error with them is not the owner's mistake.
        if chosen is None:
            raise
        raise ConfigError(
            f"{setting}: {chosen} cannot be loaded: {type(error).__name__}: {error}; {expected}"
        ) from error


def _dialogue_manager(options: SpeechOptions) -> DialogueManager:
    if options.llm_url is not None and options.llm_model is not None:
        from hookflash_local.model.speech.chat import ChatDialogueManager

        return ChatDialogueManager(options.llm_url, options.llm_model, key=options.llm_key)
    from hookflash_local.model.speech.receptionist import Receptionist

    return Receptionist()
