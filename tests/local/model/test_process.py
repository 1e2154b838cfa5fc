"""The stand-in as a process of its own: it tells when it is ready, and ends with its parent."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import connect

from hookflash.errors import ConfigError, ModelError
from hookflash_local.model import __main__ as program
from hookflash_local.model.process import ModelProcess
from hookflash_local.model.speech import SpeechOptions, assets
from hookflash_local.model.speech.pcm import pcm16_to_mulaw, resample
from hookflash_local.model.speech_client import SpeechClient

KEY = {"Authorization": "Bearer any"}
SCRIPT = [{"expect": "response.create"}, {"say": {"item": "a", "ms": 100}}]


def written(path: Path, script: Any) -> Path:
    path.write_text(json.dumps(script), encoding="utf-8")
    return path


async def perform(url: str) -> None:
    """Ask for a response, and read it to its end."""
    async with connect(f"{url}?model=m", additional_headers=KEY) as socket:
        assert json.loads(await socket.recv())["type"] == "session.created"
        await socket.send('{"type": "response.create"}')
        while json.loads(await socket.recv())["type"] != "response.done":
            pass


# --- what the process does --------------------------------------------------------------------


class Program:
    """The program, in this process. `told` is what it writes; `input_ends` ends it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.input_ends = asyncio.Event()

        async def ended(parent_pid: int | None) -> None:
            await self.input_ends.wait()

        monkeypatch.setattr(program, "_ended", ended)

    async def serve(self, *arguments: str) -> None:
        await program._serve(program._arguments(list(arguments)), self.told.put_nowait)


@pytest.mark.parametrize("performed", [True, False])
async def test_a_script_is_served_and_what_it_missed_is_told_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, performed: bool
) -> None:
    script = written(tmp_path / "script.json", SCRIPT)
    served = Program(monkeypatch)
    task = asyncio.create_task(served.serve("--mode", "scripted", "--script", str(script)))
    ready = await served.told.get()
    assert ready["ready"] is True
    assert ready["url"].startswith("ws://127.0.0.1:")
    if performed:
        await perform(ready["url"])
    served.input_ends.set()
    await task
    unmet = served.told.get_nowait()["unmet"]
    assert unmet is None if performed else "not reached: step 1, expect" in unmet


@pytest.mark.parametrize("text", ["{", "{}", '[{"shout": 1}]'])
async def test_a_wrong_script_is_a_config_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    script = tmp_path / "script.json"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="script"):
        await Program(monkeypatch).serve("--mode", "scripted", "--script", str(script))


async def test_weights_that_are_incomplete_are_a_config_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOKFLASH_WHISPER_MODEL", str(tmp_path))
    with pytest.raises(ConfigError, match=r"HOOKFLASH_WHISPER_MODEL.*has no model\.bin"):
        await Program(monkeypatch).serve("--mode", "local")


# --- processes --------------------------------------------------------------------------------


@pytest.mark.realtime
async def test_a_process_serves_tells_what_is_wrong_and_ends_with_its_input(
    tmp_path: Path,
) -> None:
    script = written(tmp_path / "script.json", SCRIPT)
    async with ModelProcess(mode="scripted", script=script, speed=10) as model:
        assert model.url.startswith("ws://127.0.0.1:")
        await perform(model.url)
        child = model.pid
        os.kill(child, 0)
        port = int(model.url.split(":")[2].split("/")[0])
        with pytest.raises(ConfigError, match=str(port)):
            async with ModelProcess(mode="scripted", port=port):
                pass
    assert model.unmet is None
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)

    async with ModelProcess(mode="scripted", script=script) as model:
        pass
    assert model.unmet is not None
    assert "not reached: step 1, expect" in model.unmet

    with pytest.raises(ConfigError, match=r"HOOKFLASH_WHISPER_MODEL.*has no model\.bin"):
        async with ModelProcess(options=SpeechOptions(whisper_model=tmp_path)):
            pass


@pytest.mark.realtime
async def test_a_process_that_is_not_ready_in_time_is_ended() -> None:
    model = ModelProcess(mode="scripted", ready_seconds=0.001)
    with pytest.raises(ModelError, match="not ready within"):
        await model.__aenter__()
    with pytest.raises(ProcessLookupError):
        os.kill(model.pid, 0)


@pytest.mark.realtime
async def test_local_speech_with_weights_of_the_owners_tells_its_progress_and_talks(
    tmp_path: Path,
) -> None:
    pinned, voice = assets.whisper_directory(None), assets.piper_voice(None)
    for file in (*pinned.iterdir(), voice, voice.with_name(voice.name + ".json")):
        (tmp_path / file.name).symlink_to(file)
    options = SpeechOptions(whisper_model=tmp_path, piper_voice=tmp_path / voice.name)
    told: list[float] = []
    async with ModelProcess(
        options=options, on_progress=lambda doing, fraction: told.append(fraction)
    ) as model:
        assert told == sorted(told)
        assert told[-1] == 1.0
        async with connect(f"{model.url}?model=m", additional_headers=KEY) as socket:
            pcmu = {"format": {"type": "audio/pcmu"}}
            heard = {**pcmu, "transcription": {"model": "any"}}
            session = {"type": "realtime", "audio": {"input": heard, "output": pcmu}}
            greeting = {"instructions": "Say exactly: Good morning, how can I help you?"}
            await socket.send(json.dumps({"type": "session.update", "session": session}))
            await socket.send(json.dumps({"type": "response.create", "response": greeting}))
            spoken = bytearray()
            while (event := json.loads(await socket.recv()))["type"] != "response.done":
                if event["type"] == "response.output_audio.delta":
                    spoken += base64.b64decode(event["delta"])
            assert event["response"]["status"] == "completed"
            assert len(spoken) > 4000
            # Its own voice, played back to it, is a caller.
            for piece in (bytes(spoken), b"\xff" * 16_000):
                audio = base64.b64encode(piece).decode()
                await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": audio}))
            completed = "conversation.item.input_audio_transcription.completed"
            while (event := json.loads(await socket.recv()))["type"] != completed:
                pass
            assert event["transcript"]
        speech = SpeechClient(model.speech_url)
        whisper = await speech.speak("A caller about an order. Press one to accept.")
        assert "order" in (await speech.transcribe(whisper)).text
        async with httpx.AsyncClient(headers={"Authorization": "Bearer any"}) as web:
            answer = await web.post(
                model.url.replace("ws:", "http:").replace("realtime", "audio/speech"),
                json={
                    "model": "any",
                    "input": "One moment, please.",
                    "voice": "marin",
                    "response_format": "pcm",
                },
                timeout=60.0,
            )
        # Its voice is the local one: a third of the samples is telephone sound.
        pcm = np.frombuffer(answer.content, dtype="<i2").astype(np.int16)
        said = pcm16_to_mulaw(resample(pcm, 24_000, 8_000))
        assert "moment" in (await speech.transcribe(said)).text.lower()
