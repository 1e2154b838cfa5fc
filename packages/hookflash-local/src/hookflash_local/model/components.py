"""The interfaces of the local model's components, from audio to audio:

    turn detector -> transcriber -> dialogue manager -> voice

The server (`server.py`, `realtime_conversation.py`) speaks the Realtime protocol and knows only
these interfaces. The local speech stack (`speech/`) implements them; a script can replace them. All
audio is G.711 mu-law at 8,000 samples per second, one byte per sample.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec


class SpeechBegan(msgspec.Struct, frozen=True):
    """The caller began to speak. `at_ms` counts the audio fed to the detector, padding included."""

    at_ms: int


class SpeechEnded(msgspec.Struct, frozen=True):
    """The caller has stopped. `audio` is the whole utterance (mu-law), padding included."""

    at_ms: int
    audio: bytes


class TurnDetector(Protocol):
    """Voice activity detection and endpointing for one session."""

    def feed(self, audio: bytes) -> list[SpeechBegan | SpeechEnded]:
        """Take mu-law of any length; return what it decided, in order."""
        ...


class Transcriber(Protocol):
    """Speech to text. Slow: call it outside the event loop."""

    def transcribe(self, audio: bytes) -> str:
        """Return the words in `audio` (mu-law), or an empty text if there is no speech."""
        ...


class Voice(Protocol):
    """Text to speech. Slow: iterate outside the event loop. Yields mu-law pieces in order."""

    def speak(self, text: str) -> Iterator[bytes]:
        """Yield `text` as mu-law pieces, each as soon as it is ready."""
        ...


class Turn(msgspec.Struct, frozen=True):
    """One item of the conversation, as the dialogue manager reads it.

    For `tool_call`, `name` and `arguments` (JSON text) are set and `text` is empty. For
    `tool_output`, `text` is the output and `name` the tool's name. A truncated assistant turn holds
    only what was heard, as far as that is known.
    """

    role: Literal["system", "user", "assistant", "tool_call", "tool_output"]
    text: str
    name: str = ""
    arguments: str = ""
    call_id: str = ""


class DialogueRequest(msgspec.Struct, frozen=True):
    """The input of a dialogue manager for one response.

    `instructions` are the session's, `added` those of this response only (or None). `tools` are
    function tools as in the Realtime API (name, description, parameters). `tool_choice` is `auto`,
    `none`, `required` or a tool's name.
    """

    instructions: str
    conversation: Sequence[Turn]
    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str = "auto"
    added: str | None = None


class Say(msgspec.Struct, frozen=True):
    """Speak this text."""

    text: str


class CallTool(msgspec.Struct, frozen=True):
    """Call this tool."""

    name: str
    arguments: str
    """JSON text."""


class DialogueManager(Protocol):
    """Decides what to say and do: yields sentences and tool calls in order."""

    def answer(self, request: DialogueRequest) -> AsyncIterator[Say | CallTool]:
        """Yield what to say and which tools to call."""
        ...
