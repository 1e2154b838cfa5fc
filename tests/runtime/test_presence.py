from __future__ import annotations

import asyncio
import logging

import pytest

from hookflash import Target
from hookflash.runtime.presence import free_targets

ANNA = Target.phone("+15550101")
BEN = Target.client("ben")
CLARA = Target.sip("sip:clara@example.com")


async def test_the_numbers_of_those_who_are_free_come_in_their_order() -> None:
    async def is_free(target: Target) -> bool:
        await asyncio.sleep(0.002 if target is ANNA else 0)
        return target is not BEN

    assert await free_targets((ANNA, BEN, CLARA), is_free) == (0, 2)
    assert await free_targets((), is_free) == ()


async def test_all_are_asked_at_once() -> None:
    asked: list[Target] = []
    everybody = asyncio.Event()

    async def is_free(target: Target) -> bool:
        asked.append(target)
        if len(asked) == 3:
            everybody.set()
        await everybody.wait()
        return True

    assert await free_targets((ANNA, BEN, CLARA), is_free, 5.0) == (0, 1, 2)


async def test_a_hook_that_fails_or_is_late_counts_as_free_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def is_free(target: Target) -> bool:
        if target is ANNA:
            raise LookupError("no calendar")
        if target is BEN:
            await asyncio.sleep(60)
        return False

    with caplog.at_level(logging.WARNING):
        assert await free_targets((ANNA, BEN, CLARA), is_free, 0.02) == (0, 1)
    assert "presence of phone …01: the hook failed; it counts as free" in caplog.text
    assert "no calendar" in caplog.text
    assert "presence of client ben: no answer within 0.02 s; it counts as free" in caplog.text
    assert "5550101" not in caplog.text
    await asyncio.sleep(0)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
async def test_a_hook_that_would_end_the_process_counts_as_free(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def is_free(target: Target) -> bool:
        if target is ANNA:
            raise error
        return False

    assert await free_targets((ANNA, BEN), is_free) == (0,)
    assert "the hook failed; it counts as free" in caplog.text


async def test_a_hook_that_is_no_coroutine_function_is_a_hook_that_fails() -> None:
    def is_free(target: Target) -> bool:
        return False

    assert await free_targets((ANNA,), is_free) == (0,)  # type: ignore[arg-type]  # the test
