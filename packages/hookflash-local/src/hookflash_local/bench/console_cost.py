"""Measure what the console costs: without it, with no page open, and with several pages open.

The agents are interrupted all the time, so that pages get updates. Half of the pages, rounded down,
show one call; the others show the list of calls.

    resource           acquired        released
    a page's stream    _open_pages()   when its block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import httpx

from hookflash.console.passwords import hash_password
from hookflash_local.bench.harness import SETTLE_SECONDS, Harness, LoadedRelay, Window
from hookflash_local.bench.programs import BenchError
from hookflash_local.bench.report import ConsoleCost

PAGES = (None, 0, 2, 8)
"""How many pages are open; None is without a console."""

_BARGE_SECONDS = 2.0
_WARM_UP_CALLS = 6
_PASSWORD = "a password of a benchmark"
_USERS = '[users.bench]\npassword = "{}"\nrole = "viewer"\n'


async def measure_console_cost(
    harness: Harness,
    calls: int,
    seconds: float,
    runs: int,
    on_progress: Callable[[str], None],
    pages: tuple[int | None, ...] = PAGES,
    *,
    settle: float = SETTLE_SECONDS,
) -> list[ConsoleCost]:
    """Return the medians of `runs` runs for each number of pages, which take turns.

    Each measurement lasts `seconds` and starts `settle` seconds after the calls.
    """
    found: dict[int | None, list[ConsoleCost]] = {each: [] for each in pages}
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        users = Path(folder) / "users.toml"
        users.write_text(_USERS.format(hash_password(_PASSWORD)))
        for number in range(runs):
            for each, measured in found.items():
                on_progress(
                    f"console, {_pages_name(each)}: {calls} calls, run {number + 1} of {runs}"
                )
                environ = {"HOOKFLASH_CONSOLE_USERS": str(users)}
                if each is None:
                    environ = {"HOOKFLASH_CONSOLE": "off"}
                measured.append(await _once(harness, calls, seconds, settle, each, environ))
    return [_median(measured) for measured in found.values()]


async def _once(
    harness: Harness,
    calls: int,
    seconds: float,
    settle: float,
    pages: int | None,
    environ: Mapping[str, str],
) -> ConsoleCost:
    async with harness.hookflash(environ=environ) as loaded:
        # Load what only the first calls of a process load, before anything is measured.
        await loaded.place(_WARM_UP_CALLS)
        await loaded.end()
        await loaded.place(calls)
        loaded.load.order("barge", _BARGE_SECONDS)
        async with _open_pages(loaded, pages or 0) as received:
            received.clear()
            window: Window = (await loaded.measure(seconds, settle=settle)).check()
            messages = sum(received.values())
    return ConsoleCost(
        pages=pages,
        calls=window.calls,
        cpu_ms=window.cpu_ms,
        cpu_share=window.cpu_share,
        p99=window.p99,
        messages=messages / seconds / pages if pages else 0.0,
    )


@contextlib.asynccontextmanager
async def _open_pages(loaded: LoadedRelay, pages: int) -> AsyncIterator[Counter[str]]:
    """Open `pages` console pages while the block runs; yield their messages, counted by type.

    Raises `BenchError` if the console refuses the sign-in.
    """
    received: Counter[str] = Counter()
    if not pages:
        yield received
        return
    origin = f"http://127.0.0.1:{loaded.relay.port}"
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=60) as client:
        given = {"name": "bench", "password": _PASSWORD}
        answer = await client.post("/console/sign-in", json=given)
        if answer.is_error:
            raise BenchError(f"console sign-in: expected a 2xx status, got {answer.status_code}")
        # The cookie is marked for https only, and this is http, so the client would not send it.
        client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        open_calls = itertools.cycle(loaded.live)
        following = [
            asyncio.create_task(_follow(client, next(open_calls) if number % 2 else "", received))
            for number in range(pages)
        ]
        try:
            async with asyncio.timeout(10):
                while received["Snapshot"] < pages:
                    await asyncio.wait(following, timeout=0.05)
            yield received
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


async def _follow(client: httpx.AsyncClient, call_sid: str, received: Counter[str]) -> None:
    query = {"call": call_sid} if call_sid else {}
    async with client.stream("GET", "/console/feed", params=query) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                received[line.removeprefix("event: ")] += 1


def _median(runs: list[ConsoleCost]) -> ConsoleCost:
    def middle(figure: Callable[[ConsoleCost], float]) -> float:
        return statistics.median(map(figure, runs))

    return ConsoleCost(
        pages=runs[0].pages,
        calls=runs[0].calls,
        cpu_ms=middle(lambda run: run.cpu_ms),
        cpu_share=middle(lambda run: run.cpu_share),
        p99=middle(lambda run: run.p99),
        messages=middle(lambda run: run.messages),
    )


def _pages_name(pages: int | None) -> str:
    return "none" if pages is None else f"{pages} pages"
