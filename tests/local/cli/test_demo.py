"""The demo as a command: it is ready soon, its page is there, and Ctrl-C ends all of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from hookflash.cli import main

pytestmark = pytest.mark.timeout(240)
SETTINGS = ("OPENAI_API_KEY", "HOOKFLASH_", "TWILIO_", "DISPLAY", "WAYLAND_DISPLAY")


@contextlib.asynccontextmanager
async def demo(folder: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)
    }
    command = (sys.executable, "-m", "hookflash", "demo", "--port", "0")
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    told: list[str] = []
    try:
        assert child.stdout is not None
        while not told or "ready after" not in told[-1]:
            line = (await child.stdout.readline()).decode()
            assert line, told
            told.append(line.strip())
        yield child, told
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()


def children(pid: int) -> list[int]:
    """Return the processes that `pid` started and that are still there."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]


@pytest.mark.realtime
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_it_is_ready_tells_where_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    async with demo(tmp_path) as (child, told):
        assert any(line.startswith("hookflash: loading") for line in told), told
        (address,) = (line for line in told if line.startswith("http://127.0.0.1:"))
        async with httpx.AsyncClient() as client:
            page = await client.get(address)
            assert page.status_code == 200 and "hookflash" in page.text.lower()
            offer = (await client.get(f"{address}offer.json")).json()
            assert offer["agent"] == "Riverside Books" and len(offer["humans"]) == 1
            front = await client.get(address.removesuffix("demo/"))
            assert front.headers["location"] == "/demo/"
        (model,) = children(child.pid)
        child.send_signal(signal.SIGINT)
        assert await child.wait() == 0
        assert child.stdout is not None
        assert b"Traceback" not in await child.stdout.read()
        with pytest.raises(ProcessLookupError):
            os.kill(model, 0)


@pytest.mark.realtime
def test_a_taken_port_is_told_before_anything_is_loaded(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as left:
            main(["demo", "--port", str(port), "--no-open"])
    assert left.value.code == 2
    told = capsys.readouterr()
    assert f"port {port}" in told.err and "choose another --port" in told.err
    assert "loading" not in told.out


@pytest.mark.parametrize("option", [["--json"], ["--out", "folder"]])
def test_what_belongs_to_headless_is_refused_without_it(
    capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["demo", *option])
    assert left.value.code == 2
    assert "--headless" in capsys.readouterr().err
