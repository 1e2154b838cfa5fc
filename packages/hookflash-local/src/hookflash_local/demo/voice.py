"""The carrier's voice in the demo: what `<Say>` says, spoken by the model that serves the line.

Any Realtime server will do, the local one as well as OpenAI's: a session of its own is asked to say
the text as it stands. Where it does not answer in time, the carrier falls back to its pattern of
tones, and the call goes on.
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

from hookflash_local.carrier.sounds import voice_pattern

log = logging.getLogger("hookflash_local.demo")

_LONGEST_SECONDS = 20.0
_KEPT = 64
"""Texts whose sound is kept; a carrier says the same few things again and again."""

_PCMU = {"format": {"type": "audio/pcmu"}}


class ModelVoice:
    """Text to mu-law (`Speak`). `url`, `api_key` and `model` as for the line itself."""

    def __init__(self, url: str, *, api_key: str, model: str) -> None:
        self._url = f"{url}?model={model}"
        self._key = api_key
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def __call__(self, text: str) -> bytes:
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                sound = await self._spoken(text)
        except (OSError, WebSocketException, TimeoutError, _Failed) as error:
            log.warning("! the carrier's voice: %s; tones instead", error or "no answer in time")
            return voice_pattern(text)
        self._kept[text] = sound
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return sound

    async def _spoken(self, text: str) -> bytes:
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
            raise _Failed("it said nothing")
        return bytes(sound)


class _Failed(Exception):
    """The model did not say it; the text says why."""


def _check(event: dict[str, Any]) -> None:
    if event["type"] == "error":
        raise _Failed(event.get("error", {}).get("message", "an error without a message"))
    status = event["response"].get("status")
    if status != "completed":
        raise _Failed(f"the response ended {status}")
