"""An event loop on a virtual clock, with a network in memory.

When nothing is ready, the clock jumps to the next timer. A call of three minutes takes only the CPU
time of its events. The loop never reads the machine's clock, and callbacks due at the same time run
in the order in which they were scheduled. So a program that takes time and randomness from the
simulation runs the same way each time.

    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main())

Rules:

* `create_server` and `create_connection` work in memory (see `network.py`), so real servers and
  clients run on them. There is no DNS, TLS, subprocess, signal or descriptor. Their use raises
  NotImplementedError, as asyncio's own loops do for what they do not support.
* `run_in_executor` runs the function inline, in the loop's thread.
* A process of the simulated machine is a value of the context variable `PROCESS`. `kill` drops
  every callback of a process, closes its ports and resets its connections. Its `finally` blocks do
  not run before the loop is closed. A process that starts again needs a new name.
* If nothing is ready, no timer is set and no thread wakes the loop, it raises `Stalled`. After
  `limit_seconds` it raises `TimeLimitReached`.
* A loop that runs `limit_iterations` times while the clock stands still and nothing arrives from
  the network raises `Spinning`. The program sets a timer that is already due, again and again, or
  polls for something that needs time, so the clock would never move. A test's timeout would not
  help: it is raised within a callback and only logged.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import contextvars
import functools
import gc
import heapq
import itertools
import logging
import math
import selectors
import socket
import sys
import threading
import warnings
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack

from hookflash_local.simulation.network import (
    PROCESS,
    Network,
    VirtualServer,
    VirtualSocket,
    VirtualTransport,
)

__all__ = ["PROCESS", "Spinning", "Stalled", "TimeLimitReached", "VirtualLoop"]

DAY_SECONDS = 86_400.0

LIMIT_ITERATIONS = 100_000
"""How many iterations at one moment count as an endless loop. No test and no simulated call needs
a thousand."""

_MOMENT_SECONDS = 1e-6
"""A clock that has moved by less stands still. A timer for the next float is due now."""

_MAX_DESCRIBED = 5
"""How many of the callbacks that are about to run are named."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Stalled(RuntimeError):
    """Every task waits and no timer is set, so the program would never continue."""


class TimeLimitReached(RuntimeError):
    """The virtual clock has passed the loop's limit."""


class Spinning(RuntimeError):
    """Callbacks run without end and the virtual clock stands still. The message names them."""


class _Timer(asyncio.TimerHandle):
    """A timer. Timers of the same time run in the order in which they were made."""

    __slots__ = ("number",)
    number: int
    _when: float

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        assert isinstance(other, _Timer)
        return self._when < other._when or (
            self._when == other._when and self.number < other.number
        )


