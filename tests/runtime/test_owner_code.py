from __future__ import annotations

import asyncio
import sys

import pytest

from hookflash.runtime.owner_code import OwnerCodeError, as_exception, run_owner_code


class Strange(BaseException):
    """An error of the owner's that is no `Exception`."""


async def test_what_is_returned_comes_through_awaited_if_it_can_be() -> None:
    async def coroutine(number: int) -> int:
        return number

    assert await run_owner_code(coroutine, 7) == 7
    assert await run_owner_code(lambda number: number, 7) == 7
    assert await run_owner_code(lambda number: coroutine(number), 7) == 7


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, Strange]
)
@pytest.mark.parametrize("plain", [True, False])
async def test_a_non_exception_is_wrapped_with_its_cause(
    error: type[BaseException], plain: bool
) -> None:
    def raises() -> None:
        raise error("swordfish")

    async def raises_later() -> None:
        await asyncio.sleep(0)
        raises()

    with pytest.raises(OwnerCodeError) as caught:
        await run_owner_code(raises if plain else raises_later)
    assert type(caught.value.__cause__) is error
    assert error.__name__ in str(caught.value)
    assert "swordfish" not in str(caught.value)


async def test_exit_is_a_failure_of_its_code() -> None:
    with pytest.raises(OwnerCodeError, match="SystemExit"):
        await run_owner_code(sys.exit, 3)


async def test_an_exception_comes_through_as_it_is() -> None:
    error = LookupError("no such order")

    async def raises() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        await run_owner_code(raises)
    assert caught.value is error


async def test_a_cancellation_of_ours_goes_through() -> None:
    task = asyncio.create_task(run_owner_code(asyncio.sleep, 60))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_code_that_would_end_the_process_when_it_is_cancelled_only_fails() -> None:
    async def exits() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            sys.exit(1)

    task = asyncio.create_task(run_owner_code(exits))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(OwnerCodeError):
        await task


async def test_a_coroutine_that_nobody_runs_any_more_can_be_closed() -> None:
    left = run_owner_code(asyncio.Event().wait)

    async def begin() -> None:
        left.send(None)

    await asyncio.create_task(begin())
    left.close()


def test_it_can_be_closed_when_the_event_loop_is_gone() -> None:
    async def begin() -> object:
        left = run_owner_code(asyncio.Event().wait)
        left.send(None)
        return left

    with asyncio.Runner() as runner:
        left = runner.run(begin())
    left.close()  # type: ignore[attr-defined]  # a coroutine


def test_a_future_can_carry_a_stop_iteration() -> None:
    stop = StopIteration("no")
    assert as_exception(stop).__cause__ is stop
