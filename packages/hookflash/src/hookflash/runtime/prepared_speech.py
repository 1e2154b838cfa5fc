"""Audio that a call can play without the live model: prepared lines and tones.

    find(line)           -> a rendered clip; the variants take turns
                         -> the tone, if no variant is rendered or rendering is off
    find("filler", tool) -> the same for a tool's own lines

`agents.prepared_lines` has the lines and their texts; `SpeechStore` has the rendered clips. The two
tones are computed here, so they are always available. No I/O.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from functools import cache
from typing import Final, Protocol

import msgspec

from hookflash.agents.prepared_lines import DEFAULT_LANGUAGE, SPOKEN, TONES, texts_of
from hookflash.g711 import RATE, encode
from hookflash.runtime.loudness import amplitude
from hookflash.runtime.valid_text import made_valid

TONE_MS: Final = 250
TONE_DBFS: Final = -30.0
RINGING_MS: Final = 1200
RINGING_DBFS: Final = -28.0

_TONE_HZ = (425.0,)
_RINGING_HZ = (440.0, 480.0)
"""The North American ringing tone: the two frequencies beat 40 times a second."""

_EDGE_MS = 40
"""How long a tone fades in and out. A shorter fade is audible as a click."""


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """Audio that is ready to play.

    `payload` is base64 of mu-law at 8 kHz, `size` its number of bytes, `text` what is said: "" for
    a tone.
    """

    payload: str
    size: int
    text: str

    @classmethod
    def of(cls, sound: bytes, text: str = "") -> Clip:
        """Return the clip of `sound` (mu-law, 8 kHz)."""
        return cls(payload=base64.b64encode(sound).decode("ascii"), size=len(sound), text=text)


class Sentence(msgspec.Struct, frozen=True):
    """A text to render, in one of the model's voices and in one language."""

    text: str
    voice: str
    language: str


class Clips(Protocol):
    """Finds rendered clips."""

    def clip(self, sentence: Sentence) -> Clip | None:
        """Return the clip of a sentence, or None while it is not rendered. Never waits."""
        ...


class Speaker(Protocol):
    """An agent, as far as prepared lines need it."""

    @property
    def voice(self) -> str | None: ...

    @property
    def language(self) -> str | None: ...

    @property
    def prepared(self) -> Mapping[str, tuple[str, ...]]: ...

    @property
    def tool_lines(self) -> Mapping[str, tuple[str, ...]]: ...


class PreparedSpeech:
    """The prepared lines of one agent, in its voice and language.

    Create one for each call, so that the variants of a line take turns within the call.
    """

    def __init__(
        self, sentences: Mapping[str, tuple[Sentence, ...]], clips: Clips | None = None
    ) -> None:
        self._sentences = sentences
        self._clips = clips
        self._next = dict.fromkeys(sentences, 0)

    @classmethod
    def of(cls, agent: Speaker, clips: Clips, *, voice: str) -> PreparedSpeech:
        """Return the lines of `agent`. `voice` is the model's, for an agent that sets none."""
        texts = {
            line: texts_of(line, language=agent.language, own=agent.prepared) for line in SPOKEN
        }
        for tool, own in agent.tool_lines.items():
            texts[_of_tool(tool)] = agent.language or DEFAULT_LANGUAGE, own
        sentences = {
            line: tuple(
                Sentence(made_valid(text), agent.voice or voice, language) for text in variants
            )
            for line, (language, variants) in texts.items()
        }
        return cls(sentences, clips)

    @classmethod
    def tones_only(cls) -> PreparedSpeech:
        """Return lines of which none is rendered: each plays the tone."""
        return cls({line: () for line in SPOKEN})

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """Return everything to render: the first variant of every line, then the second, and so
        on."""
        most = max(map(len, self._sentences.values()), default=0)
        return tuple(
            variants[number]
            for number in range(most)
            for variants in self._sentences.values()
            if number < len(variants)
        )

    def find(self, line: str, tool: str = "") -> Clip:
        """Return the clip to play for `line`, or for the own line of `tool`. Never waits.

        If the tool has no lines of its own any more, because the program has changed since the
        call began, `line` is used. Raises `ValueError` for an unknown line.
        """
        if tool and _of_tool(tool) in self._sentences:
            line = _of_tool(tool)
        if line == "ringing":
            return ringing()
        if line == "tone":
            return tone()
        if line not in self._sentences:
            known = ", ".join((*SPOKEN, *TONES))
            raise ValueError(f"there is no prepared line {line!r}; expected one of {known}")
        variants = self._sentences[line]
        for step in range(len(variants) if self._clips is not None else 0):
            number = (self._next[line] + step) % len(variants)
            clip = self._clips.clip(variants[number]) if self._clips is not None else None
            if clip is not None:
                self._next[line] = number + 1
                return clip
        return tone()


def _of_tool(tool: str) -> str:
    """Return the key of a tool's own lines. No prepared line has such a name."""
    return f"tool {tool}"


@cache
def tone() -> Clip:
    """Return a short quiet tone: 250 ms, about -30 dBFS."""
    return Clip.of(_sines(_TONE_HZ, TONE_MS, TONE_DBFS))


@cache
def ringing() -> Clip:
    """Return one soft ring of ringback: 1.2 s, about -28 dBFS."""
    return Clip.of(_sines(_RINGING_HZ, RINGING_MS, RINGING_DBFS))


def _sines(frequencies: tuple[float, ...], milliseconds: int, dbfs: float) -> bytes:
    """Return a sum of sines at a level, with half-cosine edges."""
    turns = [2 * math.pi * frequency / RATE for frequency in frequencies]
    # The mean square of n sines of one amplitude is n/2 of its square.
    each = amplitude(dbfs) / math.sqrt(len(turns) / 2)
    size = milliseconds * RATE // 1000
    edge = _EDGE_MS * RATE // 1000

    def sample(n: int) -> int:
        inside = min(1.0, n / edge, (size - 1 - n) / edge)
        return round(
            each * (1 - math.cos(math.pi * inside)) / 2 * sum(math.sin(t * n) for t in turns)
        )

    return encode(map(sample, range(size)))
