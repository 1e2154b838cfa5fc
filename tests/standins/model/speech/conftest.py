"""The real weights, loaded once for all tests of the local speech."""

from __future__ import annotations

import pytest

from hookflash.standins.model.speech import LocalParts, SpeechOptions, build_parts


@pytest.fixture(scope="session")
def parts() -> LocalParts:
    return build_parts(lambda what, done: None, SpeechOptions())
