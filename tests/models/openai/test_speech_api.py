"""The speech API's client, against the stand-in and against servers that answer otherwise."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hookflash.errors import ModelError
from hookflash.models.openai.speech_api import FALLBACK_VOICE, OpenAISpeech, speech_url
from hookflash.runtime.loudness import level_dbfs
from hookflash_local.model.scripted import ScriptedModel

TEXT = "One moment, please."


@asynccontextmanager
async def client(url: str, **options: object) -> AsyncIterator[OpenAISpeech]:
    chosen = {"key": "key", **options}
    speech = OpenAISpeech(url, "gpt-4o-mini-tts", **chosen)  # type: ignore[arg-type]
    try:
        yield speech
    finally:
        await speech.aclose()


@asynccontextmanager
async def endpoint(status: int, kind: str, body: bytes) -> AsyncIterator[str]:
    """A server that gives one answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n"
        head += f"Content-Type: {kind}\r\n" if kind else ""
        writer.write(head.encode() + b"\r\n" + body)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/audio/speech"


async def test_a_text_comes_back_as_telephone_sound() -> None:
    async with ScriptedModel() as model, client(model.server.speech_url) as speech:
        sound = await speech.render(TEXT, "cedar", "de")
        assert len(sound) == len(TEXT) * 65 * 8
        assert -25.0 < level_dbfs(sound) < -15.0
        assert await speech.render(TEXT, "cedar", "de") == sound
        assert await speech.render(TEXT, "marin", "de") != sound
        assert model.server.spoken[0] == {
            "model": "gpt-4o-mini-tts",
            "input": TEXT,
            "voice": "cedar",
            "instructions": "Speak German, as a friendly and calm person on the telephone.",
            "response_format": "pcm",
        }


async def test_a_language_without_a_name_is_told_by_its_code() -> None:
    async with ScriptedModel() as model, client(model.server.speech_url) as speech:
        await speech.render(TEXT, "marin", "pl")
        assert "ISO 639-1 code pl" in model.server.spoken[0]["instructions"]


async def test_a_voice_that_is_not_known_falls_back_to_one_that_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="hookflash.call.speech")
    async with ScriptedModel() as model, client(model.server.speech_url) as speech:
        for voice in ("tomorrow", "tomorrow", "voice_123"):
            await speech.render(TEXT, voice, "en")
        voices = [order["voice"] for order in model.server.spoken]
    assert voices == [FALLBACK_VOICE, FALLBACK_VOICE, {"id": "voice_123"}]
    assert caplog.text.count("no voice 'tomorrow'") == 1


@pytest.mark.parametrize(
    ("status", "fatal"), [(400, False), (401, True), (404, True), (429, False), (500, False)]
)
async def test_a_refusal_says_why_and_what_to_check(status: int, fatal: bool) -> None:
    async with ScriptedModel() as model, client(model.server.speech_url) as speech:
        model.faults.speech_status = status
        with pytest.raises(ModelError) as caught:
            await speech.render(TEXT, "marin", "en")
        assert str(caught.value) == (
            f"the speech API: expected status 200, got {status}: Refused by a fault.; check"
            " HOOKFLASH_SPEECH_URL, HOOKFLASH_SPEECH_MODEL and the key"
        )
        assert (caught.value.fatal, caught.value.model_code) == (fatal, "refused")
        model.faults.speech_status = None
        assert await speech.render(TEXT, "marin", "en")


async def test_an_answer_that_is_late_is_given_up() -> None:
    async with (
        ScriptedModel() as model,
        client(model.server.speech_url, seconds=5.0) as speech,
    ):
        model.faults.speech_delay_ms = 10_000.0
        began = asyncio.get_running_loop().time()
        with pytest.raises(ModelError, match="within 5 s, none came"):
            await speech.render(TEXT, "marin", "en")
        assert asyncio.get_running_loop().time() - began == pytest.approx(5.0)
        model.faults.speech_delay_ms = 4_000.0
        assert await speech.render(TEXT, "marin", "en")


@pytest.mark.parametrize(
    ("status", "kind", "body", "told"),
    [
        (200, "text/html", b"<html></html>", "expected PCM audio, got 'text/html'"),
        (200, "application/json", b"{}", "expected PCM audio, got 'application/json'"),
        (200, "audio/pcm", b"abc", "expected 16-bit samples, got 3 bytes: its answer was cut off"),
        (200, "", bytes(2_880_002), "expected at most a minute"),
        (502, "text/html", b"<html>Bad Gateway</html>", "got 502; check HOOKFLASH_SPEECH_URL"),
        (500, "application/json", b'{"error": "text"}', "got 500; check"),
        (500, "application/json", b"[" * 5000, "got 500; check"),
    ],
)
async def test_what_is_no_speech_is_an_error(
    status: int, kind: str, body: bytes, told: str
) -> None:
    async with endpoint(status, kind, body) as url, client(url) as speech:
        with pytest.raises(ModelError) as caught:
            await speech.render(TEXT, "marin", "en")
        assert told in str(caught.value)
        assert not caught.value.fatal


async def test_sound_without_a_type_is_taken() -> None:
    async with endpoint(200, "", bytes(48_000)) as url, client(url, key=None) as speech:
        assert await speech.render(TEXT, "marin", "en") == b"\xff" * 8000


async def test_a_server_that_is_not_there_is_an_error_with_its_name() -> None:
    async with client("http://127.0.0.1:9/v1/audio/speech") as speech:
        with pytest.raises(ModelError, match=r"the speech API at 127.0.0.1 cannot be reached"):
            await speech.render(TEXT, "marin", "en")


def test_the_version_follows_host_and_model_and_not_the_port() -> None:
    versions = [
        OpenAISpeech(url, model, key=None).version
        for url, model in (
            ("http://127.0.0.1:1/v1/audio/speech", "a"),
            ("http://127.0.0.1:2/v1/audio/speech", "a"),
            ("http://127.0.0.1:1/v1/audio/speech", "b"),
            ("https://api.openai.com/v1/audio/speech", "a"),
        )
    ]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3


@pytest.mark.parametrize(
    ("model_url", "expected"),
    [
        ("wss://api.openai.com/v1/realtime", "https://api.openai.com/v1/audio/speech"),
        ("ws://127.0.0.1:9/v1/realtime/", "http://127.0.0.1:9/v1/audio/speech"),
        ("wss://example.com/a/v1/realtime?b=1", "https://example.com/a/v1/audio/speech"),
        ("ws://127.0.0.1:9/v1", None),
        ("wss://example.com", None),
        ("https://example.com/v1/realtime", None),
    ],
)
def test_the_speech_api_is_beside_the_realtime_api(model_url: str, expected: str | None) -> None:
    assert speech_url(model_url) == expected
