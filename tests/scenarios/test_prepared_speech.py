"""A served line has its prepared lines at hand, renders them beside calls, and only once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

from hookflash.agents.prepared_lines import SPOKEN
from hookflash.runtime.loudness import SPEECH_DBFS, level_dbfs
from hookflash.runtime.prepared_speech import tone

from .conftest import another_process, eventually, shop

Stage = Callable[..., Any]
RENDERED = {"speech_url": None}
TEXTS = {line: f"It is {line}." for line in SPOKEN}


def talkative(**changed: str) -> Any:
    agent = shop()
    agent.prepared = {line: (text,) for line, text in (TEXTS | changed).items()}
    return agent


async def test_a_call_has_the_tone_at_first_and_then_the_agents_own_words(stage: Stage) -> None:
    async with stage(talkative(), settings=RENDERED) as s:
        s.model.faults.speech_delay_ms = 3000.0
        s.model.on("response.create", [{"say": {"item": "hello", "ms": 900, "byte": 1}}])
        call = await s.call()
        await eventually(lambda: s.line.switchboard.find(call.sid))
        prepared = s.line.switchboard.find(call.sid).ports.prepared
        assert prepared.find("filler") == tone()
        await eventually(lambda: prepared.find("filler").text, seconds=60.0)
        clip = prepared.find("filler")
        assert clip.text == "It is filler."
        sound = base64.b64decode(clip.payload)
        assert abs(level_dbfs(sound.strip(b"\xff")) - SPEECH_DBFS) < 1.5
        call.end("completed", by="caller")


async def test_a_greeting_does_not_wait_for_a_speech_api_that_hangs(stage: Stage) -> None:
    async def greeted(seconds: float) -> float:
        async with stage(talkative(), settings=RENDERED) as s:
            s.model.faults.speech_delay_ms = seconds * 1000
            s.model.on("response.create", [{"say": {"item": "hello", "ms": 900, "byte": 1}}])
            began = asyncio.get_running_loop().time()
            call = await s.call()
            await eventually(lambda: 1 in call.recording().heard)
            took = asyncio.get_running_loop().time() - began
            call.end("completed", by="caller")
        return took

    assert await greeted(40.0) <= await greeted(0.0) + 0.011


async def test_a_process_that_takes_over_renders_nothing_again(stage: Stage) -> None:
    agent = talkative()
    async with stage(agent, settings=RENDERED) as s:
        await eventually(lambda: len(s.model.server.spoken) == len(TEXTS), seconds=60.0)
        async with another_process(s, agent):
            await asyncio.sleep(10.0)
        async with another_process(s, talkative(back="Here again.")):
            await asyncio.sleep(10.0)
        asked = [order["input"] for order in s.model.server.spoken]
    assert asked == [*TEXTS.values(), "Here again."]
