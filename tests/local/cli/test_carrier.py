"""`hookflash carrier`: options that are refused, and the guide's page, followed step by step."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.local.carrier.phone_parts import page

from hookflash.cli import main
from hookflash_local.carrier.media import sounds

pytestmark = pytest.mark.timeout(240)
GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "local-twilio.md"
VOICE = "http://127.0.0.1:5000/voice"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--voice-url", "127.0.0.1:5000/voice"], "--voice-url: expected an address such as"),
        (
            ["--voice-url", "https://app.example.test/voice"],
            "add --tunnel https://app.example.test=",
        ),
        (["--fallback-url", "x"], "--fallback-url: expected an address"),
        (["--status-url", "https://192.0.2.1/s"], "--status-url: https://192.0.2.1/s is not on"),
        (["--number", "0155"], "--number: expected a number such as +15550100001, got '0155'"),
        (["--human", "anna"], "--human: expected a number such as"),
        (["--human", "+15550100001"], "is a --number of the application"),
        (["--tunnel", "https://app.example.test"], "--tunnel: expected PUBLIC=LOCAL"),
        (["--tunnel", "https://a.test=http://192.0.2.1"], "expected a local address"),
        (["--tunnel", "https://a.test/x=http://127.0.0.1"], "two addresses without a path"),
        (["--account-sid", "AC1"], "--account-sid: expected AC and 32 digits"),
        (["--auth-token", ""], "--auth-token: expected 1 to 128"),
        (["--auth-token", "two words"], "--auth-token: expected 1 to 128"),
        (["--port", "8090", "--phones-port", "8090"], "are both 8090"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    given = options if "--voice-url" in options else ["--voice-url", VOICE, *options]
    with pytest.raises(SystemExit) as ended:
        main(["carrier", *given])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("hookflash: ") and told in line


@pytest.mark.realtime
@pytest.mark.parametrize("option", ["--port", "--phones-port"])
def test_a_taken_port_is_told(capsys: pytest.CaptureFixture[str], option: str) -> None:
    other = {"--port": "--phones-port", "--phones-port": "--port"}[option]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(SystemExit) as ended:
            main(["carrier", "--voice-url", VOICE, option, port, other, "0"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert port in line and "choose another port" in line


# --- the guide ------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.S)


def write_guide(folder: Path) -> None:
    """Write the guide's Python files, each named by its first line."""
    for block in blocks("python"):
        (folder / block.partition("\n")[0].removeprefix("# ")).write_text(block)


def free_ports() -> dict[str, str]:
    """Return a free port in place of each of the guide's."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        free = [str(each.getsockname()[1]) for each in taken]
    return dict(zip(("5000", "8090", "8091"), free, strict=True))


@contextlib.asynccontextmanager
async def running(
    folder: Path, command: list[str], ready: str, **environ: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, list[str]]]:
    """Run a command of the guide until it prints `ready`; yield it, and what it printed so far."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        cwd=folder,
        env={**os.environ, **environ, "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told: list[str] = []
    try:
        assert child.stdout is not None
        while not told or ready not in told[-1]:
            line = (await child.stdout.readline()).decode()
            assert line, told
            told.append(line.strip())
        yield child, told
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()


@pytest.mark.realtime
async def test_the_guide_works_as_it_is_written(tmp_path: Path) -> None:
    write_guide(tmp_path)
    shell = "\n".join(blocks("sh"))
    mine = free_ports()
    for guides, free in mine.items():
        shell = shell.replace(f":{guides}", f":{free}").replace(f"port {guides}", f"port {free}")
    (start,) = re.findall(r"^hookflash (carrier --voice-url http://\S+)$", shell, re.M)
    (serve,) = re.findall(r"^flask run .*$", shell, re.M)
    environ = dict(re.findall(r"^export (\w+)=(.*)$", shell, re.M))
    (form, remind) = re.findall(r"^curl --data-urlencode (\S+) (\S+)$", shell, re.M)[0]
    ports = ["--port", mine["8090"], "--phones-port", mine["8091"]]
    carrier = running(tmp_path, ["hookflash", *start.split(), *ports], "hookflash: ready")
    flask = running(tmp_path, serve.split(), "Running on http", **environ)
    async with carrier as (line, told), flask:
        assert {f"{name}={value}" for name, value in environ.items()} <= set(told)
        (phones,) = re.findall(r"http://127\.0\.0\.1:\d+/(?= and press Call)", "\n".join(told))

        class Served:
            url = phones

        async with page(Served(), "caller") as caller:
            await caller.ask("dial", to="+15550100001")
            await caller.until(lambda page: page.shown["wants_key"] and page.shown["said"])
            assert caller.shown["said"] == ["Press 1 for our opening hours."]
            await caller.ask("press", key="1")
            await caller.until(lambda page: "We are open from nine to five." in page.shown["said"])
            await caller.state("idle")
        async with (
            page(Served(), "human", number="+15550100002") as human,
            httpx.AsyncClient(trust_env=False) as client,
        ):
            name, _, value = form.partition("=")
            called = await client.post(remind, data={name: value})
            assert called.text.startswith("CA"), called.text
            await human.state("ringing")
            await human.ask("answer")
            await human.until(lambda page: "Your book is here." in page.shown["said"])
        line.send_signal(signal.SIGINT)
        assert await line.wait() == 0
        assert line.stdout is not None
        rest = (await line.stdout.read()).decode()
    assert f"POST http://127.0.0.1:{mine['5000']}/voice -> 200" in rest
    assert "alert" not in rest and "Traceback" not in rest
    assert rest.splitlines()[-1] == "hookflash: stopped"


@pytest.mark.realtime
async def test_with_speech_say_is_spoken(tmp_path: Path) -> None:
    write_guide(tmp_path)
    mine = free_ports()
    start = f"carrier --speech --voice-url http://127.0.0.1:{mine['5000']}/voice"
    ports = ["--port", mine["8090"], "--phones-port", mine["8091"]]
    carrier = running(tmp_path, ["hookflash", *start.split(), *ports], "hookflash: ready")
    flask = running(tmp_path, ["flask", "run", "--port", mine["5000"]], "Running on http")
    async with carrier as (line, _), flask:

        class Served:
            url = f"http://127.0.0.1:{mine['8091']}/"

        async with page(Served(), "caller") as caller:
            await caller.ask("dial", to="+15550100001")
            await caller.until(lambda page: sounds.is_sound(bytes(page.heard[-160:])))
            tones = sounds.voice_pattern("Press 1 for our opening hours.")
            await caller.until(lambda page: len(page.heard) > len(tones))
            assert tones[:400] not in caller.heard
            await caller.ask("hang-up")
        line.send_signal(signal.SIGTERM)
        assert await line.wait() == 0


@pytest.mark.realtime
def test_the_guides_tests_pass_with_nothing_configured(tmp_path: Path) -> None:
    write_guide(tmp_path)
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "2 passed" in finished.stdout
