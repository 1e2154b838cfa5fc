from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import itertools
import logging
import math
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

from hookflash_local.simulation.loop import (
    DAY_SECONDS,
    PROCESS,
    Spinning,
    Stalled,
    TimeLimitReached,
    VirtualLoop,
)


@pytest.fixture
async def loop() -> VirtualLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


@contextlib.contextmanager
def process(name: str) -> Iterator[None]:
    """What is started in this block belongs to a process of the simulated machine."""
    token = PROCESS.set(name)
    yield
    PROCESS.reset(token)


def run(loop: VirtualLoop, main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)


# --- time -------------------------------------------------------------------------------------


async def test_a_sleep_moves_the_clock_and_nothing_else(loop: VirtualLoop) -> None:
    assert loop.time() == 0.0
    await asyncio.sleep(3600.0)
    assert loop.time() == 3600.0


async def test_what_takes_no_sleep_takes_no_time(loop: VirtualLoop) -> None:
    for _ in range(100):
        await asyncio.sleep(0)
    assert loop.time() == 0.0


async def test_the_clock_jumps_from_timer_to_timer(loop: VirtualLoop) -> None:
    ran: list[float] = []
    # Given out of order, at times that are no sums of one another.
    for delay in (0.3, 0.1, 7.7, 0.2, 1e-3):
        loop.call_later(delay, lambda: ran.append(loop.time()))
    await asyncio.sleep(10.0)
    assert ran == [1e-3, 0.1, 0.2, 0.3, 7.7]


async def test_a_timer_never_runs_before_its_time(loop: VirtualLoop) -> None:
    due = 0.1 + 0.2
    ran: list[float] = []
    loop.call_at(due, lambda: ran.append(loop.time()))
    await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    assert ran == [due]


async def test_a_sleep_shorter_than_the_clock_can_tell_still_moves_it(loop: VirtualLoop) -> None:
    await asyncio.sleep(1_000_000.0)
    # What is left to sleep until here, measured from a moment that no float hits, may be so short.
    await asyncio.sleep(1e-12)
    assert loop.time() == math.nextafter(1_000_000.0, math.inf)


async def test_timers_of_the_same_time_run_in_the_order_they_were_set(loop: VirtualLoop) -> None:
    ran: list[int] = []
    # As many as make a heap forget which was first.
    for number in range(100):
        loop.call_at(5.0, ran.append, number)
    await asyncio.sleep(6.0)
    assert ran == list(range(100))


async def test_tasks_that_sleep_until_the_same_time_wake_up_in_order(loop: VirtualLoop) -> None:
    woke: list[str] = []

    async def sleep(name: str, *seconds: float) -> None:
        for each in seconds:
            await asyncio.sleep(each)
        woke.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(sleep("long", 2.0))
        group.create_task(sleep("short twice", 1.0, 1.0))
        group.create_task(sleep("long too", 2.0))
    assert woke == ["long", "long too", "short twice"]


async def test_what_is_ready_runs_before_the_clock_moves(loop: VirtualLoop) -> None:
    ran: list[tuple[str, float]] = []
    loop.call_later(1.0, lambda: ran.append(("timer", loop.time())))

    def again(left: int) -> None:
        ran.append(("soon", loop.time()))
        if left:
            loop.call_soon(again, left - 1)

    loop.call_soon(again, 2)
    await asyncio.sleep(2.0)
    assert ran == [("soon", 0.0)] * 3 + [("timer", 1.0)]


async def test_cancelled_timers_do_not_run_however_many_they_are(loop: VirtualLoop) -> None:
    ran: list[int] = []
    # More than asyncio tolerates before it makes its heap anew.
    timers = [loop.call_later(1.0 + number % 7, ran.append, number) for number in range(1000)]
    for timer in timers[10:]:
        timer.cancel()
    await asyncio.sleep(100.0)
    assert sorted(ran) == list(range(10))
    assert loop.time() == 100.0


async def test_a_timeout_ends_at_its_time(loop: VirtualLoop) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(12.5):
            await asyncio.Event().wait()
    assert loop.time() == 12.5


async def test_a_timer_farther_than_asyncio_waits_is_one_jump_away(loop: VirtualLoop) -> None:
    await asyncio.sleep(3 * DAY_SECONDS)
    assert loop.time() == 3 * DAY_SECONDS


