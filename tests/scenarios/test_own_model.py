"""Two agents on one line with models of their own, and a line at Azure OpenAI."""

from __future__ import annotations

import pytest

from hookflash import Agent, CallContext, ServerVad
from hookflash_local.carrier import Line

from .test_handoff import greeted
from .test_meeting import script_agent


@pytest.mark.parametrize("warm", [0, 1])
async def test_an_agent_has_its_own_model_and_what_it_is_told_depends_on_the_call(stage, warm):
    async def told(call: CallContext) -> str:
        return f"You speak with {call.caller}."

    agent = Agent(
        "shop",
        instructions=told,
        instructions_fallback="We sell bicycles.",
        greeting=lambda call: "Hello, Ada.",
        model="gpt-realtime-mini",
        turn_detection=ServerVad(silence_ms=900),
        speed=1.1,
    )
    async with stage(agent, settings={"warm_sessions": warm}) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        assert s.model.server.models.count("gpt-realtime-mini") == 1 + warm
        others = {"gpt-realtime-2.1"} if warm else set()
        assert set(s.model.server.models) == {"gpt-realtime-mini", *others}
        (update,) = [
            each["session"] for each in s.model.received.events if each["type"] == "session.update"
        ]
        assert update["instructions"] == f"You speak with {call.about.from_}."
        assert update["audio"]["output"]["speed"] == 1.1
        assert update["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 900
        (greeting, *_) = [
            each for each in s.model.received.events if each["type"] == "response.create"
        ]
        assert "Hello, Ada." in greeting["response"]["instructions"]


async def test_a_line_at_azure_sends_its_key_in_the_header_of_azure(stage):
    async with stage(settings={"model_key_header": "api-key"}, azure=True) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await line.hang_up()

        await s.record(await s.call(script))
        assert set(s.model.server.key_headers) == {"api-key"}
        assert set(s.model.server.models) == {"gpt-realtime-2.1"}
