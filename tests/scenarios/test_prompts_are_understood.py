"""What is said in hand-offs can be understood: spoken by a voice, written down by a listener.

The model is scripted as ever; the local speech lends its voice and its transcriber.
"""

from __future__ import annotations

import re
from functools import partial

import pytest
from piper import SynthesisConfig

from hookflash.core.handoff_plan import queue_target
from hookflash_local.carrier import Human, Line
from hookflash_local.model.speech import LocalComponents, SpeechOptions, load_components
from hookflash_local.model.speech_service import transcribe

from .acts import script_whole_agent
from .conftest import DESK, shop
from .test_meeting import RINGING, ask_for_a_human, other_legs


class Speech:
    """A voice, and somebody who writes down what they hear."""

    def __init__(self, components: LocalComponents) -> None:
        self._parts = components

    async def speak(self, text: str) -> bytes:
        return b"".join(self._parts.voice.speak(text))

    def words(self, sound: bytes) -> str:
        """Write down what is heard in a recording, in small letters and nothing else."""
        return re.sub(r"[^a-z0-9 ]", "", transcribe(self._parts, sound).text.lower())


async def whispered_words(stage, speech: Speech) -> str:
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
        return speech.words(leg.recording().heard)


async def queue_words(stage, speech: Speech) -> str:
    """What a caller hears who is first in a queue."""
    plan = {"targets": (queue_target("support"),), "announce_seconds": 5}
    async with stage(shop(**plan), speak=speech.speak) as s:
        script_whole_agent(s)

        async def script(line: Line) -> None:
            await ask_for_a_human(s, line)
            await line.wait_for("say", 2)
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        heard = call.recording().heard
        return speech.words(heard[heard.rindex(bytes([RINGING]) * 160) + 160 :])


async def mailbox_words(stage, speech: Speech) -> str:
    """What a caller hears whom nobody can speak with, neither human nor agent."""
    async with stage(speak=speech.speak) as s:
        s.model.faults.session_format = "audio/pcm"
        s.carrier.humans[DESK] = Human.busy()

        async def script(line: Line) -> None:
            await line.wait_for("recording-started")
            await line.hang_up()

        call = await s.call(script)
        await s.record(call)
        return speech.words(call.recording().heard)


@pytest.fixture(scope="module")
def speech() -> Speech:
    components = load_components(lambda what, done: None, SpeechOptions())
    # Without its noise the voice says a sentence in the same way each time.
    piper = components.voice._piper  # type: ignore[attr-defined]  # it has no setting for this
    quiet = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
    piper.synthesize = partial(piper.synthesize, syn_config=quiet)
    return Speech(components)


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        (whispered_words, ("refund", "order", "late", "green", "press")),
        (queue_words, ("next", "hold", "assistant")),
        (mailbox_words, ("sorry", "nobody", "message")),
    ],
    ids=["the human", "the queue", "the mailbox"],
)
async def test_what_humans_and_callers_are_told_is_understood(stage, speech, listen, words):
    heard = await listen(stage, speech)
    assert [word for word in words if word not in heard] == [], heard
