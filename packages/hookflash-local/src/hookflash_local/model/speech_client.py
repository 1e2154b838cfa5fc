"""A client of the stand-in model's speech service (`speech_service.py`), for any process.

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
"""The longest recording takes a minute or two to transcribe."""


class Utterance(msgspec.Struct, frozen=True):
    """One utterance and its times in the recording."""

    start_ms: int
    end_ms: int
    text: str


class Transcript(msgspec.Struct, frozen=True):
    """The transcript of a recording: the whole text, and each utterance with its times."""

    text: str
    utterances: Sequence[Utterance]


class SpeechClient:
    """A client of the speech service at `url`, such as `http://127.0.0.1:PORT`.

    Its methods raise `ModelError` if the service cannot be reached or refuses the request.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._timeout = httpx.Timeout(_WAIT_SECONDS, connect=_CONNECT_SECONDS)

    async def speak(self, text: str) -> bytes:
        """Return `text` as mu-law at 8 kHz."""
        return await self._post("/speak", msgspec.json.encode({"text": text}))

    async def transcribe(self, sound: bytes) -> Transcript:
        """Transcribe `sound`: mu-law at 8 kHz, or a whole WAV file."""
        return msgspec.json.decode(await self._post("/transcribe", sound), type=Transcript)

    async def _post(self, path: str, body: bytes) -> bytes:
        # The loopback needs no certificates, and loading them takes longer than the request.
        transport = httpx.AsyncHTTPTransport(verify=False)
        try:
            async with httpx.AsyncClient(timeout=self._timeout, transport=transport) as client:
                response = await client.post(self._url + path, content=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(
                f"the speech service at {self._url} cannot be reached:"
                f" {type(error).__name__} {error}; check that the stand-in model is running"
            ) from error
        if response.status_code != 200:
            raise ModelError(
                f"the speech service refused {path}: {response.status_code} {response.text[:300]}"
            )
        return response.content
