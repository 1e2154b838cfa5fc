"""Text to speech: Piper with the voice joe, sentence by sentence, as mu-law at 8 kHz.

Each sentence is synthesized separately, and a long first sentence is split at its first comma. So
the caller waits for a clause and not for a paragraph. Piper (espeak-ng) decides how numbers and
abbreviations are read.

`piper-tts` is GPL-3.0-or-later. It is loaded only here, in the stand-in model's own process, which
the rest of Hookflash reaches over a socket.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from piper import PiperVoice as Piper
from piper.config import PiperConfig

from hookflash_local.model.speech.pcm import (
    PHONE_RATE,
    StreamResampler,
    pcm16_to_mulaw,
    to_pcm16,
)
from hookflash_local.model.speech.sentences import opening, sentences

_PIECE_MS = 200
_PIECE_BYTES: Final = _PIECE_MS * PHONE_RATE // 1000
_PAUSE_BYTES: Final = 120 * PHONE_RATE // 1000
_SILENCE = b"\xff"
_PEAK = 0.7
"""Piper's output is normalised to full scale; a phone line needs headroom."""


class PiperVoice:
    """Text to speech (`Voice`). Slow: 0.07 s per second of speech. Safe from several threads."""

    def __init__(self, path: Path, *, threads: int = 2) -> None:
        """Load the voice at `path` and synthesize one sentence, which halves the first wait."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads would take CPU time from the process that plays the audio.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        config = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
        self._piper = Piper(
            config=PiperConfig.from_dict(config),
            session=onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            ),
        )
        for _ in self.speak("Hello, and welcome."):
            pass

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield `text` as mu-law in pieces of at most 200 ms, each as soon as it is ready."""
        for number, sentence in enumerate(sentences(text)):
            for clause in opening(sentence) if number == 0 else (sentence,):
                yield from self._say(clause)
            yield _SILENCE * _PAUSE_BYTES

    def _say(self, text: str) -> Iterator[bytes]:
        resampler = StreamResampler(self._piper.config.sample_rate, PHONE_RATE)
        for chunk in self._piper.synthesize(text):
            samples = to_pcm16(np.asarray(chunk.audio_float_array) * _PEAK)
            sound = pcm16_to_mulaw(np.concatenate((resampler.push(samples), resampler.flush())))
            for start in range(0, len(sound), _PIECE_BYTES):
                yield sound[start : start + _PIECE_BYTES]
