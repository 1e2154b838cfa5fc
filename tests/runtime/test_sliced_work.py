"""Work in slices: the loop turns between them, and what waits is done in order."""

from __future__ import annotations

import asyncio
from collections.abc import Generator

import pytest

from hookflash.runtime.sliced_work import SLICE_STEPS, RestoreTask, in_slices


def steps(count: int, done: list[int]) -> Generator[None, None, str]:
    for number in range(count):
        done.append(number)
        yield
    return "done"


async def test_work_is_done_in_slices_between_which_the_loop_turns() -> None:
    done: list[int] = []
    at_turns: list[int] = []

    async def other() -> None:
        while True:
            at_turns.append(len(done))
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await in_slices(steps(10 * SLICE_STEPS, done)) == "done"
    task.cancel()
    assert len(done) == 10 * SLICE_STEPS
    slices = [after - before for before, after in zip(at_turns, at_turns[1:], strict=False)]
    assert len(slices) >= 9
    assert max(slices) <= SLICE_STEPS


async def test_a_slice_ends_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    done: list[int] = []
    turns: list[int] = []

    def slow() -> Generator[None, None, None]:
        for number in range(5):
            done.append(number)
            # As a step of an hour's work: the clock has moved when it is over.
            loop.now += 1.0  # type: ignore[attr-defined]  # the tests' loop
            yield

    work = asyncio.create_task(in_slices(slow()))
    while not work.done():
        turns.append(len(done))
        await asyncio.sleep(0)
    assert turns == [0, 1, 2, 3, 4, 5]


async def test_what_raises_is_raised() -> None:
    def broken() -> Generator[None, None, None]:
        yield
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await in_slices(broken())


async def test_what_waits_is_done_in_order_before_anything_that_comes_later() -> None:
    order: list[str] = []
    call_from_facts = asyncio.Event()

    async def restore() -> None:
        await call_from_facts.wait()
        order.append("restored")

    restoring = RestoreTask(restore(), name="restore", on_end=lambda: order.append("ended"))

    async def ask(name: str) -> str:
        def act() -> str:
            order.append(name)
            return f"{name} answered"

        return await restoring.then(act)

    first, second, third = (asyncio.create_task(ask(name)) for name in ("one", "two", "three"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    call_from_facts.set()
    assert await first == "one answered" and await third == "three answered"
    # Nobody waits for the second any more, and it has happened all the same.
    assert order == ["restored", "ended", "one", "two", "three"]


async def test_a_failure_is_reported_to_its_waiter_only() -> None:
    async def restore() -> None:
        return

    restoring = RestoreTask(restore(), name="restore", on_end=lambda: None)

    def fail() -> None:
        raise ValueError("no")

    failing, forgotten, fine = (
        restoring.then(fail),
        restoring.then(fail),
        restoring.then(lambda: "yes"),
    )
    asyncio.ensure_future(forgotten).cancel()
    with pytest.raises(ValueError, match="no"):
        await failing
    assert await fine == "yes"


async def test_giving_up_cancels_whoever_waits() -> None:
    ended: list[bool] = []

    async def restore() -> None:
        await asyncio.Event().wait()

    restoring = RestoreTask(restore(), name="restore", on_end=lambda: ended.append(True))
    waiting = restoring.then(lambda: pytest.fail("it must not be done"))
    await asyncio.sleep(0)
    await restoring.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == [True]
