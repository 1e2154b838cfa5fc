"""The pytest plugin: the fixture `twilio_carrier`, without configuration.

pytest imports this file in every run in an environment where hookflash-local is installed, so it
imports nothing but pytest until a test asks for the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hookflash_local.testing.local_twilio import LocalTwilio

_MARKER = (
    "twilio_carrier(speed=1.0, speak=None, calls_per_second=100.0, account_sid=..., auth_token=...)"
    ": options of the local Twilio that the fixture twilio_carrier starts"
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def twilio_carrier(request: pytest.FixtureRequest) -> Iterator[LocalTwilio]:
    """A local Twilio for one test; see `hookflash_local.testing.local_twilio`.

    The test fails at its end if the application made a mistake that Twilio would have reported
    (`alerts`); `expect_alerts` allows some.
    """
    from hookflash_local.testing.local_twilio import LocalTwilio

    marker = request.node.get_closest_marker("twilio_carrier")
    with LocalTwilio(**(marker.kwargs if marker else {})) as local:
        yield local
        local.check_alerts()
