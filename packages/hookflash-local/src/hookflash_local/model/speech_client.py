"""Asks the speech service (`speech_service.py`) of the stand-in model, from any process.

    speech = SpeechClient(model.speech_url)
    sound = await speech.speak("Anna, a caller about an order.")        # mu-law, 8 kHz
    words = (await speech.transcribe(leg.recording().heard)).text

resource      | acquired     | released
connections   | each request | when it is answered
"""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import msgspec

from hookflash.errors import ModelError

_CONNECT_SECONDS = 5.0
_WAIT_SECONDS = 120.0
"""The longest recording takes a minute or two to be heard."""


class Utterance(msgspec.Struct, frozen=True):
    """One thing that was said, and when in the recording."""

    start_ms: int
    end_ms: int
    text: str


class Transcript(msgspec.Struct, frozen=True):
    """A recording written down: all its words, and each utterance with its times."""

    text: str
    utterances: Sequence[Utterance]


class SpeechClient:
    """A voice and a transcriber at `url`, such as `http://127.0.0.1:PORT`.

    Raises `ModelError` when the service refuses (its reason is in the text) or cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._timeout = httpx.Timeout(_WAIT_SECONDS, connect=_CONNECT_SECONDS)

    async def speak(self, text: str) -> bytes:
        """Return `text` as mu-law at 8 kHz."""
        return await self._post("/speak", msgspec.json.encode({"text": text}))

    async def transcribe(self, sound: bytes) -> Transcript:
        """Write down `sound`: mu-law at 8 kHz, or a whole WAV file."""
        return msgspec.json.decode(await self._post("/transcribe", sound), type=Transcript)

    async def _post(self, path: str, body: bytes) -> bytes:
        # Loopback needs no certificates, and reading them takes longer than the request.
        transport = httpx.AsyncHTTPTransport(verify=False)
        try:
            async with httpx.AsyncClient(timeout=self._timeout, transport=transport) as client:
                response = await client.post(self._url + path, content=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(
                f"the speech service at {self._url} cannot be reached:"
                f" {type(error).__name__} {error}; is the stand-in model running?"
            ) from error
        if response.status_code != 200:
            raise ModelError(
                f"the speech service refused {path}: {response.status_code} {response.text[:300]}"
            )
        return response.content