class _Selector(selectors._BaseSelectorImpl):
    """A selector that waits by moving the loop's clock."""

    loop: VirtualLoop

    def register(self, *_: Any) -> NoReturn:
        # The simulation has no descriptors by design: everything is in memory.
        raise NotImplementedError("a virtual loop has no descriptors: use a real event loop")

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.loop.wait(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a virtual clock; see the module's docstring.

    `limit_seconds` is the limit of the virtual clock. `limit_iterations` is how often the loop may
    run while it stands still (None: `LIMIT_ITERATIONS`). `thread_seconds` is how long, in real
    time, a loop with nothing to do waits for a thread to wake it.
    """

    def __init__(
        self,
        *,
        limit_seconds: float = 30 * DAY_SECONDS,
        limit_iterations: int | None = None,
        thread_seconds: float = 10.0,
    ) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        self.network = Network(self)
        self.limit_seconds = limit_seconds
        self.limit_iterations = limit_iterations or LIMIT_ITERATIONS
        self._moment = 0.0
        self._iterations = 0
        """How often the loop has run since `_moment`, with nothing from the network."""
        self.thread_seconds = thread_seconds
        self._ready: collections.deque[asyncio.Handle]
        self._scheduled: list[_Timer]
        self._timers = 0
        self._dead: set[str] = set()
        self._owned: dict[str, weakref.WeakValueDictionary[int, Any]] = {}
        """The tasks and asynchronous generators of each process, by number, in creation order."""
        self._number = 0
        self._asyncgens: weakref.WeakSet[AsyncGenerator[Any, Any]]
        self._paused: dict[str, list[asyncio.Handle]] = {}
        """The callbacks and timers of paused processes."""
        self._retained: list[Any] = []
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
        """Move the clock to the next timer, if nothing is ready.

        The selector calls this in each iteration of the loop.
        """
        if timeout is None:
            self._iterations = 0
            if not self._woken.wait(self.thread_seconds):
                raise Stalled(f"nothing is ready and no timer is set; waiting: {self._waiting()}")
            self._woken.clear()
        elif timeout > 0:
            # Use the timer's own time: the sum of now and timeout may be rounded below it.
            self.now = max(self.now, self._scheduled[0].when())
            if self.now > self.limit_seconds:
                raise TimeLimitReached(
                    f"the virtual clock has passed {self.limit_seconds:g} s;"
                    f" waiting: {self._waiting()}"
                )
        if self.now - self._moment > _MOMENT_SECONDS:
            self._moment = self.now
            self._iterations = 0
        self._iterations += 1
        if self._iterations > self.limit_iterations:
            self._iterations = 0
            running = self._about_to_run()
            # The clean-up after this error runs in the same loop, and needs the clock to move.
            for timer in self._due():
                timer.cancel()
            raise Spinning(
                f"the loop has run {self.limit_iterations} times and the virtual clock stands"
                f" still at {self.now:g} s; expected the callbacks that run to wait for something."
                f" They set a timer that is already due, or yield without end: {running}"
            )

    def arrived(self) -> None:
        """Note that something has come from the network: the program makes progress."""
        self._iterations = 0

    def _about_to_run(self) -> str:
        live = (handle for handle in (*self._ready, *self._due()) if not handle.cancelled())
        return (
            "; ".join(_description(handle) for handle in itertools.islice(live, _MAX_DESCRIBED))
            or "nothing"
        )

    def _due(self) -> list[_Timer]:
        until = self.now + _MOMENT_SECONDS
        return sorted(timer for timer in self._scheduled if timer.when() <= until)

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
        # asyncio's loops check this in the same place; typeshed does not know the method.
        self._check_closed()  # type: ignore[attr-defined]
        handle = asyncio.Handle(callback, args, self, context)
        if self._dead and self._is_dead(handle):
            self._retain(handle)
        elif self._paused and (held := self._paused.get(self._process_of(handle))) is not None:
            held.append(handle)
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
            # The delay is below the clock's resolution; without a step, a sleep would never end.
            when = math.nextafter(when, math.inf)
        return self.call_at(when, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_closed()  # type: ignore[attr-defined]  # see `call_soon`
        timer = _Timer(when, callback, args, self, context)
        self._timers += 1
        timer.number = self._timers
        if self._dead and self._is_dead(timer):
            self._retain(timer)
            return timer
        if self._paused and (held := self._paused.get(self._process_of(timer))) is not None:
            held.append(timer)
            return timer
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # `call_at` of asyncio sets it, untyped
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
        """Run `func` inline. Inside it no loop is running, as in a thread."""
        self._check_closed()  # type: ignore[attr-defined]  # see `call_soon`
        future: asyncio.Future[T] = self.create_future()
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(None)
        try:
            # A thread's changes to context variables are not visible to the caller.
            future.set_result(contextvars.copy_context().run(func, *args))
        except StopIteration as error:
            # A future cannot hold a StopIteration.
            future.set_exception(RuntimeError(repr(error)))
        except BaseException as error:
            # A thread's future takes SystemExit and KeyboardInterrupt too; the awaiting task
            # raises them.
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
            self._retain_owned(thing)
        elif process:
            self._number += 1
            self._owned.setdefault(process, weakref.WeakValueDictionary())[self._number] = thing

    def kill(self, process: str) -> None:
        """Kill a process of the simulated machine: none of its callbacks runs any more.

        A process that kills itself continues until its next `await`.
        """
        self._dead.add(process)
        for handle in [*self._ready, *self._scheduled]:
            if self._is_dead(handle):
                self._retain(handle)
        for thing in self._owned.pop(process, {}).values():
            self._retain_owned(thing)
        self.network.kill(process)

    def pause(self, process: str) -> None:
        """Stop a process, as SIGSTOP does: its callbacks wait until `resume`.

        What is sent to it waits, and its timers that are due run when it goes on.
        """
        held = self._paused.setdefault(process, [])
        for handle in list(self._ready):
            if self._process_of(handle) == process:
                self._ready.remove(handle)
                held.append(handle)
        for timer in [each for each in self._scheduled if self._process_of(each) == process]:
            self._scheduled.remove(timer)
            timer._scheduled = False  # type: ignore[attr-defined]  # as in `call_at`
            held.append(timer)
        heapq.heapify(self._scheduled)

    def resume(self, process: str) -> None:
        """Let a paused process go on."""
        for handle in self._paused.pop(process, ()):
            if handle.cancelled():
                continue
            if isinstance(handle, _Timer):
                heapq.heappush(self._scheduled, handle)
                handle._scheduled = True  # type: ignore[attr-defined]  # as in `call_at`
            else:
                self._ready.append(handle)

    def _process_of(self, handle: asyncio.Handle) -> str:
        context = handle._context  # type: ignore[attr-defined]  # there is no public way
        return str(context.get(PROCESS, ""))

    def close(self) -> None:
        """Close the loop, and release the tasks and generators of dead processes.

        This runs `finally` blocks of the dead processes, so call it only when the simulation's
        results are no longer needed. The blocks run without a usable loop: what they start raises
        RuntimeError. Nothing that they raise, log or warn of is reported.
        """
        super().close()
        if self._retained:
            # What others have left is collected first, so that it is reported.
            gc.collect()
            with _no_reports(), _running(self):
                self._close_retained()
                self._retained.clear()
                gc.collect()

    def _close_retained(self) -> None:
        for each in self._retained:
            if isinstance(each, asyncio.Task) and not each.done():
                each._log_destroy_pending = False  # type: ignore[attr-defined]  # no public way
                _close_coroutine(each.get_coro())

    def _is_dead(self, handle: asyncio.Handle) -> bool:
        context = handle._context  # type: ignore[attr-defined]  # there is no public way
        return context.get(PROCESS, "") in self._dead

    def _retain(self, handle: asyncio.Handle) -> None:
        """Keep a dead process's callback alive. If it were collected, its coroutine would be
        closed and run its `finally` blocks, which a killed process never does."""
        self._retained.append((handle._callback, handle._args))  # type: ignore[attr-defined]  # as above
        handle.cancel()

    def _retain_owned(self, thing: Any) -> None:
        """Keep a task or generator alive for the same reason, and hide it from `all_tasks`."""
        self._retained.append(thing)
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
        """Do nothing: no descriptor is needed to wake this loop."""

    def _close_self_pipe(self) -> None:
        """See `_make_self_pipe`."""


_CLOSE_ATTEMPTS = 100


def _close_coroutine(coroutine: Any) -> None:
    """Close a coroutine, even if its `finally` blocks await something.

    Each attempt ends at the next `await`. After `_CLOSE_ATTEMPTS` the coroutine is given up.
    """
    for _ in range(_CLOSE_ATTEMPTS):
        # The blocks run out of their normal context and may raise anything. The coroutine has
        # ended if an attempt raises nothing.
        with contextlib.suppress(BaseException):
            coroutine.close()
            return


@contextlib.contextmanager
def _running(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Make a closed loop the running one: without one, asyncio may make a loop for the thread."""
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(before)


@contextlib.contextmanager
def _no_reports() -> Iterator[None]:
    """Drop warnings, log lines, and exceptions that nobody can handle."""
    hook, level = sys.unraisablehook, logging.root.manager.disable
    sys.unraisablehook = lambda unraisable: None
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
        sys.unraisablehook = hook


def _description(handle: asyncio.Handle) -> str:
    """Name what a handle runs: its callback, or its task and the line where the task waits."""
    callback = handle._callback  # type: ignore[attr-defined]  # there is no public way
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        place = ", ".join(
            f"{each.f_code.co_qualname} line {each.f_lineno}" for each in task.get_stack()
        )
        return f"task {task.get_name()} ({place or task.get_coro()!r})"
    while isinstance(callback, functools.partial):
        callback = callback.func
    name = getattr(callback, "__qualname__", repr(callback))
    return f"{getattr(callback, '__module__', None) or '?'}.{name}"


def _refuse_tls(options: dict[str, Any]) -> None:
    if options.get("ssl"):
        raise NotImplementedError("the simulated network has no TLS: connect without it")
