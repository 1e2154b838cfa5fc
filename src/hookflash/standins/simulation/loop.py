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
  servers and clients run above them. There is no DNS, no TLS, no subprocess and no signal.
* `run_in_executor` runs the function at once, in the loop's thread.
* A process of the simulated machine is a value of the context variable `PROCESS`. `kill` drops
  every callback of a process and resets its connections, as the kernel does after `kill -9`.
* A loop with nothing ready, no timer and no thread that wakes it up raises `Stalled`: the program
  waits for something that never comes. Past `limit_seconds` it raises `TimeLimitReached`.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import heapq
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from hookflash.standins.simulation.network import (
    PROCESS,
    Network,
    VirtualServer,
    VirtualSocket,
)

__all__ = ["PROCESS", "Stalled", "TimeLimitReached", "VirtualLoop"]

DAY_SECONDS = 86_400.0

_THREAD_SECONDS = 10.0
"""How long a loop with nothing to do waits, in real time, for a thread that may wake it up."""

T = TypeVar("T")


class Stalled(RuntimeError):
    """Every task waits, no timer is set: what they wait for never comes."""


class TimeLimitReached(RuntimeError):
    """The virtual clock has passed the loop's limit."""


class _Timer(asyncio.TimerHandle):
    """A timer that runs after the earlier ones of the same time."""

    __slots__ = ("number",)
    number: int

    def __lt__(self, other: object) -> bool:
        assert isinstance(other, _Timer)
        return self._when < other._when or (
            self._when == other._when and self.number < other.number
        )


class _Selector(selectors._BaseSelectorImpl):  # type: ignore[name-defined,misc]  # not in typeshed
    """Waits by moving the loop's clock."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.wait(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module. `limit_seconds` is how far the virtual clock may run."""

    def __init__(self, *, limit_seconds: float = 30 * DAY_SECONDS) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        self.network = Network(self)
        self.limit_seconds = limit_seconds
        self._ready: collections.deque[asyncio.Handle]
        self._scheduled: list[_Timer]
        self._timers = 0
        self._dead: set[str] = set()
        self._buried: list[asyncio.Handle] = []
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
            if not self._woken.wait(_THREAD_SECONDS):
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
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        if self._dead and self._is_dead(handle):
            self._bury(handle)
        else:
            self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
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
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = self.call_soon(callback, *args, context=context)
        self._woken.set()
        return handle

    def run_in_executor(  # type: ignore[override]  # the function has run when this returns
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run `func` at once. Inside it no loop is running, as in a thread."""
        future: asyncio.Future[T] = self.create_future()
        asyncio._set_running_loop(None)
        try:
            future.set_result(func(*args))
        except StopIteration as error:
            future.set_exception(RuntimeError(repr(error)))
        except BaseException as error:
            future.set_exception(error)
        finally:
            asyncio._set_running_loop(self)
        return future

    # --- processes ----------------------------------------------------------------------------

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[Any]:
        task = super().create_task(coro, name=name, context=context)
        process = PROCESS.get() if context is None else context.get(PROCESS, "")
        if process:
            # Those that are done are forgotten now and then; the others are needed by `release`.
            tasks = self._tasks.setdefault(process, [])
            if len(tasks) >= 256:
                tasks[:] = [each for each in tasks if not each.done()]
            tasks.append(task)
        return task

    def kill(self, process: str) -> None:
        """Let a process of the simulated machine die at once: nothing of it runs any more."""
        self._dead.add(process)
        for handle in [*self._ready, *self._scheduled]:
            if self._is_dead(handle):
                self._bury(handle)
        self.network.kill(process)

    def release(self) -> None:
        """Let go of the tasks of dead processes, so that the loop can be closed.

        Their coroutines are closed, and what their `finally` blocks do is done now: call this when
        nothing is looked at any more.
        """
        for process in self._dead:
            for task in self._tasks.pop(process, []):
                if not task.done():
                    asyncio.tasks._unregister_task(task)  # type: ignore[attr-defined]  # no other way
                    task._log_destroy_pending = False  # type: ignore[attr-defined]  # as above
                    with contextlib.suppress(BaseException):
                        task.get_coro().close()  # type: ignore[union-attr]  # a coroutine
        self._buried.clear()

    def _is_dead(self, handle: asyncio.Handle) -> bool:
        context = handle._context  # type: ignore[attr-defined]  # there is no public way
        return context.get(PROCESS, "") in self._dead

    def _bury(self, handle: asyncio.Handle) -> None:
        """Keep what a dead process would have run: if it were collected, coroutines that are
        closed would run their `finally` blocks, which a killed process never does."""
        callback = handle._callback  # type: ignore[attr-defined]  # as above
        args = handle._args  # type: ignore[attr-defined]  # as above
        if callback is not None:
            self._buried.append(asyncio.Handle(callback, args or (), self, None))
        handle.cancel()

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

    async def create_server(
        self, factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> Any:  # type: ignore[override]  # noqa: E501
        sock = more.get("sock")
        return self.network.listen(factory, port=sock.getsockname()[1] if sock else int(port or 0))

    async def create_connection(
        self, factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> Any:  # type: ignore[override]  # noqa: E501
        if more.get("ssl"):
            raise NotImplementedError("the simulated network has no TLS: connect without it")
        return await self.network.connect(factory, str(host), int(port))

    def listen(self, host: str, port: int) -> VirtualSocket:
        """Return a bound socket, for servers that are given one."""
        return self.network.bind(host, port)

    async def create_unix_server(
        self, factory: Any, path: Any = None, **more: Any
    ) -> VirtualServer:  # type: ignore[override]  # noqa: E501
        return self.network.listen(factory, path=str(path))

    async def create_unix_connection(self, factory: Any, path: Any = None, **more: Any) -> Any:
        return await self.network.connect(factory, str(path), 0, path=str(path))

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        raise NotImplementedError("a simulated process gets no signals")

    def _make_self_pipe(self) -> None:
        """No descriptor is needed: nothing outside wakes this loop up by one."""

    def _close_self_pipe(self) -> None:
        """See `_make_self_pipe`."""
