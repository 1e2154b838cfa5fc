"""`hookflash serve` as a process: settings by environment, a call, SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hookflash.cli import main
from hookflash_local.carrier import Human, Line, NumberConfig, StandinCarrier
from hookflash_local.model.scripted import ScriptedModel

from .conftest import CALLER, LINE, PUBLIC, SPEED, eventually, samples
from .test_handoff import FRAME, GREETING, HUMAN, asked_to, desk, greeted, say

EXAMPLES = Path(__file__).parents[2] / "examples"


class Served:
    """A line in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said += line.decode()

    async def port(self) -> int:
        await eventually(lambda: "port" in self.said or self.process.returncode is not None)
        found = re.search(r"port (\d+)", self.said)
        assert found, self.said
        return int(found[1])

    async def end(self) -> int:
        code = await self.process.wait()
        await self._reading
        return code


@contextlib.asynccontextmanager
async def served(folder: Path, **environ: str) -> AsyncIterator[Served]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hookflash", "serve", str(EXAMPLES / "03_handoff.py"), "--port", "0"),
        cwd=folder,
        env={
            **{name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"},
            "HOOKFLASH_DATA_DIR": str(folder),
            "HOOKFLASH_SPEED": str(SPEED),
            **environ,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    line = Served(process)
    try:
        yield line
    finally:
        if process.returncode is None:
            process.kill()
        await line.end()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what `hookflash serve` says when it does not start."""
    with pytest.raises(SystemExit) as left:
        main(["serve", *arguments])
    assert left.value.code == 2
    return capsys.readouterr().err


def test_serve_refuses_to_start_and_names_all_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("HOOKFLASH_MODEL_URL", "wss://model.example.com/v1/realtime")
    said = refused(capsys, str(EXAMPLES / "03_handoff.py"), "--port", "0")
    for name in ("HOOKFLASH_PUBLIC_URL", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "OPENAI_API"):
        assert name in said
    assert "Traceback" not in said


@pytest.mark.realtime
async def test_with_json_logs_every_line_is_an_object(tmp_path: Path) -> None:
    environ = {
        "HOOKFLASH_PUBLIC_URL": PUBLIC,
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "token",
        "HOOKFLASH_TWILIO_API_URL": "http://127.0.0.1:9",
        "HOOKFLASH_MODEL_URL": "ws://127.0.0.1:9/v1/realtime",
        "HOOKFLASH_LOG_FORMAT": "json",
        "HOOKFLASH_NO_SETTING": "1",
    }
    async with served(tmp_path, **environ) as line:
        port = await line.port()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.post("/twilio/voice", content=b"CallSid=CA1")).status_code == 403
            assert (await client.get("/metrics")).status_code == 403
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"this is no HTTP\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
        writer.close()
        line.process.send_signal(signal.SIGTERM)
        assert await line.end() == 0
    found = [json.loads(each) for each in line.said.splitlines()]
    assert all(each.keys() >= {"time", "level", "logger", "message"} for each in found)
    told = [(each["logger"], each["level"], each["message"]) for each in found]
    for logger, level, text in (
        ("hookflash.settings", "WARNING", "HOOKFLASH_NO_SETTING"),
        ("hookflash.server", "INFO", f"port {port}"),
        ("hookflash.server", "WARNING", f"{PUBLIC}/twilio/voice"),
        ("hookflash.server", "WARNING", "HOOKFLASH_METRICS_TOKEN"),
        ("hookflash.server", "WARNING", "from 127.0.0.1 refused or closed"),
    ):
        assert any(each[:2] == (logger, level) and text in each[2] for each in told), (text, told)


@pytest.mark.realtime
async def test_sigterm_brings_a_live_call_to_a_human_and_ends_cleanly(tmp_path: Path) -> None:
    async with ScriptedModel(speed=SPEED) as model, StandinCarrier(speed=SPEED) as carrier:
        model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        environ = {
            "HOOKFLASH_PUBLIC_URL": PUBLIC,
            "TWILIO_ACCOUNT_SID": carrier.account_sid,
            "TWILIO_AUTH_TOKEN": carrier.auth_token,
            "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
            "HOOKFLASH_MODEL_URL": model.url,
            "HOOKFLASH_DRAIN_SECONDS": "1",
        }
        async with served(tmp_path, **environ) as line:
            port = await line.port()
            origin = f"http://127.0.0.1:{port}"
            carrier.tunnel[PUBLIC] = origin
            carrier.numbers[LINE] = NumberConfig(
                f"{PUBLIC}/twilio/voice", status_callback=f"{PUBLIC}/twilio/status"
            )
            carrier.humans["+15550102"] = Human(answer_after=6.0, script=desk)
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"{origin}/readyz")).status_code == 200

                async def script(telephone: Line) -> None:
                    await greeted(telephone)
                    line.process.send_signal(signal.SIGTERM)

                call = await carrier.place_call(from_=CALLER, to=LINE, script=script)
                await call.timeline.until("initiated")  # by whichever road
                assert (await client.get(f"{origin}/healthz")).status_code == 200
                assert (await client.get(f"{origin}/readyz")).status_code == 503
            await call.timeline.until("bridged")
            await call.ended()
            assert await line.end() == 0
        assert samples(call.recording().heard, HUMAN) >= 8000 - FRAME
        assert "Traceback" not in line.said
