"""Detect turns with Silero voice activity detection, frame by frame.

The model (version 6, ONNX) takes 16 kHz in frames of 512 samples, each preceded by the last 64
samples of the frame before. It has two state vectors. Phone audio at 8 kHz is resampled.
`endpointing` interprets the probabilities; this file feeds it and keeps the audio.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime

from hookflash_local.model.components import SpeechBegan, SpeechEnded
from hookflash_local.model.speech.endpointing import Endpointer, Endpointing, SpeechStart
from hookflash_local.model.speech.pcm import (
    PHONE_RATE,
    Floats,
    StreamResampler,
    mulaw_to_pcm16,
    to_floats,
)

RATE: Final = 16_000
FRAME: Final = 512
_CONTEXT = 64
_BYTES_PER_MS = PHONE_RATE // 1000
_SURE = 0.7
"""The model's output that counts as probability 1. With 1.0, short answers on narrow lines ("No,
thank you") are missed. At half of this, a minute each of hiss, hum, tones and music gives no false
start."""


class SileroModel:
    """The model's weights, shared by all detectors; safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )

    def detector(self) -> Detector:
        """Return a detector for one audio stream."""
        return Detector(self._session)


class Detector:
    """Returns the speech probabilities of one stream of 16 kHz audio, frame by frame."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._context: Floats = np.zeros(_CONTEXT, dtype=np.float32)
        self._h: Floats = np.zeros((1, 1, 128), dtype=np.float32)
        self._c: Floats = np.zeros((1, 1, 128), dtype=np.float32)

    def probabilities(self, samples: Floats) -> list[float]:
        """Return one probability (0 to 1) per frame; `samples` are whole frames of 512 samples."""
        if not len(samples):
            return []
        heard = np.concatenate((self._context, samples))
        frames = np.lib.stride_tricks.sliding_window_view(heard, _CONTEXT + FRAME)[::FRAME]
        speech, self._h, self._c = self._session.run(
            None, {"input": np.ascontiguousarray(frames), "h": self._h, "c": self._c}
        )
        self._context = samples[-_CONTEXT:]
        return [float(probability) for probability in speech]


class LocalTurnDetector:
    """Detects the turns of one session (`TurnDetector`): mu-law in, utterances out."""

    def __init__(self, model: SileroModel, turn_detection: Mapping[str, Any] | None = None) -> None:
        self._detector = model.detector()
        self._endpointer = Endpointer(Endpointing.from_turn_detection(turn_detection))
        self._resampler = StreamResampler(PHONE_RATE, RATE)
        self._waiting: Floats = np.zeros(0, dtype=np.float32)
        self._audio = bytearray()
        self._audio_from_ms = 0

    def feed(self, audio: bytes) -> list[SpeechBegan | SpeechEnded]:
        """Take mu-law of any length; return the decisions in order.

        `SpeechBegan.at_ms` is the start and `SpeechEnded.at_ms` the end of the utterance's audio,
        so their difference is the length of `SpeechEnded.audio`.
        """
        self._audio += audio
        fresh = to_floats(self._resampler.push(mulaw_to_pcm16(audio)))
        heard = np.concatenate((self._waiting, fresh))
        whole = len(heard) // FRAME * FRAME
        self._waiting = heard[whole:]
        events: list[SpeechBegan | SpeechEnded] = []
        for probability in self._detector.probabilities(heard[:whole]):
            decided = self._endpointer.take(min(1.0, probability / _SURE))
            if decided is None:
                continue
            if isinstance(decided, SpeechStart):
                events.append(SpeechBegan(decided.start_ms))
            else:
                piece = self._cut(decided.start_ms, decided.end_ms)
                events.append(SpeechEnded(decided.end_ms, piece))
        self._forget(self._endpointer.retain_from_ms)
        return events

    def _cut(self, start_ms: int, end_ms: int) -> bytes:
        first = (start_ms - self._audio_from_ms) * _BYTES_PER_MS
        return bytes(self._audio[first : first + (end_ms - start_ms) * _BYTES_PER_MS])

    def _forget(self, before_ms: int) -> None:
        """Drop audio that no future utterance can contain, so that silence uses no memory."""
        if before_ms > self._audio_from_ms:
            del self._audio[: (before_ms - self._audio_from_ms) * _BYTES_PER_MS]
            self._audio_from_ms = before_ms
