"""Open a tunnel to the local port: by the program cloudflared or ngrok, or the package ngrok.

resource          acquired       released
the program       `open_tunnel`  terminated when its block ends; killed if it does not end
reader of output  `open_tunnel`  when the program ends
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import importlib
import importlib.util
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from hookflash.errors import ConfigError, HookflashError

READY_SECONDS = 30.0
_END_SECONDS = 5.0
_LINES = 8

_OWN_PAGES = re.compile(r"https://(?:developers|www|dash|dashboard|one)\.", re.IGNORECASE)
_URL = re.compile(r"https://[a-z0-9][a-z0-9.-]*\.[a-z]+", re.IGNORECASE)
_KNOWN = re.compile(
    r"https://[\w-]+(?:\.[\w-]+)*\.(?:trycloudflare\.com|ngrok\.(?:app|io|dev)|ngrok-free\.(?:app|dev))",
    re.IGNORECASE,
)


def tunnel_command(program: str | None, port: int) -> list[str]:
    """Return the command that opens a tunnel. Raises `ConfigError` if no program is installed."""
    if program is None:
        program = _installed()
        if program is None:
            raise ConfigError(
                "--tunnel needs a tunnel program: install cloudflared or ngrok, name another one"
                " with --tunnel-program, or `pip install 'ngrok>=1.4'`"
            )
    elif shutil.which(program) is None:
        raise ConfigError(f"--tunnel-program: there is no program {program}")
    if Path(program).name.startswith("ngrok"):
        return [program, "http", str(port), "--log", "stdout"]
    return [program, "tunnel", "--url", f"http://127.0.0.1:{port}", "--no-autoupdate"]


def _installed() -> str | None:
    return shutil.which("cloudflared") or shutil.which("ngrok")


@contextlib.asynccontextmanager
async def _by_package(port: int, seconds: float) -> AsyncIterator[Tunnel]:
    """Open a tunnel with the package ngrok, which reads its token from NGROK_AUTHTOKEN."""
    ngrok = importlib.import_module("ngrok")
    try:
        async with asyncio.timeout(seconds):
            listener = await ngrok.forward(port, authtoken_from_env=True)
    except Exception as error:
        # The package raises plain errors, such as for a missing token.
        raise HookflashError(f"the package ngrok opened no tunnel: {error}") from error
    try:
        yield Tunnel(str(listener.url()), asyncio.Event())
    finally:
        await listener.close()


def address_in(line: str, *, known: bool) -> str | None:
    """Return the tunnel's public address in a line of output, or None.

    The programs print addresses of their own pages, too. Of a `known` program, only the addresses
    that it gives to tunnels count.
    """
    if known:
        match = _KNOWN.search(line)
        return match[0] if match else None
    return next((each[0] for each in _URL.finditer(line) if not _OWN_PAGES.match(each[0])), None)


class Tunnel:
    """A tunnel that is open. `gone` is set when its program has ended."""

    def __init__(self, url: str, gone: asyncio.Event) -> None:
        self.url = url
        self.gone = gone


@contextlib.asynccontextmanager
async def open_tunnel(
    port: int, *, program: str | None = None, seconds: float = READY_SECONDS
) -> AsyncIterator[Tunnel]:
    """Open a tunnel to `port` of this machine.

    Without a program, an installed one is used, or else the package `ngrok`. Raises `ConfigError`
    if there is none of them, and `HookflashError`, with the program's last words, if it gives no
    address within `seconds`.
    """
    if program is None and not _installed() and importlib.util.find_spec("ngrok") is not None:
        async with _by_package(port, seconds) as tunnel:
            yield tunnel
        return
    command = tunnel_command(program, port)
    known = Path(command[0]).name.startswith(("cloudflared", "ngrok"))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # Ctrl-C in the terminal is for the server, which ends the tunnel last.
        start_new_session=True,
    )
    assert process.stdout is not None, "it was started with a pipe"
    output = process.stdout
    last: collections.deque[str] = collections.deque(maxlen=_LINES)
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    gone = asyncio.Event()

    async def read() -> None:
        async for line in output:
            text = line.decode("utf-8", "replace").rstrip()
            last.append(text)
            url = address_in(text, known=known)
            if url is not None and not found.done():
                found.set_result(url)
        gone.set()
        if not found.done():
            found.cancel()

    reading = asyncio.create_task(read())
    try:
        try:
            async with asyncio.timeout(seconds):
                url = await asyncio.shield(found)
        except (TimeoutError, asyncio.CancelledError):
            if not found.cancelled() and not found.done() and not gone.is_set():
                reason = f"gave no address within {seconds:g} s"
            elif gone.is_set():
                reason = "has ended before it gave an address"
            else:
                raise
            words = "".join(f"\n    {line}" for line in last)
            raise HookflashError(f"the tunnel program {command[0]} {reason}{words}") from None
        yield Tunnel(url, gone)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.wait([reading])
