"""An event loop on a virtual clock, with its network in memory.

When nothing is ready, the clock jumps to the next timer, so three minutes of telephone take the
processor time of their events and nothing else. Nothing here reads the machine's clock, and
callbacks that are due at the same time run in the order in which they were scheduled: a program
that takes its time and its randomness from the simulation runs the same way each time.

    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())

Rules:

* `create_server` and `create_connection` are in memory (see `network.py`), so that the real
  servers and clients run above them. There is no DNS, no TLS, no subprocess, no signal and no
  descriptor: what needs one raises NotImplementedError.
* `run_in_executor` runs the function at once, in the loop's thread.
* A process of the simulated machine is a value of the context variable `PROCESS`. `kill` drops
  every callback of a process, closes its ports and resets its connections. Its `finally` blocks do
  not run before the loop is closed. A process that starts again needs another name.
* A loop with nothing ready, no timer and no thread that wakes it up raises `Stalled`: the program
  waits for something that never comes. Past `limit_seconds` it raises `TimeLimitReached`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import gc
import heapq
import math
import selectors
import socket
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

from hookflash_local.simulation.network import (
    PROCESS,
    Network,
    VirtualServer,
    VirtualSocket,
    VirtualTransport,
)

__all__ = ["PROCESS", "Stalled", "TimeLimitReached", "VirtualLoop"]

DAY_SECONDS = 86_400.0

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Stalled(RuntimeError):
    """Every task waits, no timer is set: what they wait for never comes."""


class TimeLimitReached(RuntimeError):
    """The virtual clock has passed the loop's limit."""


class _Timer(asyncio.TimerHandle):
    """A timer that runs after the earlier ones of the same time."""

    __slots__ = ("number",)
    number: int
    _when: float

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        assert isinstance(other, _Timer)
        return self._when < other._when or (
            self._when == other._when and self.number < other.number
        )


