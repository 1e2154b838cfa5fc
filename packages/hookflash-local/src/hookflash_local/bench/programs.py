"""The two programs in C that the relay is measured with: found, compiled, run.

resource          acquired     released
a folder          `compiled`   when its block ends
a child process   `Load.start` `Load.stop`
its reading task  `Load.start` `Load.stop`
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from hookflash.errors import ConfigError, HookflashError
from hookflash_local.bench.processes import Seat

_FLAGS = ("-O2", "-Wall", "-Wextra", "-Wno-unused-function")
_REPLY_SECONDS = 20.0


class BenchError(HookflashError):
    """A measurement could not be made; the text says which part failed, and what it said."""

    code = "bench_failed"


@dataclass(frozen=True)
class Programs:
    """Where the compiled programs are, and the library that makes a disk slow."""

    relay: Path
    load: Path
    slow_disk: Path


SOURCES = Path(__file__).parent / "native"
"""The folder of the C sources."""


@contextlib.contextmanager
def compiled(compiler: str | None = None) -> Iterator[Programs]:
    """Compile the programs into a folder that is gone afterwards.

    `compiler` is its name or path; without it the first of cc, gcc and clang is taken. Raises
    `ConfigError` if there is none, or if it refuses the sources.
    """
    names = ("cc", "gcc", "clang") if compiler is None else (compiler,)
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise ConfigError(
            f"no C compiler ({', '.join(names)}) for the reference relay and the load generator:"
            " apt-get install gcc libc6-dev"
        )
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        programs = Programs(Path(folder) / "relay", Path(folder) / "load", Path(folder) / "slow.so")
        _compile(found, "relay.c", programs.relay)
        _compile(found, "load.c", programs.load)
        _compile(found, "slow_disk.c", programs.slow_disk, "-shared", "-fPIC")
        yield programs


def _compile(compiler: str, source: str, to: Path, *flags: str) -> None:
    command = [compiler, *_FLAGS, *flags, "-o", str(to), str(SOURCES / source), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(
            f"{Path(compiler).name} cannot compile native/{source} (are the C library's headers"
            f" there? apt-get install libc6-dev):\n{done.stderr[:2000]}"
        )


class Load:
    """The load generator, running. Its orders and events are told at the top of `load.c`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.model_port = 0
        self.gone: list[str] = []
        """Calls that the relay has let go, and why."""
        self._process = process
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ended = "the load generator has stopped"
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, program: Path, *, seat: Seat, certificate: tuple[Path, Path] | None = None
    ) -> Load:
        """Start it on `seat`, its model's side with TLS if there is a certificate (and key)."""
        process = await asyncio.create_subprocess_exec(
            str(program),
            "0",
            *map(str, certificate or ()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=seat.take,
        )
        load = cls(process)
        load.model_port = (await load.expect("ready"))["model_port"]
        return load

    @property
    def pid(self) -> int:
        return self._process.pid

    def order(self, *words: object) -> None:
        """Give an order, see `load.c`."""
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(map(str, words)) + "\n").encode())

    def expect(
        self, event: str, call: str = "", seconds: float = _REPLY_SECONDS
    ) -> Awaitable[dict[str, Any]]:
        """Return what an `event` (of `call`) will say. Ask before the order that brings it.

        Raises `BenchError` if it does not come within `seconds`.
        """
        key = f"{event} {call}".rstrip()
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        return self._wait(key, future, seconds)

    async def stop(self) -> None:
        """End it, whatever it is doing."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading

    async def _wait(
        self, key: str, future: asyncio.Future[dict[str, Any]], seconds: float
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            gone = f"; {len(self.gone)} calls gone, first: {self.gone[0]}" if self.gone else ""
            raise BenchError(
                f"load generator: expected '{key}' within {seconds:g} s, nothing came{gone}"
            ) from None
        finally:
            self._waiting.pop(key, None)

    async def _read(self) -> None:
        assert self._process.stdout is not None and self._process.stderr is not None
        async for line in self._process.stdout:
            said = msgspec.json.decode(line)
            event, call = said["event"], said.get("call", "")
            if event == "gone":
                self.gone.append(f"{call}: {said['why']}")
            future = self._waiting.get(f"{event} {call}".rstrip())
            if future is not None and not future.done():
                future.set_result(said)
        error = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BenchError(f"{self._ended}: {error or 'it said nothing'}"))
