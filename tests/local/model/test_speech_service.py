"""Text spoken and sound written down over HTTP, with components that need no speech."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from hookflash.errors import ModelError
from hookflash_local.model import speech_service
from hookflash_local.model.speech_client import SpeechClient, Transcript, Utterance
from hookflash_local.model.speech_service import LONGEST_TEXT, SpeechService

SILENCE = b"\xff"


@pytest.fixture
async def service(components: Any) -> AsyncIterator[SpeechService]:
    async with SpeechService(components) as service:
        yield service


@pytest.fixture
async def web(service: SpeechService) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=service.url) as web:
        yield web


async def test_text_comes_back_as_sound(service: SpeechService) -> None:
    assert await SpeechClient(service.url).speak("w7 w9") == b"\x07" * 1600 + b"\x09" * 1600
    assert await SpeechClient(service.url).speak("") == b""


async def test_a_recording_comes_back_as_utterances_with_their_times(
    service: SpeechService,
) -> None:
    sound = SILENCE * 800 + b"\x07" * 1600 + SILENCE * 4000 + b"\x09" * 800 + b"\x0a" * 800
    assert await SpeechClient(service.url).transcribe(sound) == Transcript(
        "w7 w9 w10", [Utterance(100, 500, "w7"), Utterance(800, 1000, "w9 w10")]
    )
    assert await SpeechClient(service.url).transcribe(b"") == Transcript("", [])


async def test_a_wav_file_is_a_recording_too(service: SpeechService) -> None:
    header = (
        b"RIFF\xff\xff\xff\xffWAVEfmt \x12\x00\x00\x00\x07\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00"
        b"\x00\x01\x00\x08\x00\x00\x00data" + (1600).to_bytes(4, "little")
    )
    assert (await SpeechClient(service.url).transcribe(header + b"\x05" * 1600)).text == "w5"


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/speak", b"Hello", 400, "expected JSON such as"),
        ("/speak", b'{"txt": "Hello"}', 400, "text"),
        ("/speak", b'{"text": "%b"}' % (b"a" * (LONGEST_TEXT + 1)), 413, "got 10001"),
        ("/speak", b" " * (8 * LONGEST_TEXT + 1), 413, "10000 characters"),
        ("/transcribe", b"RIFFxxxxWAVE", 400, "WAV"),
    ],
)
async def test_what_is_wrong_is_answered_with_what_was_expected(
    web: httpx.AsyncClient, path: str, body: bytes, status: int, told: str
) -> None:
    answer = await web.post(path, content=body)
    assert answer.status_code == status
    assert told in answer.json()["error"]


async def test_a_recording_that_is_too_large_is_refused(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_service, "LARGEST_SOUND", 100)
    assert (await web.post("/transcribe", content=b"\x01" * 101)).status_code == 413


async def test_only_this_machine_under_its_own_name_is_served(web: httpx.AsyncClient) -> None:
    stranger = {"Host": "a-page-of-a-stranger.example"}
    answer = await web.post("/speak", json={"text": "w7"}, headers=stranger)
    assert answer.status_code == 400
    assert (await web.get("/speak")).status_code == 405
    assert (await web.post("/nothing")).status_code == 404


async def test_a_client_is_told_what_went_wrong(service: SpeechService) -> None:
    with pytest.raises(ModelError, match="refused /transcribe: 400 .*WAV"):
        await SpeechClient(service.url).transcribe(b"RIFF")
    with pytest.raises(
        ModelError, match=r"cannot be reached.*check that the stand-in model is running"
    ):
        await SpeechClient("http://127.0.0.1:1").speak("Hello")


async def test_a_part_that_breaks_is_an_error_of_that_request_alone(
    service: SpeechService, components: Any
) -> None:
    class Hoarse:
        def speak(self, text: str) -> Iterator[bytes]:
            raise RuntimeError("no voice")

    voice, components.voice = components.voice, Hoarse()
    with pytest.raises(ModelError, match="refused /speak: 500"):
        await SpeechClient(service.url).speak("w7")
    components.voice = voice
    assert await SpeechClient(service.url).speak("w7")
