"""A Realtime model that hears and speaks text: the local model without speech recognition.

It has the real protocol, turn detection and timing. A `DialogueManager` decides what it says: a
test (`scripted_dialogue.py`), the rules of the local receptionist, or a chat model.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from hookflash_local.carrier.media.sounds import is_sound
from hookflash_local.model.components import (
    CallTool,
    DialogueManager,
    DialogueRequest,
    Say,
    SpeechBegan,
    SpeechEnded,
    Transcriber,
    TurnDetector,
    Voice,
)
from hookflash_local.model.local_model import local_model
from hookflash_local.model.server import ModelServer
from hookflash_local.model.speech.endpointing import (
    FRAME_MS,
    Endpointer,
    Endpointing,
    SpeechStart,
)
from hookflash_local.testing.text_voice import TextVoice

_FRAME_BYTES = FRAME_MS * 8


class SoundTurnDetector:
    """A `TurnDetector` that takes any sound for speech."""

    def __init__(self, turn_detection: dict[str, Any]) -> None:
        self._endpointer = Endpointer(Endpointing.from_turn_detection(turn_detection))
        self._audio = bytearray()
        self._audio_from_ms = 0
        self._judged = 0
        """How many bytes of `_audio` were judged."""

    def feed(self, audio: bytes) -> list[SpeechBegan | SpeechEnded]:
        """Take mu-law of any length; return what it decided, in order."""
        self._audio += audio
        events: list[SpeechBegan | SpeechEnded] = []
        while self._judged + _FRAME_BYTES <= len(self._audio):
            frame = bytes(self._audio[self._judged : self._judged + _FRAME_BYTES])
            self._judged += _FRAME_BYTES
            decided = self._endpointer.take(float(is_sound(frame)))
            if isinstance(decided, SpeechStart):
                events.append(SpeechBegan(decided.start_ms))
            elif decided is not None:
                first = (decided.start_ms - self._audio_from_ms) * 8
                last = (decided.end_ms - self._audio_from_ms) * 8
                events.append(SpeechEnded(decided.end_ms, bytes(self._audio[first:last])))
        old = (self._endpointer.retain_from_ms - self._audio_from_ms) * 8
        if old > 0:
            del self._audio[:old]
            self._audio_from_ms += old // 8
            self._judged -= old
        return events


class TextComponents(msgspec.Struct, frozen=True):
    """The components of a model that hears and speaks text."""

    dialogue_manager: DialogueManager
    transcriber: Transcriber
    voice: Voice
    new_turn_detector: Callable[[dict[str, Any]], TurnDetector] = SoundTurnDetector


class OffClock:
    """A `DialogueManager` whose answers take no time of the call.

    It collects the whole answer of `inner` in an event loop of its own, with real sockets. So a
    chat model can be asked from a virtual clock, and its speed changes nothing in the call.
    """

    def __init__(self, inner: DialogueManager) -> None:
        self._inner = inner

    async def answer(self, request: DialogueRequest) -> AsyncIterator[Say | CallTool]:
        """Yield what `inner` answers."""

        async def collect() -> list[Say | CallTool]:
            return [act async for act in self._inner.answer(request)]

        loop = asyncio.get_running_loop()
        for act in await loop.run_in_executor(None, lambda: asyncio.run(collect())):
            yield act


@asynccontextmanager
async def text_model(dialogue: DialogueManager, voice: TextVoice) -> AsyncIterator[ModelServer]:
    """Serve sessions that `dialogue` answers: `async with text_model(...) as model: model.url`."""
    async with local_model(TextComponents(dialogue, voice, voice)) as server:
        yield server
