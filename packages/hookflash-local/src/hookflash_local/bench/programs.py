"""Compile the C programs of the benchmark, and run the load generator.

resource          acquired     released
a folder          `compiled`   when its block ends
a child process   `LoadGenerator.start` `LoadGenerator.stop`
its reading task  `LoadGenerator.start` `LoadGenerator.stop`
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
from hookflash_local.bench.processes import Placement

_FLAGS = ("-O2", "-Wall", "-Wextra", "-Wno-unused-function")
_REPLY_SECONDS = 20.0


class BenchError(HookflashError):
    """A measurement failed; the text names the part and quotes its output."""

    code = "bench_failed"


@dataclass(frozen=True)
class Programs:
    """The paths of the compiled programs and of the library that makes a disk slow."""

    relay: Path
    load: Path
    slow_disk: Path


SOURCES = Path(__file__).parent / "native"
"""The folder of the C sources."""


@contextlib.contextmanager
def compiled(compiler: str | None = None) -> Iterator[Programs]:
    """Compile the programs into a temporary folder that is deleted afterwards.

    `compiler` is a name or path; the default is the first of cc, gcc and clang. Raises
    `ConfigError` if there is no compiler or if it fails.
    """
    names = ("cc", "gcc", "clang") if compiler is None else (compiler,)
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise ConfigError(
            "the reference relay and the load generator need a C compiler: expected one of"
            f" {', '.join(names)}, found none; apt-get install gcc libc6-dev"
        )
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        programs = Programs(Path(folder) / "relay", Path(folder) / "load", Path(folder) / "slow.so")
        _compile(found, "relay.c", programs.relay)
        _compile(found, "load.c", programs.load)
        _compile(found, "slow_disk.c", programs.slow_disk, "-shared", "-fPIC")
        yield programs


def _compile(compiler: str, source: str, to: Path, *flags: str) -> None:
    command = [compiler, *_FLAGS, *flags, "-o", str(to), str(SOURCES / source), "-ldl", "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(
            f"{Path(compiler).name} cannot compile native/{source}; if the C library's headers are"
            f" missing, apt-get install libc6-dev:\n{done.stderr[:2000]}"
        )


class LoadGenerator:
    """The running load generator. The comment at the top of `load.c` lists its commands and events.

    `gone` lists the calls whose connection the relay closed, each with the reason.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.model_port = 0
        self.gone: list[str] = []
        """Calls whose connection the relay closed, and why."""
        self._process = process
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ended = "the load generator has stopped"
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(
        cls, program: Path, *, placement: Placement, certificate: tuple[Path, Path] | None = None
    ) -> LoadGenerator:
        """Start it on `placement`. With a `certificate` (and key), its model side uses TLS."""
        process = await asyncio.create_subprocess_exec(
            str(program),
            "0",
            *map(str, certificate or ()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=placement.apply,
        )
        load = cls(process)
        load.model_port = (await load.expect("ready"))["model_port"]
        return load

    @property
    def pid(self) -> int:
        """The process ID."""
        return self._process.pid

    def order(self, *words: object) -> None:
        """Send a command (see `load.c`)."""
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(map(str, words)) + "\n").encode())

    def expect(
        self, event: str, call: str = "", seconds: float = _REPLY_SECONDS
    ) -> Awaitable[dict[str, Any]]:
        """Return an awaitable for the next `event` (of `call`). Call this before its command.

        It raises `BenchError` if the event does not come within `seconds`.
        """
        key = f"{event} {call}".rstrip()
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        return self._wait(key, future, seconds)

    async def stop(self) -> None:
        """Kill it and wait for its end."""
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
                f"load generator: expected '{key}' within {seconds:g} s, got nothing{gone}"
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
                future.set_exception(BenchError(f"{self._ended}: {error or 'it printed no error'}"))
