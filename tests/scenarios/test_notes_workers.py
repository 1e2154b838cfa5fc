"""Notes where several workers serve the line: the socket goes on to the one that has the call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hookflash_local.carrier import Human, Line

from .acts import hear, talk
from .conftest import DESK, eventually
from .test_meeting import CALLER, HUMAN, ask_for_a_human, script_agent
from .test_notes import listener
from .test_workers import crew

pytestmark = pytest.mark.realtime

AGENT = f"""
from hookflash import Agent, Target, Warm

agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello.")
plan = Warm(Target.phone("{DESK}"), notes=True)
agent.handoff("desk", when="somebody asks for a person", plan=plan)
"""
CALLS = 2
"""The carrier's connections fall to either worker as they come."""


async def test_whichever_worker_the_socket_comes_to_the_talk_is_heard(tmp_path: Path) -> None:
    agent = tmp_path / "shop.py"
    agent.write_text(AGENT)
    async with crew(tmp_path, agent=agent) as s:
        script_agent(s)
        for _ in range(CALLS):
            s.model.heard.clear()
            heard = asyncio.Event()

            async def human(line: Line, heard: asyncio.Event = heard) -> None:
                await eventually(lambda: len(s.model.heard) >= 3)
                await talk(line)
                await heard.wait()
                await line.hang_up()

            async def script(line: Line, heard: asyncio.Event = heard) -> None:
                await ask_for_a_human(s, line)
                await hear(line, HUMAN)
                await line.play(bytes([CALLER]) * 8000)
                assert await listener(s, HUMAN) is not await listener(s, CALLER)
                heard.set()

            s.carrier.humans[DESK] = Human.accepts(0.5, then=human)
            call = await s.call(script)
            await call.ended()
        assert s.carrier.alerts.entries == []
