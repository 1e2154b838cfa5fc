"""What is said in hand-offs can be understood: spoken by a voice, written down by a listener.

The model is scripted as ever; a process of the stand-in model lends its voice and its ear.
"""

from __future__ import annotations

import re

import pytest

from hookflash import Target
from hookflash.standins.carrier import Human, Line
from hookflash.standins.model.process import ModelProcess
from hookflash.standins.model.speech_client import SpeechClient

from .acts import script_whole_agent
from .conftest import DESK, shop
from .test_meeting import RINGING, ask_for_a_human, other_legs


async def words(speech: SpeechClient, sound: bytes) -> str:
    """Write down what is heard in a recording, in small letters and nothing else."""
    found = (await speech.transcribe(sound)).text.lower()
    return re.sub(r"[^a-z0-9 ]", "", found)


async def whispered_words(stage, speech: SpeechClient) -> str:
    """What a human hears of a caller who has told more while it rang."""
    async with stage(shop(manner="warm"), speak=speech.speak) as s:
        script_whole_agent(s)

        async def human(line: Line) -> None:
            await line.wait_for_sound()
            await line.wait_for_silence(2.5)
            await line.press("2")

        s.carrier.humans[DESK] = Human(6.0, human)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            said = "It was a green bicycle."
            await s.model.perform([{"hears": {"text": said, "ms": 600, "respond": True}}])
            await s.model.until(
                "response.create",
                where={"response": {"instructions": {"$contains": "could not reach"}}},
                within_seconds=30,
            )
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        (leg,) = other_legs(s, call)
        return await words(speech, leg.recording().heard)


async def queue_words(stage, speech: SpeechClient) -> str:
    """What a caller hears who is first in a queue."""
    plan = {"targets": (Target.queue("support"),), "queue_announce_seconds": 5}
    async with stage(shop(**plan), speak=speech.speak) as s:
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.wait_for("say", 2)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        heard = call.recording().heard
        return await words(speech, heard[heard.rindex(bytes([RINGING]) * 160) + 160 :])


async def mailbox_words(stage, speech: SpeechClient) -> str:
    """What a caller hears whom nobody can speak with, neither human nor agent."""
    async with stage(speak=speech.speak) as s:
        s.model.faults.session_format = "audio/pcm"
        s.carrier.humans[DESK] = Human.busy()

        async def script(line: Line) -> None:
            await line.wait_for("recording-started")
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        return await words(speech, call.recording().heard)


@pytest.mark.timeout(240)
async def test_what_humans_and_callers_are_told_is_understood(stage):
    async with ModelProcess(mode="local") as model:
        speech = SpeechClient(model.speech_url)
        whisper = await whispered_words(stage, speech)
        for word in ("refund", "order", "late", "green", "press"):
            assert word in whisper, whisper
        queue = await queue_words(stage, speech)
        for word in ("next", "hold", "assistant"):
            assert word in queue, queue
        mailbox = await mailbox_words(stage, speech)
        for word in ("sorry", "nobody", "message"):
            assert word in mailbox, mailbox
