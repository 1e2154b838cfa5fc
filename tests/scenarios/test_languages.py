"""A German line: the carrier speaks German, in the agent's voice, to callers and humans."""

from __future__ import annotations

import pytest

from hookflash import Agent, Phrases, Queue, Target, Warm
from hookflash.core.phrases import PHRASES
from hookflash_local.carrier import Human, Line

from .acts import said_on
from .conftest import DESK
from .test_handoff import greeted
from .test_meeting import desk, script_agent
from .test_owner_hooks import hears

GERMAN = PHRASES["de"]


def transfer(destination: str) -> dict:
    arguments = {"destination": destination, "reason": "Reparatur", "summary": "Das Rad."}
    return {"call_tool": {"name": "transfer_to_human", "arguments": arguments}}


def fahrradladen(**options: object) -> Agent:
    return Agent(
        "laden",
        instructions="Sie verkaufen Fahrräder.",
        greeting="Guten Tag.",
        language="de",
        carrier_voice="Polly.Vicki-Neural",
        **options,
    )


async def test_a_human_hears_the_whisper_in_german_and_in_the_agents_voice(stage):
    agent = fahrradladen(phrases=Phrases(accept_prompt="Zum Annehmen bitte die 1."))
    agent.handoff("werkstatt", when="a person", plan=Warm(Target.phone(DESK), ring_seconds=8))
    async with stage(agent) as s:
        script_agent(s)
        s.carrier.humans[DESK] = Human.accepts(1.0, then=desk)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("jemand bitte"), transfer("werkstatt")])
            await line.wait_for("joined")
            await line.pause(1.0)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        (leg,) = [each for each in s.carrier.calls if each is not call]
        (whisper,) = said_on(leg)
        assert whisper.startswith("Ein Anruf für werkstatt. Jemand, dessen Nummer auf")
        assert whisper.endswith("Zum Annehmen bitte die 1.")
        (said,) = leg.timeline.find("say", leg.sid)
        assert (said.detail["language"], said.detail["voice"]) == ("de-DE", "Polly.Vicki-Neural")


async def test_a_caller_in_a_queue_hears_their_place_in_german(stage):
    agent = fahrradladen()
    agent.handoff("werkstatt", when="a person", plan=Queue("werkstatt", total_seconds=20))
    async with stage(agent) as s:
        script_agent(s)

        async def script(line: Line) -> None:
            await greeted(line)
            await s.model.perform([hears("jemand bitte"), transfer("werkstatt")])
            await line.pause(8.0)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        said = said_on(call)
        assert (
            said[0] == f"{GERMAN.next_in_queue} Um zur Assistenz zurückzukehren, drücken Sie die 1."
        )


@pytest.mark.parametrize("language", ["fr", "nl"])
async def test_a_caller_hears_the_apology_of_the_language_without_a_model(stage, language):
    agent = Agent("x", instructions="x", language=language)
    async with stage(agent) as s:
        s.model.faults.refuse_upgrade = 401
        call = await s.call(None)
        await call.ended()
        assert said_on(call) == [PHRASES[language].apology]
