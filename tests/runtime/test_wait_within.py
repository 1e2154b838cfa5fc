from __future__ import annotations

import asyncio
import gc

import pytest

from hookflash.runtime import wait_within as module
from hookflash.runtime.wait_within import wait_within


async def settled() -> None:
    """Wait until every task that was given up has ended."""
    await asyncio.gather(*module._cancelled, return_exceptions=True)


async def test_what_is_in_time_is_returned_or_raised() -> None:
    async def good() -> int:
        return 7

    async def bad() -> int:
        raise ValueError("no")

    assert await wait_within(good(), 1.0) == 7
    with pytest.raises(ValueError, match="no"):
        await wait_within(bad(), 1.0)


async def test_what_is_late_is_cancelled_and_not_waited_for() -> None:
    cleaned = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.set()

    with pytest.raises(TimeoutError):
        await wait_within(slow(), 0.01)
    await asyncio.wait_for(cleaned.wait(), 1.0)
    await settled()


async def test_a_task_that_ignores_its_cancellation_is_not_waited_for() -> None:
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        raise RuntimeError("and fails in the end")

    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(TimeoutError):
        await wait_within(stubborn(), 0.01)
    assert loop.time() - begun == pytest.approx(0.01)
    gc.collect()
    release.set()
    await settled()


async def test_its_own_cancellation_is_a_failure_and_ours_goes_through() -> None:
    async def gives_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="cancelled itself"):
        await wait_within(gives_up(), 1.0)

    task = asyncio.create_task(wait_within(asyncio.sleep(60), 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settled()


async def test_any_awaitable_will_do() -> None:
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result("done")
    assert await wait_within(future, 1.0) == "done"
