"""Sounds that say who spoke and what: each sentence is one byte of mu-law, repeated.

What a party heard is then read from the recording by counting bytes, to the millisecond. The bytes
are loud, so that voice activity is detected in them; agents, callers and humans have bytes of their
own. They are used in turn, so two sentences with the same byte are far apart in time.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache

SAMPLES_PER_MS = 8

_AGENTS = range(0x00, 0x5F)
_CALLERS = range(0x80, 0xA8)
_HUMANS = range(0xA8, 0xC8)

LOUD = bytes(1 if code < 0x5F or 0x80 <= code < 0xDF else 0 for code in range(256))
"""Translates mu-law to 1 where it is loud, as the stand-in carrier judges it."""


@dataclass(frozen=True)
class Sentence:
    """What was said: `byte` repeated for `ms`."""

    byte: int
    text: str
    ms: int

    @property
    def sound(self) -> bytes:
        return bytes([self.byte]) * (self.ms * SAMPLES_PER_MS)


class Voices:
    """Hands out the sounds of one simulation and knows what each of them says."""

    def __init__(self) -> None:
        self._agents = itertools.cycle(_AGENTS)
        self._callers = itertools.cycle(_CALLERS)
        self._humans = itertools.cycle(_HUMANS)
        self._texts: dict[int, str] = {}

    def agent(self, text: str, ms: int) -> Sentence:
        return self._say(next(self._agents), text, ms)

    def caller(self, text: str, ms: int) -> Sentence:
        return self._say(next(self._callers), text, ms)

    def human(self, text: str, ms: int) -> Sentence:
        return self._say(next(self._humans), text, ms)

    def understood(self, sound: bytes) -> str:
        """Return what a caller or human said in a piece of sound, as transcription would."""
        spoken = [
            (sound.count(byte), byte) for byte in set(sound) if byte in _CALLERS or byte in _HUMANS
        ]
        return self._texts.get(max(spoken)[1], "") if spoken else ""

    def _say(self, byte: int, text: str, ms: int) -> Sentence:
        self._texts[byte] = text
        return Sentence(byte, text, ms)


_RUN = 24
"""Samples of one byte in a row. Shorter runs are other sounds'."""


def heard_ms(sound: bytes, byte: int) -> float:
    """Return how many milliseconds of a sentence are in a sound."""
    shortest = bytes([byte]) * _RUN
    run = _runs(byte)
    samples = 0
    start = sound.find(shortest)
    while start >= 0:
        match = run.match(sound, start)
        assert match is not None
        samples += match.end() - start
        start = sound.find(shortest, match.end())
    return samples / SAMPLES_PER_MS


@cache
def _runs(byte: int) -> re.Pattern[bytes]:
    return re.compile(re.escape(bytes([byte])) + b"+")