# --- programs that never wait -------------------------------------------------------------------


class Deadline:
    """Somebody who sets a timer anew that is due already, as a broken driver would."""

    def __init__(self, loop: VirtualLoop, delay: float = 0.0) -> None:
        self.loop = loop
        self.delay = delay
        self.expired = 0

    def set(self) -> None:
        self.loop.call_later(self.delay, self.expire)

    def expire(self) -> None:
        self.expired += 1
        self.set()


@pytest.mark.parametrize("delay", [0.0, -1.0, 1e-13])
def test_a_deadline_that_is_due_whenever_it_is_set_anew_is_named(delay: float) -> None:
    loop = VirtualLoop(limit_iterations=500)

    async def main() -> None:
        await asyncio.sleep(2.0)
        Deadline(loop, delay).set()
        await asyncio.Event().wait()

    with pytest.raises(Spinning, match=r"500 times .* at 2 s; .*Deadline\.expire"):
        run(loop, main())


def test_a_task_that_yields_without_end_is_named_with_its_line() -> None:
    async def polls() -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(polls(), name="the one who polls")

    with pytest.raises(Spinning, match=r"the one who polls \(.*polls line \d+"):
        run(VirtualLoop(limit_iterations=500), main())


def test_a_callback_that_calls_itself_soon_is_named_through_its_partial() -> None:
    loop = VirtualLoop(limit_iterations=500)

    def again(what: str) -> None:
        loop.call_soon(functools.partial(again, what))

    async def main() -> None:
        again("x")
        await asyncio.Event().wait()

    with pytest.raises(Spinning, match=r"test_loop\..*<locals>\.again"):
        run(loop, main())


def test_a_spinning_program_is_cleaned_up_after() -> None:
    """The error ends the program as any other one, and its `finally` blocks may still wait."""
    loop = VirtualLoop(limit_iterations=500)
    ended: list[str] = []

    async def main() -> None:
        deadline = Deadline(loop)
        deadline.set()
        try:
            await asyncio.Event().wait()
        finally:
            deadline.delay = 60.0
            await asyncio.sleep(1.0)
            ended.append("in order")

    with pytest.raises(Spinning):
        run(loop, main())
    assert ended == ["in order"]


async def test_many_timers_of_one_time_are_no_spin(loop: VirtualLoop) -> None:
    loop.limit_iterations = 50
    ran: list[int] = []
    for number in range(1000):
        loop.call_later(0.0, ran.append, number)
    await asyncio.sleep(1.0)
    assert len(ran) == 1000


async def test_a_deadline_that_moves_the_clock_each_time_is_no_spin(loop: VirtualLoop) -> None:
    loop.limit_iterations = 50
    deadline = Deadline(loop, 0.001)
    deadline.set()
    await asyncio.sleep(10.0)
    deadline.delay = 3600.0
    assert deadline.expired > 9_900


async def test_who_talks_over_the_network_at_one_moment_does_not_spin(loop: VirtualLoop) -> None:
    loop.limit_iterations = 50

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 7000)
    reader, writer = await asyncio.open_connection("127.0.0.1", 7000)
    for _ in range(500):
        writer.write(b"x")
        assert await reader.read(1) == b"x"
    assert loop.time() == 0.0
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


# --- loops --------------------------------------------------------------------------------------


def test_the_clock_of_a_new_loop_is_at_zero() -> None:
    for _ in range(2):
        loop = VirtualLoop()
        run(loop, asyncio.sleep(5.0))
        assert loop.time() == 5.0


# --- the end ----------------------------------------------------------------------------------


def test_a_program_that_waits_for_nothing_has_stalled() -> None:
    async def main() -> None:
        await asyncio.sleep(1.0)
        await asyncio.Event().wait()

    loop = VirtualLoop(thread_seconds=0.0)
    task = loop.create_task(main(), name="the one that waits")
    with pytest.raises(Stalled, match="the one that waits"):
        loop.run_until_complete(task)
    assert loop.time() == 1.0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_a_loop_without_tasks_says_so() -> None:
    loop = VirtualLoop(thread_seconds=0.0)
    with pytest.raises(Stalled, match="waiting: no task"):
        loop.run_forever()
    loop.close()