class _Selector(selectors._BaseSelectorImpl):
    """Waits by moving the loop's clock."""

    loop: VirtualLoop

    def register(self, *_: Any) -> NoReturn:
        raise NotImplementedError("a virtual loop watches no descriptors: use a real one")

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.wait(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module.

    `limit_seconds` is how far the virtual clock may run. `thread_seconds` is how long a loop with
    nothing to do waits, in real time, for a thread that may wake it up.
    """

    def __init__(
        self, *, limit_seconds: float = 30 * DAY_SECONDS, thread_seconds: float = 10.0
    ) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        self.network = Network(self)
        self.limit_seconds = limit_seconds
        self.thread_seconds = thread_seconds
        self._ready: collections.deque[asyncio.Handle]
        self._scheduled: list[_Timer]
        self._timers = 0
        self._dead: set[str] = set()
        self._owned: dict[str, weakref.WeakValueDictionary[int, Any]] = {}
        """The tasks and asynchronous generators of each process, in the order of their numbers."""
        self._number = 0
        self._asyncgens: weakref.WeakSet[AsyncGenerator[Any, Any]]
        self._buried: list[Any] = []
        self._tasks: dict[str, list[asyncio.Task[Any]]] = {}
        self._woken = threading.Event()
        super().__init__(selector)
        self._clock_resolution = 1e-9
        self.slow_callback_duration = DAY_SECONDS

    # --- time ---------------------------------------------------------------------------------

    def time(self) -> float:
        """Return the virtual seconds since the loop was made."""
        return self.now

    def wait(self, timeout: float | None) -> None:
        """Move the clock to the next timer. Called by the selector when nothing is ready."""
        if timeout is None:
            if not self._woken.wait(self.thread_seconds):
                raise Stalled(f"nothing is ready and no timer is set; waiting: {self._waiting()}")
            self._woken.clear()
        elif timeout > 0:
            # The timer's own time, not the sum, which may be a rounding error short of it.
            self.now = max(self.now, self._scheduled[0].when())
            if self.now > self.limit_seconds:
                raise TimeLimitReached(
                    f"the virtual clock has passed {self.limit_seconds:g} s;"
                    f" waiting: {self._waiting()}"
                )

    def _waiting(self) -> str:
        tasks = asyncio.all_tasks(self)
        return ", ".join(sorted(task.get_name() for task in tasks)) or "no task"

    # --- callbacks ----------------------------------------------------------------------------

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        self._check_closed()  # type: ignore[attr-defined]  # as asyncio's own
        handle = asyncio.Handle(callback, args, self, context)
        if self._dead and self._is_dead(handle):
            self._bury(handle)
        else:
            self._ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        when = self.now + delay
        if when == self.now and delay > 0:
            # Less than the clock can tell. Who sleeps until a time has come must get there.
            when = math.nextafter(when, math.inf)
        return self.call_at(when, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]  # as asyncio's own
        timer = _Timer(when, callback, args, self, context)
        self._timers += 1
        timer.number = self._timers
        if self._dead and self._is_dead(timer):
            self._bury(timer)
            return timer
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # as asyncio's own `call_at` does
        return timer

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = self.call_soon(callback, *args, context=context)
        self._woken.set()
        return handle

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run `func` at once. Inside it no loop is running, as in a thread."""
        self._check_closed()  # type: ignore[attr-defined]  # as asyncio's own
        future: asyncio.Future[T] = self.create_future()
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            # What it sets in its context does not come back from a thread.
            future.set_result(contextvars.copy_context().run(func, *args))
        except StopIteration as error:
            # A future cannot hold it.
            future.set_exception(RuntimeError(repr(error)))
        except BaseException as error:
            future.set_exception(error)
        finally:
            asyncio._set_running_loop(running)
        return future

    # --- processes ----------------------------------------------------------------------------

    def create_task(
        self,
        coro: Any,
        *,
        name: object = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = super().create_task(coro, name=name, context=context)
        self._own(task, PROCESS.get() if context is None else context.get(PROCESS, ""))
        return task

    def _asyncgen_firstiter_hook(self, agen: AsyncGenerator[Any, Any]) -> None:
        super()._asyncgen_firstiter_hook(agen)  # type: ignore[misc]  # not in typeshed
        self._own(agen, PROCESS.get())

    def _own(self, thing: Any, process: str) -> None:
        if process in self._dead:
            self._bury_owned(thing)
        elif process:
            self._number += 1
            self._owned.setdefault(process, weakref.WeakValueDictionary())[self._number] = thing

    def kill(self, process: str) -> None:
        """Let a process of the simulated machine die at once: nothing of it runs any more.

        A process that kills itself goes on to its next `await`.
        """
        self._dead.add(process)
        for handle in [*self._ready, *self._scheduled]:
            if self._is_dead(handle):
                self._bury(handle)
        for thing in self._owned.pop(process, {}).values():
            self._bury_owned(thing)
        self.network.kill(process)

    def release(self) -> None:
        """Let go of what dead processes have left. `close` does it too.

        Their coroutines are closed, and what their `finally` blocks do is done now: call this when
        nothing is looked at any more.
        """
        buried, self._buried = self._buried, []
        # A loop that is open would run a generator's `finally` block as a task of nobody.
        self._buried.extend(each for each in buried if isinstance(each, AsyncGenerator))
        tasks = [each for each in buried if isinstance(each, asyncio.Task) and not each.done()]
        if not tasks:
            return
        with warnings.catch_warnings():
            # Of coroutines that the blocks make and nobody can await any more.
            warnings.simplefilter("ignore", RuntimeWarning)
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # no public way
                # The blocks were not written for this, so they may raise anything.
                with contextlib.suppress(BaseException):
                    task.get_coro().close()
            del buried, tasks, task
            gc.collect()

    def close(self) -> None:
        super().close()
        self.release()
        self._buried.clear()

    def _is_dead(self, handle: asyncio.Handle) -> bool:
        context = handle._context  # type: ignore[attr-defined]  # there is no public way
        return context.get(PROCESS, "") in self._dead

    def _bury(self, handle: asyncio.Handle) -> None:
        """Keep what a dead process would have run: if it were collected, coroutines that are
        closed would run their `finally` blocks, which a killed process never does."""
        self._buried.append((handle._callback, handle._args))  # type: ignore[attr-defined]  # as above
        handle.cancel()

    def _bury_owned(self, thing: Any) -> None:
        """Keep a task or generator, for the same reason; who ends all of them shall not find it."""
        self._buried.append(thing)
        if isinstance(thing, asyncio.Task):
            asyncio._unregister_task(thing)
        else:
            self._asyncgens.discard(thing)

    # --- the network --------------------------------------------------------------------------

    async def getaddrinfo(
        self,
        host: Any,
        port: Any,
        *,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, int(port or 0)))]

    async def create_server(  # type: ignore[override]  # with the options that mean something
        self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> VirtualServer:
        _refuse_tls(more)
        at = host if host and isinstance(host, str) else "127.0.0.1"
        return self.network.listen(protocol_factory, at, int(port or 0), sock=more.get("sock"))

    async def create_connection(
        self, protocol_factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> tuple[VirtualTransport, Any]:
        _refuse_tls(more)
        if host is None or port is None:
            raise NotImplementedError("the simulated network connects by host and port only")
        return await self.network.connect(protocol_factory, str(host), int(port))

    def listen(self, host: str, port: int) -> VirtualSocket:
        """Return a bound socket, for servers that are given one."""
        return self.network.bind(host, port)

    async def create_unix_server(  # type: ignore[override]  # as above
        self, protocol_factory: Any, path: Any = None, **more: Any
    ) -> VirtualServer:
        _refuse_tls(more)
        if path is None:
            raise NotImplementedError("the simulated network listens by path only")
        return self.network.listen(protocol_factory, path=str(path))

    async def create_unix_connection(
        self, protocol_factory: Any, path: Any = None, **more: Any
    ) -> tuple[VirtualTransport, Any]:
        _refuse_tls(more)
        if path is None:
            raise NotImplementedError("the simulated network connects by path only")
        return await self.network.connect(protocol_factory, path=str(path))

    def add_signal_handler(
        self, sig: int, callback: Callable[[Unpack[Ts]], Any], *args: *Ts
    ) -> NoReturn:
        raise NotImplementedError("a simulated process gets no signals")

    async def _make_subprocess_transport(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("a simulated process starts no other")

    def _make_self_pipe(self) -> None:
        """No descriptor is needed: nothing outside wakes this loop up by one."""

    def _close_self_pipe(self) -> None:
        """See `_make_self_pipe`."""


def _refuse_tls(options: dict[str, Any]) -> None:
    if options.get("ssl"):
        raise NotImplementedError("the simulated network has no TLS: connect without it")
