"""Run the stand-in model in its own process.

async with ModelProcess(mode="local", on_progress=print) as model:
    ...                                  # connect to model.url

resource        | acquired    | released
child process   | __aenter__  | __aexit__: its standard input is closed, then it is killed
stderr reader   | __aenter__  | when the child ends
stdout reader   | when ready  | when the child ends
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from hookflash.errors import ConfigError, ModelError
from hookflash_local.model.speech.speech_options import SpeechOptions

log = logging.getLogger("hookflash.call.standin.model")

_END_SECONDS = 5.0
_LONGEST_LINE = 1024 * 1024

Progress = Callable[[str, float], None]


class ModelProcess:
    """The stand-in model in a child process. `url` is set when it is ready.

    In scripted mode, `unmet` is set at the end. In local mode, `options` choose weights and a
    language model (by default from the environment), and `speech_url` is the URL of its speech
    service: pass it to a `speech_client.SpeechClient`.

    Raises `ConfigError` if the child reports that something is missing. Raises `ModelError`, which
    quotes the end of its standard error, if it ends early or is not ready within `ready_seconds`.
    """

    def __init__(
        self,
        *,
        mode: Literal["local", "scripted"] = "local",
        script: Path | None = None,
        port: int = 0,
        speed: float = 1.0,
        network_ms: float = 0.0,
        pace: float | None = None,
        options: SpeechOptions | None = None,
        on_progress: Progress | None = None,
        ready_seconds: float = 60.0,
    ) -> None:
        self.url = ""
        self.speech_url = ""
        self.unmet: str | None = None
        self._arguments = ["--mode", mode, "--port", str(port), "--speed", str(speed)]
        self._arguments += ["--network-ms", str(network_ms), "--parent-pid", str(os.getpid())]
        self._arguments += ["--script", str(script)] if script else []
        self._arguments += ["--pace", str(pace)] if pace else []
        self._options = options
        self._on_progress = on_progress
        self._ready_seconds = ready_seconds
        self._child: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._stderr_lines: collections.deque[str] = collections.deque(maxlen=20)

    @property
    def pid(self) -> int:
        """The child's process ID, after its start."""
        assert self._child is not None, "use `async with`"
        return self._child.pid

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", "hookflash_local.model", *self._arguments]
        pipe = asyncio.subprocess.PIPE
        environment = {**os.environ, **self._options.environment()} if self._options else None
        self._child = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_LONGEST_LINE, env=environment
        )
        self._readers.append(asyncio.create_task(self._read_stderr(self._child)))
        try:
            async with asyncio.timeout(self._ready_seconds):
                while not self.url:
                    self._take(await self._line(self._child))
        except TimeoutError:
            await self._end(self._child)
            raise ModelError(
                f"the stand-in model is not ready within {self._ready_seconds:g} s"
                f"{self._stderr_tail()}"
            ) from None
        except BaseException:
            # Also if the start is cancelled: the child process must not outlive it.
            await self._end(self._child)
            raise
        self._readers.append(asyncio.create_task(self._read_stdout(self._child)))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._child is not None:
            await self._end(self._child)

    async def _line(self, child: asyncio.subprocess.Process) -> dict[str, Any]:
        assert child.stdout is not None, "the child was started with a pipe"
        line = await child.stdout.readline()
        if not line:
            await asyncio.wait(self._readers)
            raise ModelError(
                "the stand-in model ended before it was ready; its last lines of standard error:"
                f"{self._stderr_tail()}"
            )
        message: dict[str, Any] = json.loads(line)
        return message

    def _take(self, message: dict[str, Any]) -> None:
        if "error" in message:
            raise (ConfigError if message.get("code") == "config" else ModelError)(message["error"])
        if "progress" in message and self._on_progress is not None:
            self._on_progress(message["progress"], message["fraction"])
        self.url = message.get("url", self.url)
        self.speech_url = message.get("speech_url", self.speech_url)
        self.unmet = message.get("unmet", self.unmet)

    async def _read_stdout(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None, "the child was started with a pipe"
        async for line in child.stdout:
            self._take(json.loads(line))

    async def _read_stderr(self, child: asyncio.subprocess.Process) -> None:
        assert child.stderr is not None, "the child was started with a pipe"
        async for line in child.stderr:
            text = line.decode("utf-8", "replace").rstrip()
            self._stderr_lines.append(text)
            log.debug("model stand-in: %s", text)

    def _stderr_tail(self) -> str:
        return "".join(f"\n    {line}" for line in self._stderr_lines)

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        if child.stdin is not None:
            child.stdin.close()
            with contextlib.suppress(ConnectionError):
                await child.stdin.wait_closed()
        try:
            async with asyncio.timeout(_END_SECONDS):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        if self._readers:
            await asyncio.wait(self._readers)
