"""The stand-in's speech API: what it answers, what it refuses, and what goes wrong on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from openai.types.audio import speech_create_params
from websockets.asyncio.client import connect

from hookflash_local.model import speech_api
from hookflash_local.model.local_model import local_model
from hookflash_local.model.scripted import ScriptedModel

KEY = {"Authorization": "Bearer any"}
ORDER: dict[str, Any] = {
    "model": "gpt-4o-mini-tts",
    "input": "Hello.",
    "voice": "marin",
    "response_format": "pcm",
}


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel() as model:
        yield model


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers=KEY, timeout=None) as web:
        yield web


async def test_the_sound_grows_with_the_text_and_is_the_same_each_time(
    model: ScriptedModel, web: httpx.AsyncClient
) -> None:
    async def said(**changed: Any) -> bytes:
        answer = await web.post(model.server.speech_url, json=ORDER | changed)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/pcm")
        return answer.content

    assert len(await said()) == 6 * 65 * 24 * 2
    assert len(await said(input="Hello, Anna.")) == 12 * 65 * 24 * 2
    assert await said() == await said(instructions="Be kind.", speed=2)
    assert await said() != await said(voice="cedar")
    assert await said() != await said(input="Hullo.")
    assert [order["input"] for order in model.server.spoken[:2]] == ["Hello.", "Hello, Anna."]


async def test_an_answered_request_leaves_nothing_in_the_log(
    model: ScriptedModel, web: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await web.post(model.server.speech_url, json=ORDER)).status_code == 200
    await asyncio.sleep(1.0)
    assert [each for each in caplog.records if each.levelname in ("WARNING", "ERROR")] == []


async def test_the_official_client_is_answered(model: ScriptedModel) -> None:
    base = model.server.speech_url.removesuffix("/audio/speech")
    async with AsyncOpenAI(api_key="any", base_url=base) as client:
        answer = await client.audio.speech.create(
            model="gpt-4o-mini-tts", voice="cedar", input="Hello.", response_format="pcm"
        )
        assert len(answer.content) == 6 * 65 * 24 * 2


def test_it_knows_the_voices_and_formats_of_the_official_package() -> None:
    fields = speech_create_params.SpeechCreateParams.__annotations__
    official = str(fields["response_format"])
    assert all(repr(each) in official for each in speech_api._FORMATS)
    voices = str(speech_create_params.Voice)
    assert all(repr(each) in voices for each in speech_api._VOICES)
    assert voices.count("'") == 2 * len(speech_api._VOICES)


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"model": ""}, "model"),
        ({"input": None}, "input"),
        ({"input": "x" * 4097}, "input"),
        ({"voice": "nobody"}, "voice"),
        ({"voice": {"id": 7}}, "voice"),
        ({"response_format": "midi"}, "response_format"),
        ({"response_format": "mp3"}, "response_format"),
        ({"instructions": 1}, "instructions"),
        ({"speed": 5}, "speed"),
        ({"speed": True}, "speed"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_name(
    model: ScriptedModel, web: httpx.AsyncClient, changed: dict[str, Any], param: str
) -> None:
    answer = await web.post(model.server.speech_url, json=ORDER | changed)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert model.server.spoken == []


async def test_what_is_no_request_for_speech_is_refused(
    model: ScriptedModel, web: httpx.AsyncClient
) -> None:
    url = model.server.speech_url
    there = url.removesuffix("/audio/speech")
    assert (await web.post(url, content=b"{")).status_code == 400
    assert (await web.post(url, json=[])).status_code == 400
    assert (await web.put(url, json=ORDER)).status_code == 405
    assert (await web.post(f"{there}/audio/other", json=ORDER)).status_code == 404
    assert (await web.post(url, json=ORDER, headers={"Authorization": ""})).status_code == 401
    assert (await web.post(url, content=b"x" * 70_000)).status_code == 413
    assert (await web.post(url, json=ORDER | {"voice": {"id": "voice_1"}})).status_code == 200
    # What is no upgrade and no other method is refused as ever.
    assert (await web.get(url)).status_code == 404


async def test_a_request_in_pieces_and_a_session_are_answered_side_by_side(
    model: ScriptedModel,
) -> None:
    port = int(model.server.speech_url.split(":")[2].split("/")[0])
    body = b'{"model":"m","input":"Hi","voice":"marin","response_format":"pcm"}'
    head = (
        "POST /v1/audio/speech HTTP/1.1\r\nauthorization: Bearer any\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with connect(f"{model.url}?model=m", additional_headers=KEY) as socket:
        for byte in head.encode() + body:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.01)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(answer.partition(b"\r\n\r\n")[2]) == 2 * 65 * 24 * 2
        assert "session.created" in str(await socket.recv())
    writer.close()
    await writer.wait_closed()


async def test_connections_that_say_nothing_or_half_leave_no_trace(model: ScriptedModel) -> None:
    port = int(model.server.speech_url.split(":")[2].split("/")[0])
    for said in (b"", b"PO", b"POST /v1/audio/speech HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        await asyncio.sleep(0.1)
        writer.close()
        await writer.wait_closed()
    await asyncio.sleep(1.0)
    assert model.server.spoken == []
    assert model.server.sessions == []


async def test_faults_refuse_hold_back_and_send_rubbish(
    model: ScriptedModel, web: httpx.AsyncClient
) -> None:
    url, loop = model.server.speech_url, asyncio.get_running_loop()
    model.faults.speech_status = 500
    answer = await web.post(url, json=ORDER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "refused")
    model.faults.speech_status = None
    model.faults.speech_garbage = True
    answer = await web.post(url, json=ORDER)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/pcm")
    assert b"Bad Gateway" in answer.content
    model.faults.speech_garbage = False
    model.faults.speech_delay_ms = 3000.0
    began = loop.time()
    assert (await web.post(url, json=ORDER)).status_code == 200
    assert loop.time() - began == pytest.approx(3.0)


async def test_a_server_that_closes_does_not_wait_for_a_fault(web: httpx.AsyncClient) -> None:
    async with ScriptedModel() as model:
        model.faults.speech_delay_ms = 50_000.0
        asking = asyncio.create_task(web.post(model.server.speech_url, json=ORDER))
        await asyncio.sleep(1.0)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 2.0
    assert (await asking).status_code == 200


async def test_local_speech_speaks_with_its_own_voice(
    components: Any, web: httpx.AsyncClient
) -> None:
    async with local_model(components) as model:
        answer = await web.post(model.speech_url, json=ORDER | {"input": "w7 w9"})
    assert answer.status_code == 200
    # The test's voice says 200 ms for each of these words.
    assert len(answer.content) == 2 * 1600 * 3 * 2


async def test_a_voice_that_breaks_is_an_error_of_that_request_alone(
    components: Any, web: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Hoarse:
        def speak(self, text: str) -> Any:
            raise RuntimeError("no voice")

    voice, components.voice = components.voice, Hoarse()
    async with local_model(components) as model:
        assert (await web.post(model.speech_url, json=ORDER)).status_code == 500
        assert "speech request failed" in caplog.text
        components.voice = voice
        assert (await web.post(model.speech_url, json=ORDER)).status_code == 200
