"""What the console costs the calls: none, one that nobody looks at, and pages that follow.

The agents are interrupted all the while, so that there is something to be shown. Half of the
pages, rounded down, have one call open; all have the list.

    resource           acquired      released
    a page's stream    _followed()   when its block ends
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
from hookflash_local.bench.programs import BenchError
from hookflash_local.bench.report import Watched
from hookflash_local.bench.stage import SETTLE_SECONDS, Rig, Stage, Window

PAGES = (None, 0, 2, 8)
"""How many pages follow; None is without a console."""

_BARGE_SECONDS = 2.0
_FIRST = 6
_PASSWORD = "a password of a benchmark"
_USERS = '[users.bench]\npassword = "{}"\nrole = "viewer"\n'


async def measure_watched(
    rig: Rig,
    calls: int,
    seconds: float,
    runs: int,
    tell: Callable[[str], None],
    pages: tuple[int | None, ...] = PAGES,
    *,
    settle: float = SETTLE_SECONDS,
) -> list[Watched]:
    """Return medians of several runs, for each number of pages; they take turns.

    Each time calls go on for `settle` seconds before `seconds` are measured.
    """
    found: dict[int | None, list[Watched]] = {each: [] for each in pages}
    with tempfile.TemporaryDirectory(prefix="hookflash-bench-") as folder:
        users = Path(folder) / "users.toml"
        users.write_text(_USERS.format(hash_password(_PASSWORD)))
        for number in range(runs):
            for each, measured in found.items():
                tell(f"console, {_named(each)}: {calls} calls, run {number + 1} of {runs}")
                environ = {"HOOKFLASH_CONSOLE_USERS": str(users)}
                if each is None:
                    environ = {"HOOKFLASH_CONSOLE": "off"}
                measured.append(await _once(rig, calls, seconds, settle, each, environ))
    return [_median(measured) for measured in found.values()]


async def _once(
    rig: Rig,
    calls: int,
    seconds: float,
    settle: float,
    pages: int | None,
    environ: Mapping[str, str],
) -> Watched:
    async with rig.hookflash(environ=environ) as stage:
        # What the first call of a process loads belongs to no call.
        await stage.place(_FIRST)
        await stage.end()
        await stage.place(calls)
        stage.load.order("barge", _BARGE_SECONDS)
        async with _followed(stage, pages or 0) as told:
            told.clear()
            window: Window = (await stage.measure(seconds, settle=settle)).check()
            messages = sum(told.values())
    return Watched(
        pages=pages,
        calls=window.calls,
        cpu_ms=window.cpu_ms,
        cpu_share=window.cpu_share,
        p99=window.p99,
        messages=messages / seconds / pages if pages else 0.0,
    )


@contextlib.asynccontextmanager
async def _followed(stage: Stage, pages: int) -> AsyncIterator[Counter[str]]:
    """Follow the line's calls with so many pages while the block runs; yields what they are told,
    counted by kind."""
    told: Counter[str] = Counter()
    if not pages:
        yield told
        return
    origin = f"http://127.0.0.1:{stage.relay.port}"
    async with httpx.AsyncClient(base_url=origin, trust_env=False, timeout=60) as client:
        given = {"name": "bench", "password": _PASSWORD}
        answer = await client.post("/console/sign-in", json=given)
        if answer.is_error:
            raise BenchError(f"the console's sign-in was answered {answer.status_code}")
        # The cookie is for https, which there is not here.
        client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        open_calls = itertools.cycle(stage.live)
        following = [
            asyncio.create_task(_follow(client, next(open_calls) if number % 2 else "", told))
            for number in range(pages)
        ]
        try:
            async with asyncio.timeout(10):
                while told["Snapshot"] < pages:
                    await asyncio.wait(following, timeout=0.05)
            yield told
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


async def _follow(client: httpx.AsyncClient, call_sid: str, told: Counter[str]) -> None:
    query = {"call": call_sid} if call_sid else {}
    async with client.stream("GET", "/console/feed", params=query) as stream:
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                told[line.removeprefix("event: ")] += 1


def _median(runs: list[Watched]) -> Watched:
    def middle(figure: Callable[[Watched], float]) -> float:
        return statistics.median(map(figure, runs))

    return Watched(
        pages=runs[0].pages,
        calls=runs[0].calls,
        cpu_ms=middle(lambda run: run.cpu_ms),
        cpu_share=middle(lambda run: run.cpu_share),
        p99=middle(lambda run: run.p99),
        messages=middle(lambda run: run.messages),
    )


def _named(pages: int | None) -> str:
    return "none" if pages is None else f"{pages} pages"
