"""In CI a test that does not run has failed: skipped and expected-to-fail count as failures."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


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
    if IN_CI:
        _fail_if_not_run(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    report = yield
    if IN_CI:
        _fail_if_not_run(report)
    return report
