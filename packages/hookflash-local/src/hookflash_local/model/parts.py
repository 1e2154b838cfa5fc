"""What the stand-in model is made of: ears, a transcriber, a mind and a voice.

The server (`server.py`, `conversation.py`) speaks the Realtime protocol and knows only these
shapes; the local speech stack (`speech/`) fills them, and a script can take their place. All
sound here is G.711 mu-law, 8,000 samples a second, one byte a sample.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec


class SpeechBegan(msgspec.Struct, frozen=True):
    """The caller began to speak. `at_ms` counts audio fed to the ears, padding included."""

    at_ms: int


class SpeechEnded(msgspec.Struct, frozen=True):
    """The caller has finished. `audio` is the whole utterance (mu-law), padding included."""

    at_ms: int
    audio: bytes


class Ears(Protocol):
    """Voice activity detection and endpointing for one session; a frame at a time."""

    def hear(self, audio: bytes) -> list[SpeechBegan | SpeechEnded]: ...


class Transcriber(Protocol):
    """Speech to text. Slow: call it off the event loop."""

    def transcribe(self, audio: bytes) -> str: ...


class Voice(Protocol):
    """Text to speech. Slow: iterate it off the event loop. Yields mu-law pieces in order."""

    def speak(self, text: str) -> Iterator[bytes]: ...


class Turn(msgspec.Struct, frozen=True):
    """One item of the conversation, as a mind reads it.

    For `tool_call`, `name` and `arguments` (JSON text) are set and `text` is empty; for
    `tool_output`, `text` is the output and `name` the tool's name. An assistant's turn that was
    cut holds only what was heard, as far as that is known.
    """

    role: Literal["system", "user", "assistant", "tool_call", "tool_output"]
    text: str
    name: str = ""
    arguments: str = ""
    call_id: str = ""


class MindRequest(msgspec.Struct, frozen=True):
    """What a mind is asked to answer.

    `instructions` are the session's, `added` those of this response alone (or None). `tools` are
    function tools in Realtime form (name, description, parameters). `tool_choice` is `auto`,
    `none`, `required` or a tool's name.
    """

    instructions: str
    conversation: Sequence[Turn]
    tools: Sequence[dict[str, Any]] = ()
    tool_choice: str = "auto"
    added: str | None = None


class Say(msgspec.Struct, frozen=True):
    """Speak this sentence."""

    text: str


class CallTool(msgspec.Struct, frozen=True):
    name: str
    arguments: str
    """JSON text."""


class Mind(Protocol):
    """Decides what to say and do: sentences and tool calls, in the order in which they come."""

    def answer(self, request: MindRequest) -> AsyncIterator[Say | CallTool]: ...
