"""The official package's types as judges of every event, and components that need no speech."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from openai.types.realtime import RealtimeServerEvent
from openai.types.realtime.realtime_client_event import RealtimeClientEvent
from pydantic import TypeAdapter

from hookflash_local.model.components import (
    CallTool,
    DialogueRequest,
    Say,
    SpeechBegan,
    SpeechEnded,
)
from hookflash_local.model.items import Ids
from hookflash_local.model.realtime_conversation import Conversation

QUIET = 0xFF
SERVER_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
CLIENT_EVENTS: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)

Judge = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def server_event() -> Judge:
    """Return what accepts a server event only if the official types do, by its own type."""

    def judge(event: dict[str, Any]) -> dict[str, Any]:
        assert SERVER_EVENTS.validate_python(event).type == event["type"]
        assert event["event_id"]
        return event

    return judge


@pytest.fixture
def client_event() -> Judge:
    def judge(event: dict[str, Any]) -> dict[str, Any]:
        assert CLIENT_EVENTS.validate_python(event).type == event["type"]
        return event

    return judge


class Client:
    """A conversation as its client sees it: every event either way is judged."""

    def __init__(self, server_event: Judge, client_event: Judge) -> None:
        self.conversation = Conversation(Ids("t"), model="gpt-realtime-2.1", expires_at=1)
        self._server_event = server_event
        self._client_event = client_event

    def sends(self, kind: str, **fields: Any) -> list[Any]:
        """Send an event; return the effects, all events judged."""
        return self.took(self.conversation.receive(self._client_event({"type": kind, **fields})))

    def took(self, effects: list[Any]) -> list[Any]:
        return [
            self._server_event(effect) if isinstance(effect, dict) else effect for effect in effects
        ]

    def refusal(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send an event that must be refused, and change nothing; return the error's body."""
        (error,) = self.sends(kind, **fields)
        assert error["type"] == "error"
        body: dict[str, Any] = error["error"]
        return body

    def is_told(self, raw: Any) -> dict[str, Any]:
        """Send something that no official type allows; return the error's body."""
        (error,) = self.took(self.conversation.receive(raw))
        assert error["type"] == "error"
        body: dict[str, Any] = error["error"]
        return body

    def speaks_pcmu(self, **audio_input: Any) -> None:
        pcmu = {"type": "audio/pcmu"}
        audio = {"input": {"format": pcmu, **audio_input}, "output": {"format": pcmu}}
        self.sends("session.update", session={"type": "realtime", "audio": audio})

    def hears_response(self, item_id: str = "said", ms: int = 1000, text: str = "") -> list[Any]:
        """Let the model say something; return all events of it."""
        events = [one for one in self.sends("response.create") if isinstance(one, dict)]
        response = self.conversation.active
        assert response is not None
        events += response.open_message(item_id)
        response.begin_sentence(text)
        events += response.add_transcript(text)
        events += response.add_audio(b"\x01" * ms * 8)
        return self.took(events + response.finish())


@pytest.fixture
def client(server_event: Judge, client_event: Judge) -> Client:
    return Client(server_event, client_event)


class ThresholdTurnDetector:
    """Anything but silence is speech; 200 ms of silence end it. Feeds of any length."""

    def __init__(self, turn_detection: dict[str, Any]) -> None:
        self.turn_detection = turn_detection
        self._heard = bytearray()
        self._begin = -1
        self._quiet = 0

    def feed(self, audio: bytes) -> list[SpeechBegan | SpeechEnded]:
        found: list[SpeechBegan | SpeechEnded] = []
        for byte in audio:
            self._heard.append(byte)
            if byte != QUIET and self._begin < 0:
                self._begin = len(self._heard) - 1
                found.append(SpeechBegan(self._begin // 8))
            self._quiet = self._quiet + 1 if byte == QUIET else 0
            if self._begin >= 0 and self._quiet == 1600:
                said = bytes(self._heard[self._begin :])
                found.append(SpeechEnded(len(self._heard) // 8, said))
                self._begin = -1
        return found


class ByteTranscriber:
    """Reads the words back: a caller's word is one byte value, as `ByteVoice` speaks it."""

    def transcribe(self, audio: bytes) -> str:
        words = []
        for byte, before in zip(audio, bytes([QUIET]) + audio, strict=False):
            if byte not in (QUIET, before):
                words.append(f"w{byte}")
        return " ".join(words)


class ByteVoice:
    """Speaks each word as 200 ms of a byte: `w7` is 7, any other word is its length."""

    def speak(self, text: str) -> Iterator[bytes]:
        for word in text.split():
            number = int(word[1:]) if word[1:].isdigit() else len(word)
            yield bytes([number]) * 1600


class EchoDialogueManager:
    """Says what the caller said; `tool NAME` calls it. Keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[DialogueRequest] = []

    async def answer(self, request: DialogueRequest) -> AsyncIterator[Say | CallTool]:
        self.asked.append(request)
        if request.added:
            yield Say(request.added)
            return
        last = request.conversation[-1] if request.conversation else None
        if last is None:
            yield Say("hello")
        elif last.text.startswith("tool "):
            yield Say("one moment")
            yield CallTool(last.text.removeprefix("tool "), '{"reason":"asked"}')
        elif last.text == "break":
            raise RuntimeError("the dialogue manager failed")
        else:
            for sentence in last.text.split(". "):
                yield Say(sentence)


@dataclass
class FakeComponents:
    dialogue_manager: EchoDialogueManager = field(default_factory=EchoDialogueManager)
    transcriber: ByteTranscriber = field(default_factory=ByteTranscriber)
    voice: ByteVoice = field(default_factory=ByteVoice)
    new_turn_detector: Callable[[dict[str, Any]], ThresholdTurnDetector] = ThresholdTurnDetector


@pytest.fixture
def components() -> FakeComponents:
    return FakeComponents()


@pytest.fixture
def base64_of() -> Callable[[bytes], str]:
    return lambda data: base64.b64encode(data).decode()
