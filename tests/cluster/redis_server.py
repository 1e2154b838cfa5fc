"""A Redis server of the test's own, from Debian's package."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RedisServer:
    """A server without persistence on a port of this machine. Enter it to start it.

    `sentinel` is the configuration of a sentinel, which it then is.
    """

    def __init__(self, folder: Path, *options: str, sentinel: Path | None = None) -> None:
        self.port = free_port()
        self._folder = folder
        self._options: tuple[str, ...] = ("--save", "", "--appendonly", "no", *options)
        if sentinel is not None:
            self._options = (str(sentinel), "--sentinel", *options)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.fail("Redis is not installed: apt-get install redis-server", pytrace=False)
        self._process = subprocess.Popen(
            [
                program,
                *self._options,
                *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        raise AssertionError("redis-server does not listen")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self, *, paused: bool) -> None:
        """Stop the process, so that it accepts and answers nothing; or let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)
