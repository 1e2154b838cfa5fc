"""Render prepared speech with OpenAI's speech API, or any compatible server.

    POST {url}   {"model", "input", "voice", "instructions", "response_format": "pcm"}
    200          24 kHz, 16-bit little-endian, mono, without a header
    else         {"error": {"message", "code", ...}}

[U]: this follows the public reference and the types of the official package (3.54), and was not
tested against the live service. So anything unexpected is a `ModelError`, and callers hear the
tone.

    resource         acquired             released
    httpx client     the first `render`   `aclose`
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from hookflash.errors import ModelError
from hookflash.models.openai.options import is_loopback
from hookflash.models.phone_audio import PCM_RATE, phone_sound

log = logging.getLogger("hookflash.call.speech")

# [U] Every voice of the Realtime API is known to the speech API today; a later one may not be.
VOICES: Final = frozenset(
    "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split()
)
FALLBACK_VOICE: Final = "alloy"

_MAX_BYTES = PCM_RATE * 2 * 60
_SOUND_TYPES = ("audio/", "application/octet-stream")
_LANGUAGES = {
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "nl": "Dutch",
    "pt": "Portuguese",
}
_SETTINGS = "HOOKFLASH_SPEECH_URL, HOOKFLASH_SPEECH_MODEL and the key"


class _Fault(msgspec.Struct, frozen=True):
    message: str = ""
    code: str | int | None = None


class _Refusal(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


def speech_url(model_url: str) -> str | None:
    """Return the speech API of a Realtime endpoint: another path on the same host.

    None if the endpoint's path does not end with `/realtime`, as OpenAI's does.
    """
    parts = urlsplit(model_url)
    base, _, last = parts.path.rstrip("/").rpartition("/")
    scheme = {"wss": "https", "ws": "http"}.get(parts.scheme)
    if last != "realtime" or scheme is None:
        return None
    return urlunsplit((scheme, parts.netloc, f"{base}/audio/speech", "", ""))


class OpenAISpeech:
    """Satisfies `runtime.ports.SpeechRenderer`. Close it with `aclose`.

    `url` is the full URL, such as `https://api.openai.com/v1/audio/speech`. `key` may be None for a
    server on this machine. `seconds` limits a whole rendering.
    """

    def __init__(self, url: str, model: str, *, key: str | None, seconds: float = 45.0) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._model = model
        self._headers = {"Authorization": f"Bearer {key or 'stand-in'}"}
        self._seconds = seconds
        self._client: httpx.AsyncClient | None = None
        self._unknown: set[str] = set()

    @property
    def version(self) -> str:
        # Without the port, which may change at every start of a local server.
        return f"openai-speech 1 {self._host} {self._model}"

    async def render(self, text: str, voice: str, language: str) -> bytes:
        """Return `text` as mu-law at 8 kHz. Raises `ModelError`."""
        spoken = _LANGUAGES.get(language, f"the language with the ISO 639-1 code {language}")
        body: dict[str, object] = {
            "model": self._model,
            "input": text,
            "voice": self._voice(voice),
            "instructions": f"Speak {spoken}, as a friendly and calm person on the telephone.",
            "response_format": "pcm",
        }
        try:
            async with asyncio.timeout(self._seconds):
                pcm = await self._post(body)
        except TimeoutError:
            raise ModelError(
                f"the speech API: expected an answer within {self._seconds:g} s, none came"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ModelError(
                f"the speech API at {self._host} cannot be reached: {type(error).__name__}:"
                f" {error}; check HOOKFLASH_SPEECH_URL and the network"
            ) from error
        try:
            return await phone_sound(pcm)
        except ValueError as error:
            raise ModelError(f"the speech API: {error}: its answer was cut off") from None

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _voice(self, voice: str) -> str | dict[str, str]:
        if voice.startswith("voice_"):
            return {"id": voice}
        if voice in VOICES:
            return voice
        if voice not in self._unknown:
            self._unknown.add(voice)
            log.info(
                "= the speech API has no voice %r: prepared speech is in %r", voice, FALLBACK_VOICE
            )
        return FALLBACK_VOICE

    async def _post(self, body: dict[str, object]) -> bytes:
        client = await self._opened()
        async with client.stream("POST", self._url, json=body, headers=self._headers) as answer:
            data = bytearray()
            async for piece in answer.aiter_bytes():
                data += piece
                if len(data) > _MAX_BYTES:
                    raise ModelError("the speech API: expected at most a minute of speech")
        if answer.status_code != 200:
            raise _refusal(answer.status_code, bytes(data))
        kind = answer.headers.get("Content-Type", "")
        if kind and not kind.lower().startswith(_SOUND_TYPES):
            raise ModelError(
                f"the speech API: expected PCM audio, got {kind[:60]!r}; check {_SETTINGS}"
            )
        return bytes(data)

    async def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            local = is_loopback(self._host)
            # Reading certificates is slow and would block the calls' event loop. A server on this
            # machine needs none.
            tls: ssl.SSLContext | bool = (
                False if local else await asyncio.to_thread(httpx.create_ssl_context)
            )
            # The environment's proxy is not for a server on this machine.
            self._client = httpx.AsyncClient(verify=tls, timeout=None, trust_env=not local)
        return self._client


def _refusal(status: int, body: bytes) -> ModelError:
    """Return the error for an error response: the API's JSON, or anything else from a proxy."""
    try:
        fault = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.MsgspecError, RecursionError):
        fault = _Fault()
    said = f": {fault.message[:200]}" if fault.message else ""
    return ModelError(
        f"the speech API: expected status 200, got {status}{said}; check {_SETTINGS}",
        model_code=str(fault.code or ""),
        # Errors that the owner must fix are not retried before the next start.
        fatal=status in (401, 403, 404, 405, 410) or fault.code == "model_not_found",
    )
