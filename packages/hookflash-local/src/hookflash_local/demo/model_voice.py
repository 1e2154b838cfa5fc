"""Synthesize the text of `<Say>` for the carrier stand-in, with the model that serves the line.

Works with any Realtime server, local or OpenAI's: a separate session is asked to say the text
exactly. If it fails or is late, the carrier stand-in plays its pattern of tones instead.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import OrderedDict
from typing import Any

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from hookflash_local.carrier.media.sounds import voice_pattern

log = logging.getLogger("hookflash_local.demo")

_LONGEST_SECONDS = 20.0
_CACHE_SIZE = 64
"""Texts whose audio is cached; a carrier says the same few texts many times."""

_PCMU = {"format": {"type": "audio/pcmu"}}


class ModelVoice:
    """Synthesizes text as mu-law at 8 kHz (the carrier stand-in's `Speak`).

    `url` is the WebSocket URL of the model without a query; `api_key` and `model` are its settings.
    """

    def __init__(self, url: str, *, api_key: str, model: str) -> None:
        self._url = f"{url}?model={model}"
        self._key = api_key
        self._cache: OrderedDict[str, bytes] = OrderedDict()

    async def __call__(self, text: str) -> bytes:
        if text in self._cache:
            self._cache.move_to_end(text)
            return self._cache[text]
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                sound = await self._synthesize(text)
        except (OSError, WebSocketException, TimeoutError, _SpeechFailed) as error:
            log.warning("! <Say> plays tones: the model failed: %s", error or "no answer in time")
            return voice_pattern(text)
        self._cache[text] = sound
        if len(self._cache) > _CACHE_SIZE:
            self._cache.popitem(last=False)
        return sound

    async def _synthesize(self, text: str) -> bytes:
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        session = {"type": "realtime", "audio": {"input": _PCMU, "output": _PCMU}}
        response = {"instructions": f'Say exactly: "{quoted}"', "conversation": "none"}
        sound = bytearray()
        headers = {"Authorization": f"Bearer {self._key}"}
        async with connect(self._url, additional_headers=headers, max_size=None) as socket:
            for event in (
                {"type": "session.update", "session": session},
                {"type": "response.create", "response": response},
            ):
                await socket.send(msgspec.json.encode(event).decode())
            async for message in socket:
                event = msgspec.json.decode(message)
                if event["type"] == "response.output_audio.delta":
                    sound += base64.b64decode(event["delta"])
                elif event["type"] in ("error", "response.done"):
                    _check(event)
                    break
        if not sound:
            raise _SpeechFailed("the response had no audio")
        return bytes(sound)


class _SpeechFailed(Exception):
    """The model did not speak the text; the message says why."""


def _check(event: dict[str, Any]) -> None:
    if event["type"] == "error":
        raise _SpeechFailed(event.get("error", {}).get("message", "an error without a message"))
    status = event["response"].get("status")
    if status != "completed":
        raise _SpeechFailed(f"the response ended {status}")