def test_a_thread_may_wake_up_a_loop_that_has_nothing_to_do() -> None:
    loop = VirtualLoop()
    woken = loop.create_future()
    thread = threading.Thread(
        target=lambda: loop.call_soon_threadsafe(woken.set_result, threading.current_thread())
    )

    async def main() -> Any:
        thread.start()
        return await woken

    assert run(loop, main()) is thread
    assert loop.time() == 0.0
    thread.join()


def test_the_clock_goes_no_farther_than_its_limit() -> None:
    async def main() -> None:
        for _ in itertools.count():
            await asyncio.sleep(7.0)

    loop = VirtualLoop(limit_seconds=60.0)
    task = loop.create_task(main(), name="the endless one")
    with pytest.raises(TimeLimitReached, match="passed 60 s; waiting: the endless one"):
        loop.run_until_complete(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()


def test_the_limit_itself_may_be_reached() -> None:
    loop = VirtualLoop(limit_seconds=60.0)
    run(loop, asyncio.sleep(60.0))
    assert loop.time() == 60.0


def test_a_closed_loop_takes_nothing_more() -> None:
    loop = VirtualLoop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1.0, print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon_threadsafe(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_in_executor(None, print)


# --- functions that block ---------------------------------------------------------------------


async def test_a_function_that_blocks_has_run_when_it_was_asked_for(loop: VirtualLoop) -> None:
    ran: list[tuple[int, threading.Thread]] = []

    def block(number: int) -> str:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        ran.append((number, threading.current_thread()))
        return "done"

    future = loop.run_in_executor(None, block, 1)
    assert ran == [(1, threading.current_thread())]
    assert asyncio.get_running_loop() is loop
    assert await future == "done"
    assert await asyncio.to_thread(block, 2) == "done"
    assert loop.time() == 0.0


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
async def test_what_a_function_that_blocks_raises_its_caller_gets(
    loop: VirtualLoop, error: BaseException
) -> None:
    def fail() -> None:
        raise error

    future = loop.run_in_executor(None, fail)
    assert asyncio.get_running_loop() is loop
    assert future.exception() is error


async def test_the_end_of_an_iterator_is_an_error_that_a_future_can_hold(
    loop: VirtualLoop,
) -> None:
    with pytest.raises(RuntimeError, match="StopIteration"):
        await loop.run_in_executor(None, next, iter(()))


async def test_a_function_that_blocks_sees_its_callers_context_and_changes_only_its_own(
    loop: VirtualLoop,
) -> None:
    def block() -> str:
        seen = PROCESS.get()
        PROCESS.set("another")
        return seen

    with process("server"):
        assert await loop.run_in_executor(None, block) == "server"
        assert PROCESS.get() == "server"


def test_a_function_may_block_where_no_loop_runs() -> None:
    loop = VirtualLoop()
    future = loop.run_in_executor(None, lambda: 5)
    assert asyncio._get_running_loop() is None
    assert future.result() == 5
    loop.close()


# --- processes --------------------------------------------------------------------------------


async def test_nothing_of_a_killed_process_runs_any_more(loop: VirtualLoop) -> None:
    ran: list[str] = []

    async def work(name: str) -> None:
        try:
            loop.call_soon(ran.append, f"{name} soon")
            loop.call_later(2.0, ran.append, f"{name} timer")
            for _ in range(10):
                await asyncio.sleep(1.0)
                ran.append(f"{name} {loop.time():g}")
        finally:
            ran.append(f"{name} finally")

    with process("one"):
        first = asyncio.create_task(work("one"))
        loop.call_at(1.5, ran.append, "one ready")
    with process("two"):
        second = asyncio.create_task(work("two"))
    await asyncio.sleep(0)
    loop.call_at(1.5, loop.kill, "one")
    await second
    mine = [each for each in ran if each.startswith("one")]
    assert mine == ["one soon", "one 1", "one ready"]
    assert not first.done()
    seconds = [f"two {second}" for second in range(3, 11)]
    theirs = [each for each in ran if each.startswith("two")]
    assert theirs == ["two soon", "two 1", "two timer", "two 2", *seconds, "two finally"]


async def test_what_a_process_has_ready_when_it_is_killed_does_not_run(loop: VirtualLoop) -> None:
    ran: list[str] = []
    with process("one"):
        loop.call_soon(ran.append, "ready")
        task = asyncio.create_task(asyncio.sleep(0), name="never begun")
    loop.kill("one")
    await asyncio.sleep(1.0)
    assert ran == []
    assert not task.done()


async def test_who_waits_for_a_killed_process_waits_on(loop: VirtualLoop) -> None:
    with process("one"):
        task = asyncio.create_task(asyncio.sleep(1.0))
    loop.kill("one")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60.0):
            # A cancelled wait shall not try to cancel what is dead.
            await asyncio.shield(task)
    assert loop.time() == 60.0


async def test_a_killed_process_starts_nothing_more(loop: VirtualLoop) -> None:
    ran: list[str] = []

    async def late() -> None:
        ran.append("task")

    async def suicide() -> None:
        loop.kill("one")
        # It goes on to its next `await`.
        ran.append("last words")
        loop.call_soon(ran.append, "soon")
        loop.call_later(1.0, ran.append, "timer")
        asyncio.create_task(late(), name="late").add_done_callback(ran.append)
        await asyncio.sleep(0)
        ran.append("alive")

    with process("one"):
        loop.create_task(suicide(), name="suicide")
    await asyncio.sleep(10.0)
    assert ran == ["last words"]
    assert {task.get_name() for task in asyncio.all_tasks()}.isdisjoint({"late", "suicide"})


async def test_a_task_belongs_to_the_process_of_the_context_it_is_given(
    loop: VirtualLoop,
) -> None:
    context = contextvars.copy_context()
    context.run(PROCESS.set, "one")
    theirs = loop.create_task(asyncio.sleep(1.0), context=context)
    with process("one"):
        ours = loop.create_task(asyncio.sleep(1.0), context=contextvars.Context())
    loop.kill("one")
    await asyncio.sleep(2.0)
    assert ours.done()
    assert not theirs.done()
    assert theirs not in asyncio.all_tasks()


def test_a_loop_ends_though_a_killed_process_left_tasks_and_generators(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ran: list[str] = []
    loop = VirtualLoop(thread_seconds=0.0)

    async def numbers() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            ran.append("generator")

    async def work() -> None:
        try:
            async for _ in numbers():
                await asyncio.sleep(1.0)
        finally:
            ran.append("task")
            await asyncio.sleep(0)
            ran.append("task, after its loop was closed")

    async def forgotten() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ran.append("forgotten")

    async def main() -> None:
        with process("one"):
            tasks = [loop.create_task(work()), loop.create_task(forgotten())]
        await asyncio.sleep(5.0)
        loop.kill("one")
        # What nobody else holds would be collected, and its `finally` blocks run.
        tasks.clear()
        gc.collect()
        await asyncio.sleep(5.0)
        assert ran == []

    run(loop, main())
    gc.collect()
    assert sorted(ran) == ["forgotten", "task"]
    assert caplog.text == ""


@pytest.mark.filterwarnings("error")
def test_what_a_killed_process_awaits_at_its_end_is_not_warned_of() -> None:
    loop = VirtualLoop(thread_seconds=0.0)

    async def clean_up() -> None:
        """Never awaited: the coroutine that would await it is being closed."""

    async def work() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.gather(clean_up())

    async def main() -> None:
        with process("one"):
            loop.create_task(work())
        await asyncio.sleep(1.0)
        loop.kill("one")

    run(loop, main())
    gc.collect()


class _AskedPolicy(asyncio.DefaultEventLoopPolicy):
    """Counts how often asyncio asks for the event loop of the thread. It would make one."""

    asked = 0

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        self.asked += 1
        raise RuntimeError("this thread has no event loop")


@pytest.fixture
def policy() -> Iterator[_AskedPolicy]:
    before, policy = asyncio.get_event_loop_policy(), _AskedPolicy()
    asyncio.set_event_loop_policy(policy)
    yield policy
    asyncio.set_event_loop_policy(before)


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python reports because nobody can handle it."""
    reported: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: reported.append(found.exc_value))
    return reported


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


@pytest.mark.filterwarnings("error")
def test_a_killed_process_leaves_nothing_behind(
    policy: _AskedPolicy, reported: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing that is reported when it is collected, no log line and no loop of the thread."""
    ran: list[str] = []
    loop = VirtualLoop(thread_seconds=0.0)

    async def close(name: str) -> None:
        ran.append(name)
        await asyncio.sleep(0)
        await asyncio.sleep(60.0)
        ran.append(f"{name}, after its loop was closed")

    @contextlib.asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(close, "first")
            stack.push_async_callback(close, "last")
            yield

    async def with_resources() -> None:
        async with resources():
            await wait_for_ever()

    async def with_two_ends() -> None:
        try:
            await wait_for_ever()
        finally:
            try:
                await close("inner")
            finally:
                await close("outer")

    async def asking_for_a_loop() -> None:
        try:
            await wait_for_ever()
        finally:
            ran.append("asking")
            logging.getLogger("killed").error("It ends.")
            await asyncio.gather()

    async def main() -> list[asyncio.Task[None]]:
        with process("one"):
            works = (with_resources(), with_two_ends(), asking_for_a_loop())
            tasks = [loop.create_task(each) for each in works]
        await asyncio.sleep(1.0)
        loop.kill("one")
        return tasks

    tasks = run(loop, main())
    del tasks
    gc.collect()
    assert {"last", "inner", "outer", "asking"} <= set(ran)
    assert not [each for each in ran if "after" in each]
    assert reported == []
    assert caplog.text == ""
    assert policy.asked == 0


def test_a_coroutine_of_a_killed_process_that_never_ends_does_not_keep_a_loop_from_closing(
    reported: list[Any],
) -> None:
    loop = VirtualLoop(thread_seconds=0.0)
    tries = 0

    async def endless() -> None:
        nonlocal tries
        while True:
            try:
                await asyncio.sleep(0)
                await wait_for_ever()
            except BaseException:
                tries += 1

    async def main() -> None:
        with process("one"):
            loop.create_task(endless())
        await asyncio.sleep(1.0)
        loop.kill("one")

    run(loop, main())
    gc.collect()
    assert 1 < tries < 1000
    assert loop.is_closed()
    assert reported == []


def test_what_others_left_is_reported_when_a_killed_process_is_released(
    reported: list[Any],
) -> None:
    loop = VirtualLoop(thread_seconds=0.0)

    class Left:
        def __init__(self) -> None:
            self.circle = self

        def __del__(self) -> None:
            raise ValueError("left by others")

    async def main() -> None:
        with process("one"):
            loop.create_task(wait_for_ever())
        await asyncio.sleep(1.0)
        loop.kill("one")
        Left()

    run(loop, main())
    assert [str(each) for each in reported] == ["left by others"]


# --- what there is not ------------------------------------------------------------------------


async def test_a_name_is_not_looked_up(loop: VirtualLoop) -> None:
    found = await loop.getaddrinfo("line.example.test", "443")
    assert [each[4] for each in found] == [("line.example.test", 443)]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda loop: loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=True),
        lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 443, ssl=True),
        lambda loop: loop.create_connection(asyncio.Protocol, sock=object()),
        lambda loop: loop.create_unix_server(asyncio.Protocol, sock=object()),
        lambda loop: loop.create_unix_connection(asyncio.Protocol, sock=object()),
        lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, sys.executable, "-V"),
        lambda loop: loop.subprocess_shell(asyncio.SubprocessProtocol, "true"),
    ],
    ids=["server", "client", "socket", "path", "unix", "exec", "shell"],
)
async def test_what_is_not_simulated_says_so(
    loop: VirtualLoop, attempt: Callable[[VirtualLoop], Coroutine[Any, Any, Any]]
) -> None:
    with pytest.raises(NotImplementedError):
        await attempt(loop)


async def test_there_are_no_signals(loop: VirtualLoop) -> None:
    with pytest.raises(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, print)


async def test_a_real_socket_is_not_watched(loop: VirtualLoop) -> None:
    one, two = socket.socketpair()
    with one, two:
        one.setblocking(False)
        with pytest.raises(NotImplementedError):
            await loop.sock_recv(one, 1)
        with pytest.raises(NotImplementedError):
            loop.add_reader(one, print)
