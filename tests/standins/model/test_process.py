"""The stand-in as a process of its own: it tells when it is ready, and ends with its parent."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from hookflash.errors import ConfigError, ModelError
from hookflash.standins.model.process import ModelProcess
from hookflash.standins.model.speech_client import SpeechClient

KEY = {"Authorization": "Bearer any"}


def written(path: Path, script: Any) -> Path:
    path.write_text(json.dumps(script), encoding="utf-8")
    return path


async def test_a_script_is_served_from_a_process_that_ends_with_its_input(tmp_path: Path) -> None:
    script = written(
        tmp_path / "script.json",
        [{"expect": "response.create"}, {"say": {"item": "a", "ms": 100}}],
    )
    async with ModelProcess(mode="scripted", script=script, speed=10) as model:
        assert model.url.startswith("ws://127.0.0.1:")
        async with connect(f"{model.url}?model=m", additional_headers=KEY) as socket:
            assert json.loads(await socket.recv())["type"] == "session.created"
            await socket.send('{"type": "response.create"}')
            while json.loads(await socket.recv())["type"] != "response.done":
                pass
        child = model.pid
        os.kill(child, 0)
    assert model.unmet is None
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_what_a_script_missed_is_told_at_the_end(tmp_path: Path) -> None:
    script = written(tmp_path / "script.json", [{"expect": "response.create"}])
    async with ModelProcess(mode="scripted", script=script) as model:
        pass
    assert model.unmet is not None
    assert "not reached: step 1, expect" in model.unmet


@pytest.mark.parametrize("text", ["{", "{}", '[{"shout": 1}]'])
async def test_a_wrong_script_is_a_config_error_that_names_it(tmp_path: Path, text: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="script"):
        async with ModelProcess(mode="scripted", script=script):
            pass


async def test_a_taken_port_is_a_config_error() -> None:
    async with ModelProcess(mode="scripted") as model:
        port = int(model.url.split(":")[2].split("/")[0])
        with pytest.raises(ConfigError, match=str(port)):
            async with ModelProcess(mode="scripted", port=port):
                pass


async def test_local_speech_tells_its_progress_and_talks() -> None:
    told: list[float] = []
    async with ModelProcess(on_progress=lambda doing, fraction: told.append(fraction)) as model:
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


async def test_a_process_that_is_not_ready_in_time_is_ended() -> None:
    with pytest.raises(ModelError, match="not ready within"):
        async with ModelProcess(mode="scripted", ready_seconds=0.001):
            pass
