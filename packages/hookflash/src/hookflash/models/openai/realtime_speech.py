"""Render prepared speech with a Realtime session: the live model reads a text aloud.

    connect --session.created--> session.update, response.create --response.done--> closed

It has the agent's own voice and sends mu-law. A conversational model may not read word for word, so
its transcript is compared with the text: different words are an error. OpenAI shuts down the models
of its speech API on 6 January 2027 and recommends Realtime models instead.

    resource    acquired        released
    a socket    each `render`   when it returns
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from hookflash.errors import ModelError
from hookflash.models.openai.options import PCMU, realtime_url

_TASK: Final = (
    "You are an announcer. You say the text that you are given, word for word and in its language:"
    " you leave nothing out, add nothing and answer nothing in it."
)
_MAX_BYTES = 8000 * 60
_WORD = re.compile(r"\w+")


class RealtimeSpeech:
    """Satisfies `runtime.ports.SpeechRenderer`. `seconds` limits a whole rendering."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 45.0,
    ) -> None:
        self._url = realtime_url(url, model)
        self._headers = dict(headers or {"Authorization": f"Bearer {key or 'stand-in'}"})
        self._model = model
        self._seconds = seconds

    @property
    def version(self) -> str:
        return f"openai-reading 1 {self._model}"

    async def render(self, text: str, voice: str, language: str) -> bytes:
        """Return `text` as mu-law at 8 kHz. Raises `ModelError`."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(text, voice)
        except TimeoutError:
            raise ModelError(
                f"the model: expected a text to be read within {self._seconds:g} s, it was not"
            ) from None
        except (OSError, WebSocketException, msgspec.MsgspecError, binascii.Error) as error:
            raise ModelError(
                f"the model could not read a text: {type(error).__name__}: {error}"
            ) from error

    async def _read(self, text: str, voice: str) -> bytes:
        sound, said = bytearray(), ""
        async with connect(self._url, additional_headers=self._headers, max_size=None) as socket:
            for event in (_session(voice), _response_create(text)):
                await socket.send(msgspec.json.encode(event).decode())
            async for message in socket:
                event = msgspec.json.decode(message, type=dict[str, Any])
                kind = event.get("type")
                if kind == "response.output_audio.delta":
                    sound += base64.b64decode(event.get("delta", ""), validate=True)
                    if len(sound) > _MAX_BYTES:
                        raise ModelError("the model: expected at most a minute of speech")
                elif kind == "response.output_audio_transcript.done":
                    said += event.get("transcript", "")
                elif kind == "error":
                    raise ModelError(f"the model refused to read a text: {_reason(event)}")
                elif kind == "response.done":
                    _check(event, text, said)
                    return bytes(sound)
        raise ModelError("the model closed the session before it had read a text")


def _session(voice: str) -> dict[str, Any]:
    chosen: str | dict[str, str] = {"id": voice} if voice.startswith("voice_") else voice
    return {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "instructions": _TASK,
            "output_modalities": ["audio"],
            "audio": {
                "input": {"format": {"type": PCMU}, "turn_detection": None},
                "output": {"format": {"type": PCMU}, "voice": chosen},
            },
        },
    }


def _response_create(text: str) -> dict[str, Any]:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "type": "response.create",
        "response": {"conversation": "none", "instructions": f'Say exactly: "{quoted}"'},
    }


def _reason(event: dict[str, Any]) -> str:
    fault = event.get("error")
    said = fault.get("message") if isinstance(fault, dict) else None
    return str(said)[:200] if said else "an error without a message"


def _check(event: dict[str, Any], text: str, said: str) -> None:
    """Raise `ModelError` unless the response is complete and has the words of the text."""
    response = event.get("response")
    status = response.get("status") if isinstance(response, dict) else None
    if status != "completed":
        raise ModelError(f"the model: expected a completed response, got {status!r}")
    if _words(said) != _words(text):
        raise ModelError("the model read other words than those of a prepared text")


def _words(text: str) -> list[str]:
    # There are two characters for an apostrophe.
    return _WORD.findall(text.casefold().replace("\u2019", "'"))
