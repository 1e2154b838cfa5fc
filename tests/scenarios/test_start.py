"""The start of a call: when the model is there, what becomes of it if nobody comes, how soon the
caller hears the agent."""

from __future__ import annotations

import pytest

from hookflash.core.phases import Phase
from hookflash_local.carrier import Line

from .conftest import eventually, samples
from .test_handoff import GREETING, asked_to, greeted, say
from .test_security import Stranger

CALL_SID = "CA" + "7" * 32


async def test_the_model_is_there_before_the_stream_is_and_let_go_if_none_comes(stage) -> None:
    async with stage(notices=False) as s:
        await Stranger(s).token(CALL_SID)
        driver = s.line.switchboard.find(CALL_SID)
        assert driver is not None
        await eventually(lambda: "session.update" in s.model.received.types())
        assert driver.call.phase is Phase.RINGING
        (session,) = s.model.server.sessions
        await eventually(lambda: driver.call.phase is Phase.ENDED)
        await eventually(lambda: not session.open)


async def first_sound_after(stage, *, warm: int) -> float:
    """Place a call where a session takes 1,200 ms to open and `warm` of them are kept; return the
    seconds from the call's webhook to the agent's first sound."""
    async with stage(settings={"warm_sessions": warm}) as s:
        s.model.faults.session_created_delay_ms = 1200
        s.model.on("response.create", [say("hi", 800, GREETING)], where=asked_to("just begun"))
        counts = s.line.metrics.counts

        async def script(line: Line) -> None:
            await greeted(line)
            await line.hang_up()

        await eventually(lambda: counts().warm_ready == warm)
        call = await s.call(script)
        await s.record(call)
        assert samples(call.recording().heard, GREETING) == 800 * 8
        assert (counts().warm_given, counts().warm_missed) == (warm, 0)
        await eventually(lambda: counts().warm_ready == warm)
        return counts().first_audio.total


async def test_a_warm_session_saves_the_caller_the_way_to_the_model(stage) -> None:
    cold = await first_sound_after(stage, warm=0)
    warm = await first_sound_after(stage, warm=1)
    assert cold == pytest.approx(1.2, abs=1e-6)
    assert warm == 0
