"""The real weights, loaded once for all tests of the local speech, and the bench's callers."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from hookflash_local.model.speech import LocalComponents, SpeechOptions, load_components

BENCH = Path(__file__).parents[4] / "bench"


@pytest.fixture(scope="session")
def components() -> LocalComponents:
    return load_components(lambda what, done: None, SpeechOptions())


def _of_the_bench(name: str) -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture(scope="session")
def callers() -> ModuleType:
    """`bench/callers.py`: who says what, with which voice, on which line."""
    return _of_the_bench("callers")


@pytest.fixture(scope="session")
def live_call() -> ModuleType:
    """`bench/live_call.py`: a session in real time."""
    return _of_the_bench("live_call")
