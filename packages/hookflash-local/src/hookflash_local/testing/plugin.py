"""The pytest plugin: the fixtures `line` and `twilio_carrier`, without configuration.

pytest imports this file in every run in an environment where hookflash-local is installed, so it
imports nothing but pytest until a test asks for a fixture.

An async test that uses `line` runs without another plugin. Where a plugin such as pytest-asyncio
runs it, that plugin's event loop is used: the line's own clock is in another thread.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from hookflash_local.testing.agent_line import AgentLine
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


@pytest.fixture
def line() -> Iterator[AgentLine]:
    """A line that plays calls against your agent, on a virtual clock, without sockets or speech.

    See `hookflash_local.testing.agent_line`.
    """
    from hookflash_local.testing.agent_line import AgentLine

    with AgentLine() as line:
        yield line


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test that uses `line` and that no other plugin runs."""
    function = pyfuncitem.obj
    if "line" not in pyfuncitem.fixturenames or not inspect.iscoroutinefunction(function):
        return None
    if any(pyfuncitem.get_closest_marker(name) for name in ("asyncio", "anyio", "trio")):
        return None
    import asyncio

    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(function(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True
