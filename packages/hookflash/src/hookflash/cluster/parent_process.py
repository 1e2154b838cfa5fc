"""The parent process of a line's workers: starts, restarts and stops them.

    each slot:   STARTING --ready--> SERVING --died--> WAITING --back-off--> STARTING
                    |                   |                 |
                    +-- SIGTERM: passed on, waited for ---+--> DONE

The parent process serves nothing and holds no call, so little in it can fail. It opens the
listening socket that the workers share. So a connection that was not accepted yet survives the
death of any worker. The first worker must listen before the others are started, so that a
configuration error is reported once. Exit code: that of the worker that could not start; after
SIGTERM or SIGINT 0 if every worker ended cleanly, otherwise 1.

    resource            acquired           released
    listening socket    passed in          by its owner
    signal handlers     run()              when run() returns
    a worker            its slot's task    ended before run() returns
    worker connection   with the worker    with the worker
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

from hookflash.cluster.worker_slot import READY, WorkerSlot
from hookflash.cluster.worker_sockets import new_name

log = logging.getLogger("hookflash.workers")

HEARTBEAT_TIMEOUT_SECONDS = 20.0
"""How long a worker may send no heartbeat before it is killed."""

START_SECONDS = 60.0
"""How long a worker may take until it listens."""


class BackOff:
    """The delay before a worker is restarted: doubled each time, up to a maximum.

    A worker that lived for `steady_seconds` resets the delay. Times are seconds of any clock.
    """

    def __init__(
        self, first_seconds: float = 0.1, max_seconds: float = 30.0, steady_seconds: float = 60.0
    ) -> None:
        self._first = first_seconds
        self._max = max_seconds
        self._steady = steady_seconds
        self._next = first_seconds

    def died(self, lived_seconds: float) -> float:
        """Return the delay after a worker that lived this long."""
        if lived_seconds >= self._steady:
            self._next = self._first
        wait = self._next
        self._next = min(self._max, self._next * 2)
        return wait


Command = Callable[[WorkerSlot], Sequence[str]]
"""Returns the command line of the worker in a slot."""


class ParentProcess:
    """Runs `workers` processes of `command` on one listening socket."""

    def __init__(
        self,
        command: Command,
        listener: socket.socket,
        *,
        workers: int,
        heartbeat_timeout: float = HEARTBEAT_TIMEOUT_SECONDS,
        make_back_off: Callable[[], BackOff] = BackOff,
    ) -> None:
        self._command = command
        self._listener = listener
        self._workers = workers
        self._heartbeat_timeout = heartbeat_timeout
        self._make_back_off = make_back_off
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._codes: list[int] = []

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> int:
        """Run until SIGTERM or SIGINT. Return the exit code.

        `on_ready` is called when the first worker listens.
        """
        with self._signals():
            first_ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            slots = [asyncio.create_task(self._run_slot(1, first_ready))]
            code = await first_ready
            if code == 0 and not self._stopping.is_set():
                on_ready()
                slots += [
                    asyncio.create_task(self._run_slot(slot))
                    for slot in range(2, self._workers + 1)
                ]
            await asyncio.gather(*slots)
        return code or (1 if any(self._codes) else 0)

    @property
    def running(self) -> dict[int, int]:
        """Return the process id of the worker in each occupied slot."""
        return {slot: process.pid for slot, process in self._running.items()}

    # --- a slot -------------------------------------------------------------------------------

    async def _run_slot(self, slot: int, first_ready: asyncio.Future[int] | None = None) -> None:
        """Run workers in `slot`, one after another, until the parent process stops."""
        back_off = self._make_back_off()
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            code, was_ready = await self._run_worker(slot, first_ready)
            if self._stopping.is_set():
                self._codes.append(code)
                break
            if first_ready is not None and not was_ready and not first_ready.done():
                first_ready.set_result(code or 1)
                return
            wait = back_off.died(loop.time() - began)
            log.error("! worker %d exited with %d: restart in %g s", slot, code, wait)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
        if first_ready is not None and not first_ready.done():
            first_ready.set_result(0)

    async def _run_worker(
        self, slot: int, first_ready: asyncio.Future[int] | None
    ) -> tuple[int, bool]:
        """Run one worker. Return its exit code, and whether it ever listened."""
        ours, theirs = socket.socketpair()
        worker_slot = WorkerSlot(slot, new_name(slot), self._listener.fileno(), theirs.fileno())
        with ours:
            with theirs:
                process = await asyncio.create_subprocess_exec(
                    *self._command(worker_slot),
                    pass_fds=(worker_slot.listener, worker_slot.line),
                    stdin=subprocess.DEVNULL,
                    # A Ctrl-C reaches the parent process only, which signals the workers.
                    process_group=0,
                )
            self._running[slot] = process
            if self._stopping.is_set():
                process.terminate()
            reader, writer = await asyncio.open_connection(sock=ours)
            listening = asyncio.create_task(self._watch_heartbeat(process, reader, first_ready))
            try:
                code = await process.wait()
            finally:
                listening.cancel()
                heard = (await asyncio.gather(listening, return_exceptions=True))[0]
                del self._running[slot]
                writer.close()
        return code, heard is True or (first_ready is not None and first_ready.done())

    async def _watch_heartbeat(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        first_ready: asyncio.Future[int] | None,
    ) -> bool:
        """Watch a worker's heartbeats until it ends; kill it if they stop."""
        ready, seconds = False, max(START_SECONDS, self._heartbeat_timeout)
        while True:
            try:
                async with asyncio.timeout(seconds):
                    heard = await reader.read(1024)
            except TimeoutError:
                log.error("! a worker sent no heartbeat for %g s and is killed", seconds)
                self._kill(process)
                return ready
            if not heard:
                return ready
            if READY in heard:
                ready, seconds = True, self._heartbeat_timeout
                if first_ready is not None and not first_ready.done():
                    first_ready.set_result(0)

    # --- signals ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Pass SIGTERM and SIGINT to every worker: drain, and on the second signal close at
        once."""
        loop = asyncio.get_running_loop()

        def asked() -> None:
            self._stopping.set()
            for process in self._running.values():
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
