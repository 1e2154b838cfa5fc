"""A worker's place under its supervisor: what it inherits, and how each knows that the other lives.

supervisor                      worker
    |---- starts it with a seat --->|
    |<--- "r" listening ------------|
    |<--- "." once a second --------|    none for a while: it hangs, and is killed
    |---- end of file ------------->|    the supervisor is gone: drain and stop

resource             acquired             released
listening socket     inherited            take()'s caller closes it
line to supervisor   inherited            when the block of `beating` ends
the beat             `beating`            when its block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from hookflash.cluster.places import NAME
from hookflash.errors import ConfigError

BEAT_SECONDS = 1.0
READY, BEAT = b"r", b"."


@dataclass(frozen=True)
class Seat:
    """`slot` counts from 1 and is taken again after a crash; `name` is used once.

    `listener` and `line` are the numbers of inherited descriptors.
    """

    slot: int
    name: str
    listener: int
    line: int

    def __str__(self) -> str:
        """Return the seat as a worker's command line carries it."""
        return f"{self.slot}:{self.name}:{self.listener}:{self.line}"

    @classmethod
    def parse(cls, text: str) -> Seat:
        found = re.fullmatch(r"(\d{1,3}):([^:]+):(\d{1,6}):(\d{1,6})", text)
        if found is None or not NAME.fullmatch(found[2]):
            raise ConfigError("--seat is given by the supervisor: use --workers")
        return cls(int(found[1]), found[2], int(found[3]), int(found[4]))

    def listening(self) -> socket.socket:
        """Return the listening socket that all workers share."""
        return socket.socket(fileno=self.listener)


@contextlib.asynccontextmanager
async def beating(seat: Seat, on_orphaned: Callable[[], None]) -> AsyncIterator[Callable[[], None]]:
    """Beat while the block runs; yields what tells the supervisor that the worker listens."""
    loop = asyncio.get_running_loop()
    line = socket.socket(fileno=seat.line)
    line.setblocking(False)
    timer: asyncio.TimerHandle | None = None

    def say(what: bytes) -> None:
        # A line that is full has a supervisor that hangs: it is not for us to wait for it.
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
