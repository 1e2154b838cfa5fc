"""Speech to text: Whisper with CTranslate2, in int8, on one or two threads.

* The window is the speech and ten seconds of zeros. Whisper was trained on windows of 30 s and
  invents words near the end of a shorter window. With 8 s of zeros the error rate grows by a sixth,
  with 5 s almost fivefold. More zeros would only take time.
* Decoding is greedy. If it reaches its token limit, it was in a loop ("five five five five ...").
  It is then repeated with five beams and no repetition. Over 54 recordings, each started at four
  offsets, the word error rate was 3.3 % instead of 5.2 %.
* Decoding is repeated with five beams if the score is poor: on bad lines a tenth fewer words are
  wrong; on good lines it is rare. Always using five beams gives more errors on good lines.
* An utterance longer than 18 s is split at its quietest points and transcribed in pieces.
* Whisper invents words for silence and noise ("you", "thank you"). So the voice activity model must
  find speech in the audio, and Whisper must not report `no_speech` with a poor score. The number of
  tokens is limited to what a person can say in that time.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from hookflash_local.model.speech.pcm import (
    PHONE_RATE,
    Floats,
    mulaw_to_pcm16,
    resample,
    to_floats,
)
from hookflash_local.model.speech.vad import FRAME, RATE, SileroModel

with warnings.catch_warnings():
    # ctranslate2 imports pkg_resources, which warns that it is deprecated.
    warnings.simplefilter("ignore")
    import ctranslate2
    import tokenizers
    from faster_whisper.feature_extractor import FeatureExtractor
    from faster_whisper.tokenizer import Tokenizer

TAIL_SECONDS: Final = 10
_LONGEST_SECONDS = 18
_EARLIEST_CUT_SECONDS = 10
_QUIET_WINDOW = RATE // 5

_SPEECH = 0.25
_LEAST_SPEECH_FRAMES = 3
_NO_SPEECH = 0.6
_POOR_SCORE = -1.0

_UNSURE_SCORE = -0.4
_BEAMS = 5
_LOOP = 3
"""After a loop, no sequence of this many tokens may occur twice."""

_TOKENS_PER_SECOND = 8
_LEAST_TOKENS = 12

_NOT_SPOKEN = re.compile(r"\[[^\]]*\]|\([^)]*\)|[♪*]+")
"""Captions of sounds, such as `[Music]` and `(sighs)`."""


class WhisperTranscriber:
    """Speech to text (`Transcriber`). Slow: 0.1 to 0.3 s. Safe to use from several threads."""

    def __init__(self, directory: Path, silero: SileroModel, *, threads: int = 2) -> None:
        """Load the model in `directory`; it uses `threads` threads."""
        self._silero = silero
        self._model = ctranslate2.models.Whisper(
            str(directory),
            device="cpu",
            compute_type="int8",
            inter_threads=1,
            intra_threads=threads,
        )
        self._tokenizer = Tokenizer(
            tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json")),
            multilingual=self._model.is_multilingual,
            task="transcribe",
            language="en",
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        # The first run allocates memory; do it here, so that the first caller does not wait.
        self._hear(np.zeros(RATE, dtype=np.float32))

    def transcribe(self, audio: bytes) -> str:
        """Return the words in `audio` (mu-law at 8 kHz), or an empty text if there is no speech."""
        sound = to_floats(resample(mulaw_to_pcm16(audio), PHONE_RATE, RATE))
        if not self._holds_speech(sound):
            return ""
        return " ".join(filter(None, (self._hear(piece) for piece in pieces(sound))))

    def _holds_speech(self, sound: Floats) -> bool:
        padded = np.pad(sound, (0, -len(sound) % FRAME))
        spoken = [p >= _SPEECH for p in self._silero.detector().probabilities(padded)]
        return sum(spoken) >= _LEAST_SPEECH_FRAMES

    def _hear(self, sound: Floats) -> str:
        window = np.concatenate((sound, np.zeros(TAIL_SECONDS * RATE, dtype=np.float32)))
        mel = np.ascontiguousarray(self._features(window, padding=0)[None], dtype=np.float32)
        encoded = self._model.encode(ctranslate2.StorageView.from_array(mel))
        most_tokens = _LEAST_TOKENS + int(len(sound) / RATE * _TOKENS_PER_SECOND)
        result = self._decode(encoded, most_tokens)
        if len(result.sequences_ids[0]) >= most_tokens:
            result = self._decode(
                encoded, most_tokens, beam_size=_BEAMS, no_repeat_ngram_size=_LOOP
            )
        elif result.scores[0] < _UNSURE_SCORE:
            result = self._decode(encoded, most_tokens, beam_size=_BEAMS)
        if result.no_speech_prob > _NO_SPEECH and result.scores[0] < _POOR_SCORE:
            return ""
        text = _NOT_SPOKEN.sub(" ", self._tokenizer.decode(result.sequences_ids[0]))
        text = " ".join(text.split())
        return text if any(character.isalnum() for character in text) else ""

    def _decode(
        self, encoded: Any, most_tokens: int, *, beam_size: int = 1, no_repeat_ngram_size: int = 0
    ) -> Any:
        return self._model.generate(
            encoded,
            [self._prompt],
            beam_size=beam_size,
            no_repeat_ngram_size=no_repeat_ngram_size,
            # CTranslate2 reserves half of this for a prompt.
            max_length=2 * most_tokens,
            return_scores=True,
            return_no_speech_prob=True,
        )[0]


def pieces(sound: Floats) -> list[Floats]:
    """Split 16 kHz `sound` into pieces of at most 18 s, at the quietest 0.2 s after 10 s."""
    cut: list[Floats] = []
    while len(sound) > _LONGEST_SECONDS * RATE:
        reach = sound[_EARLIEST_CUT_SECONDS * RATE : _LONGEST_SECONDS * RATE]
        windows = reach[: len(reach) // _QUIET_WINDOW * _QUIET_WINDOW].reshape(-1, _QUIET_WINDOW)
        quietest = int(np.argmin(np.square(windows).mean(axis=1)))
        at = _EARLIEST_CUT_SECONDS * RATE + quietest * _QUIET_WINDOW + _QUIET_WINDOW // 2
        cut.append(sound[:at])
        sound = sound[at:]
    return [*cut, sound]
