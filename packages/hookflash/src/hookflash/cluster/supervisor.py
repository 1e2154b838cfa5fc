"""The parent of a line's workers: starts them, starts them again, stops them.

    each slot:   STARTING --ready--> SERVING --died--> WAITING --back-off--> STARTING
                    |                   |                 |
                    +-- SIGTERM: passed on, waited for ---+--> DONE

It serves nothing and holds no call, so that there is little in it that could fail. The listening
socket is opened here and shared: a connection that nobody has accepted yet survives the death of
any worker. The first worker is waited for before the others are started, so that what cannot
start at all says so once. Exit codes: that of the worker that could not start; 0 after SIGTERM
or SIGINT if every worker ended cleanly, else 1.

    resource            acquired           released
    listening socket    given              its giver's
    signal handlers     run()              when run() returns
    a worker            its slot's task    ended before run() returns
    line to a worker    with the worker    with the worker
    a slot's task       run()              awaited before run() returns
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence

from hookflash.cluster.places import new_name
from hookflash.cluster.seat import READY, Seat

log = logging.getLogger("hookflash.workers")

SILENT_SECONDS = 20.0
"""How long a worker's event loop may stand still before the worker is killed."""

START_SECONDS = 60.0
"""How long a worker may take to listen."""


class BackOff:
    """How long to wait before a worker is started again: longer each time, up to a bound.

    One that lived for `steady_seconds` is trusted again. Times are seconds of any clock.
    """

    def __init__(
        self, first_seconds: float = 0.1, most_seconds: float = 30.0, steady_seconds: float = 60.0
    ) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._steady = steady_seconds
        self._next = first_seconds

    def died(self, lived_seconds: float) -> float:
        """Return how long to wait, for a worker that lived this long."""
        if lived_seconds >= self._steady:
            self._next = self._first
        wait = self._next
        self._next = min(self._most, self._next * 2)
        return wait


Command = Callable[[Seat], Sequence[str]]
"""The command line of the worker in a seat."""


class Supervisor:
    """Runs `workers` processes of `command` on one listening socket."""

    def __init__(
        self,
        command: Command,
        listener: socket.socket,
        *,
        workers: int,
        silent_seconds: float = SILENT_SECONDS,
        make_back_off: Callable[[], BackOff] = BackOff,
    ) -> None:
        self._command = command
        self._listener = listener
        self._workers = workers
        self._silent_seconds = silent_seconds
        self._make_back_off = make_back_off
        self._living: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._codes: list[int] = []

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """Run until SIGTERM or SIGINT and return the exit code.

        `on_ready` is called when the first worker listens.
        """
        with self._signals():
            first_ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            slots = [asyncio.create_task(self._keep(1, first_ready))]
            code = await first_ready
            if code == 0 and not self._stopping.is_set():
                on_ready()
                slots += [
                    asyncio.create_task(self._keep(slot)) for slot in range(2, self._workers + 1)
                ]
            await asyncio.gather(*slots)
        return code or (1 if any(self._codes) else 0)

    @property
    def living(self) -> dict[int, int]:
        """The process id of the worker in each slot that has one."""
        return {slot: process.pid for slot, process in self._living.items()}

    # --- a slot -------------------------------------------------------------------------------

    async def _keep(self, slot: int, first_ready: asyncio.Future[int] | None = None) -> None:
        """Have a worker in `slot` until we are to stop."""
        back_off = self._make_back_off()
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code, was_ready = await self._live(slot, first_ready)
            if self._stopping.is_set():
                self._codes.append(code)
                break
            if first_ready is not None and not was_ready and not first_ready.done():
                first_ready.set_result(code or 1)
                return
            wait = back_off.died(loop.time() - began)
            log.error("! worker %d ended with %d: another in %g s", slot, code, wait)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
        if first_ready is not None and not first_ready.done():
            first_ready.set_result(0)

    async def _live(self, slot: int, first_ready: asyncio.Future[int] | None) -> tuple[int, bool]:
        """The life of one worker: its exit code, and whether it ever listened."""
        ours, theirs = socket.socketpair()
        seat = Seat(slot, new_name(slot), self._listener.fileno(), theirs.fileno())
        with ours:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._command(seat),
                    pass_fds=(seat.listener, seat.line),
                    stdin=subprocess.DEVNULL,
                    # A Ctrl-C in the terminal is for us; what becomes of the workers we say.
                    process_group=0,
                )
            self._living[slot] = process
            if self._stopping.is_set():
                process.terminate()
            reader, writer = await asyncio.open_connection(sock=ours)
            listening = asyncio.create_task(self._listen_to(process, reader, first_ready))
            try:
                code = await process.wait()
            finally:
                listening.cancel()
                heard = (await asyncio.gather(listening, return_exceptions=True))[0]
                del self._living[slot]
                writer.close()
        return code, heard is True or (first_ready is not None and first_ready.done())

    async def _listen_to(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        first_ready: asyncio.Future[int] | None,
    ) -> bool:
        """Hear a worker's heart until it stops; one that hangs is killed."""
        ready, seconds = False, max(START_SECONDS, self._silent_seconds)
        while True:
            try:
                async with asyncio.timeout(seconds):
                    heard = await reader.read(1024)
            except TimeoutError:
                log.error("! a worker has not been heard for %g s and is killed", seconds)
                self._kill(process)
                return ready
            if not heard:
                return ready
            if READY in heard:
                ready, seconds = True, self._silent_seconds
                if first_ready is not None and not first_ready.done():
                    first_ready.set_result(0)

    # --- the end ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM and SIGINT ask every worker to drain; again, to close at once."""
        loop = asyncio.get_running_loop()

        def asked() -> None:
            self._stopping.set()
            for process in self._living.values():
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    @staticmethod
    def _kill(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
