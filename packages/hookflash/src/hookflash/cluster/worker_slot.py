"""A worker's slot: what it inherits from the parent process, and the heartbeat between them.

parent process                  worker
    |---- starts it in a slot ----->|
    |<--- "r" listening ------------|
    |<--- "." once a second --------|    if missing: the worker hangs and is killed
    |---- end of file ------------->|    the parent is gone: drain and stop

resource               acquired             released
listening socket       inherited            by the user of listening()
parent connection      inherited            when the block of `heartbeat` ends
the timer              `heartbeat`          when its block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from hookflash.cluster.worker_sockets import NAME
from hookflash.errors import ConfigError

BEAT_SECONDS = 1.0
READY, BEAT = b"r", b"."


@dataclass(frozen=True)
class WorkerSlot:
    """A worker's slot and inherited descriptors.

    `slot` counts from 1 and is reused after a crash; `name` is used once. `listener` and `line` are
    the numbers of inherited descriptors: the shared port, and the connection to the parent.
    """

    slot: int
    name: str
    listener: int
    line: int

    def __str__(self) -> str:
        """Return the text for the worker's command line."""
        return f"{self.slot}:{self.name}:{self.listener}:{self.line}"

    @classmethod
    def parse(cls, text: str) -> WorkerSlot:
        found = re.fullmatch(r"(\d{1,3}):([^:]+):(\d{1,6}):(\d{1,6})", text)
        if found is None or not NAME.fullmatch(found[2]):
            raise ConfigError("--worker-slot is set by the parent process: use --workers instead")
        return cls(int(found[1]), found[2], int(found[3]), int(found[4]))

    def listening(self) -> socket.socket:
        """Return the listening socket that all workers share."""
        return socket.socket(fileno=self.listener)


@contextlib.asynccontextmanager
async def heartbeat(
    worker_slot: WorkerSlot, on_orphaned: Callable[[], None]
) -> AsyncIterator[Callable[[], None]]:
    """Send heartbeats while the block runs. Yields a function that reports that the worker
    listens."""
    loop = asyncio.get_running_loop()
    line = socket.socket(fileno=worker_slot.line)
    line.setblocking(False)
    timer: asyncio.TimerHandle | None = None

    def say(what: bytes) -> None:
        # A full connection means that the parent process hangs. Do not wait for it.
        with contextlib.suppress(OSError):
            line.send(what)

    def beat() -> None:
        nonlocal timer
        say(BEAT)
        timer = loop.call_later(BEAT_SECONDS, beat)

    def heard() -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                gone = not line.recv(64)
            except ConnectionError:
                gone = True
            if gone:
                loop.remove_reader(line.fileno())
                on_orphaned()

    loop.add_reader(line.fileno(), heard)
    beat()
    try:
        yield lambda: say(READY)
    finally:
        if timer is not None:
            timer.cancel()
        loop.remove_reader(line.fileno())
        line.close()
