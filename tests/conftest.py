"""Rules for every test.

In CI a test that does not run has failed: skipped and expected-to-fail count as failures. The one
exception is a known failing sequence under `tests/simulation/named/` that is marked
`xfail(strict=True)` with a reason: a later change mends it, and then has to take the mark away.

A test in a file of `scripts/clockless.txt` is marked `clockless`, unless it draws its input at
random. Only these tests count for coverage.

An async test runs on a virtual clock: its sleeps and timeouts take no time, its sockets are in
memory, and what blocks runs at once (see `hookflash_local.simulation`). A test that needs a real
event loop, because it talks to sockets, processes, databases or browsers, or real time, because
sound is played or something is measured, is marked `realtime`: it runs while no other test runs. A
test that has no event loop, and waits for a program or a browser however long it takes, is not.

Hypothesis draws the same examples in every run, so that a change that breaks nothing never fails.
`HYPOTHESIS_PROFILE=random .venv/bin/python -m pytest tests/core` looks for new ones.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from hookflash_local.simulation.loop import VirtualLoop
from hookflash_local.simulation.threads import inline_worker_threads

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}
TESTS = Path(__file__).parent
CLOCKLESS = TESTS.parent / "scripts" / "clockless.txt"
KNOWN_FAILURES = TESTS / "simulation" / "named"
_PATHS = pytest.StashKey[frozenset[Path]]()


settings.register_profile("same", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


def clockless_paths(listed: str) -> list[Path]:
    """Return the paths in the text of `scripts/clockless.txt`."""
    lines = [line.partition("#")[0].strip() for line in listed.splitlines()]
    return [TESTS.parent / line for line in lines if line]


def pytest_configure(config: pytest.Config) -> None:
    listed = CLOCKLESS.read_text() if CLOCKLESS.is_file() else ""
    config.stash[_PATHS] = frozenset(clockless_paths(listed))


def pytest_itemcollected(item: pytest.Item) -> None:
    # Hypothesis marks its tests by itself, but later than this.
    random = getattr(getattr(item, "function", None), "is_hypothesis_test", False)
    if random or item.get_closest_marker("random") or item.get_closest_marker("realtime"):
        return
    if not item.config.stash[_PATHS].isdisjoint((item.path, *item.path.parents)):
        item.add_marker("clockless")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("realtime"):
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualLoop}


@pytest.fixture(scope="session", autouse=True)
def _inline_worker_threads() -> Iterator[None]:
    with inline_worker_threads():
        yield


@pytest.fixture(autouse=True)
def _same_garbage_collection() -> Iterator[None]:
    """A process that a test kills does not set the collector back, as its end would."""
    before = gc.get_threshold()
    yield
    if gc.get_threshold() != before:
        gc.set_threshold(*before)
        gc.unfreeze()


def _is_known_failure(item: pytest.Item) -> bool:
    """Whether the item is a named sequence, and each of its marks is strict and gives a reason."""
    marks = list(item.iter_markers("xfail"))
    stated = all(mark.kwargs.get("strict") is True and mark.kwargs.get("reason") for mark in marks)
    return bool(marks) and stated and KNOWN_FAILURES in item.path.parents


def _fail_if_not_run(report: Any) -> None:
    expected_failure = hasattr(report, "wasxfail")
    if not (report.skipped or expected_failure):
        return
    reason = report.wasxfail if expected_failure else report.longrepr
    if isinstance(reason, tuple):
        reason = reason[-1]
    report.outcome = "failed"
    report.longrepr = f"not run, which CI does not accept: {reason}"
    if expected_failure:
        del report.wasxfail


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    report = yield
    expected = hasattr(report, "wasxfail") and _is_known_failure(item)
    if IN_CI and not expected:
        _fail_if_not_run(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    if IN_CI:
        _fail_if_not_run(report)
    return report
