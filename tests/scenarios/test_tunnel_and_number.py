"""`serve --tunnel --number`: from nothing to a ringing number in one command, and back."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hookflash_local.carrier import Line, NumberConfig, StandinCarrier
from hookflash_local.model.scripted import ScriptedModel

from .conftest import CALLER, LINE, SPEED, eventually, samples
from .test_handoff import GREETING, asked_to, say

URL = "https://quiet-river.trycloudflare.com"
AGENT = """
from hookflash import Agent
agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello.")
"""
TUNNEL = f"""#!{sys.executable}
import sys, time
print("INF +---  {URL}  ---+", flush=True)
time.sleep(120)
"""


@pytest.mark.realtime
async def test_a_number_rings_through_a_tunnel_and_has_its_webhooks_back(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    program = tmp_path / "cloudflared"
    program.write_text(TUNNEL)
    program.chmod(0o700)
    before = NumberConfig("https://old.example.test/voice", status_method="GET")
    async with ScriptedModel(speed=SPEED) as model, StandinCarrier(speed=SPEED) as carrier:
        model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        carrier.numbers[LINE] = before
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "hookflash", "serve", "agent.py", "--port", "0"),
            *("--tunnel", "--tunnel-program", str(program), "--number", LINE),
            cwd=tmp_path,
            env={
                **os.environ,
                "HOOKFLASH_MODEL_URL": model.url,
                "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
                "HOOKFLASH_SPEED": str(SPEED),
                "TWILIO_ACCOUNT_SID": carrier.account_sid,
                "TWILIO_AUTH_TOKEN": carrier.auth_token,
            },
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        told = ""
        try:
            while "status webhook" not in told:
                line = (await process.stderr.readline()).decode()
                assert line, told
                told += line
            assert f"voice webhook: {URL}/twilio/voice" in told
            config = carrier.numbers[LINE]
            assert (config.voice_url, config.status_callback) == (
                f"{URL}/twilio/voice",
                f"{URL}/twilio/status",
            )
            found = re.search(r"port (\d+)", told)
            assert found is not None
            carrier.tunnel[URL] = f"http://127.0.0.1:{found[1]}"

            async def caller(phone: Line) -> None:
                await eventually(lambda: samples(phone.heard, GREETING) >= 6000)
                await phone.hang_up()

            call = await carrier.place_call(from_=CALLER, to=LINE, script=caller)
            await call.ended()
            assert samples(call.recording().heard, GREETING) >= 6000
            process.send_signal(signal.SIGINT)
            told += (await process.stderr.read()).decode()
            assert await process.wait() == 0, told
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        back = carrier.numbers[LINE]
        assert replace(back, fallback_url=None, status_callback=None) == before
        assert not back.fallback_url and not back.status_callback
        assert "are as they were before" in told
