"""The programs in C, compiled once for all tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hookflash_local.bench.programs import Programs, compiled


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    with compiled() as found:
        yield found
