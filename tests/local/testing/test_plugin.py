"""The fixture `line` in a project of a user: with plain pytest, and beside pytest-asyncio."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """
import asyncio
from hookflash import Agent, Cold, Target

agent = Agent("shop", instructions="We sell books.", greeting="Hello, this is the shop.")
agent.handoff("support", when="a person is wanted",
              plan=Cold(Target.phone("+15550102")))


async def test_greets(line, tmp_path):
    call = await line.call(agent, humans={"support": "busy"})
    await call.caller_says("A person, please.")
    await call.model_hands_off("support")
    call.expect.agent_said("this is the shop").handed_off("support", outcome="busy")
    await asyncio.sleep(0)
    assert tmp_path.exists()


class TestsInAClass:
    async def test_says_where_a_call_went_wrong(self, line):
        call = await line.call(agent)
        await call.caller_says("Good day.")
        call.expect.agent_said("Friday")
"""

SYNC = "def test_sync(line):\n    assert line.humans == {}\n"


@pytest.mark.parametrize(
    "options",
    [
        ["-p", "no:asyncio", "-p", "no:anyio"],
        ["-o", "asyncio_mode=strict"],
        ["-o", "asyncio_mode=auto"],
    ],
    ids=["plain", "strict", "auto"],
)
def test_async_tests_run_and_a_failure_shows_the_call(tmp_path: Path, options: list[str]) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_shop.py").write_text(PROJECT + SYNC)
    scope = (
        ["-o", "asyncio_default_fixture_loop_scope=function"] if "no:asyncio" not in options else []
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
        + [*scope, *options, "test_shop.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "1 failed, 2 passed" in ran.stdout, ran.stdout + ran.stderr
    assert "expected the agent to say 'Friday'; came: Hello, this is the shop." in ran.stdout
    assert "caller  Good day." in ran.stdout
    # The frames of the checks say nothing to the reader.
    assert "expectations.py" not in ran.stdout
