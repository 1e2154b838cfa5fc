from __future__ import annotations

import asyncio
import threading

import anyio.to_thread
import pytest

from hookflash_local.simulation.threads import inline_worker_threads


def where() -> threading.Thread:
    return threading.current_thread()


async def test_anyios_threads_are_not_started_on_a_virtual_loop() -> None:
    # `tests/conftest.py` has entered the block for every test.
    assert await anyio.to_thread.run_sync(where) is threading.current_thread()
    assert await anyio.to_thread.run_sync(where, abandon_on_cancel=True) is where()
    assert asyncio.get_running_loop().time() == 0.0


async def test_their_arguments_and_errors_are_passed_on() -> None:
    assert await anyio.to_thread.run_sync(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await anyio.to_thread.run_sync(divmod, 7, 0)


def test_a_real_loop_keeps_its_threads() -> None:
    async def main() -> threading.Thread:
        return await anyio.to_thread.run_sync(where)

    assert asyncio.run(main()) is not threading.current_thread()


def test_after_the_block_anyio_is_as_it_was() -> None:
    before = anyio.to_thread.run_sync
    with pytest.raises(KeyError), inline_worker_threads():
        assert anyio.to_thread.run_sync is not before
        raise KeyError
    assert anyio.to_thread.run_sync is before
