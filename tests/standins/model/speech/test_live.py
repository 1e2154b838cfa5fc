"""Whole turns in real time with the real process: an answer, an interruption, a human."""

import base64
import json

from hookflash.standins import audio
from hookflash.standins.model.process import ModelProcess
from hookflash.standins.model.speech_client import SpeechClient

INSTRUCTIONS = (
    "You are the receptionist of Harbour Bikes.\n"
    "- We are open Monday to Friday from nine to six, and on Saturday from ten to two.\n"
    "- To cancel a subscription, write to us by the end of the month, with your name, your address"
    " and the number of your subscription, and we send you a confirmation within a week.\n"
)
TRANSFER = {
    "type": "function",
    "name": "transfer_to_human",
    "description": "Bring a human onto this call.",
    "parameters": {"type": "object", "properties": {"reason": {"type": "string"}}},
}
BUSY_SECONDS = 20.0
"""A bound for a machine that runs other tests; bench/turns.py measures what an idle one takes."""


async def test_a_caller_is_answered_interrupts_and_gets_a_human(live_call):
    def said(name):
        return live_call.trimmed(audio.load(name).audio)

    async with (
        # At four times real time the long answer lasts long enough to be interrupted.
        ModelProcess(mode="local", pace=4.0) as model,
        live_call.call(model.url, instructions=INSTRUCTIONS, tools=[TRANSFER]) as line,
    ):
        _, ended = await line.play(said("tts-hours-flite-slt"))
        at, _ = await line.until("response.output_audio.delta", ended)
        assert at - ended < BUSY_SECONDS
        _, done = await line.until("response.done", at)
        transcript = done["response"]["output"][0]["content"][0]["transcript"]
        assert "on Saturday from ten to two" in transcript
        spoken = b"".join(
            base64.b64decode(event["delta"])
            for _, event in line.events
            if event["type"] == "response.output_audio.delta"
        )
        assert "saturday" in (await SpeechClient(model.speech_url).transcribe(spoken)).text.lower()

        _, ended = await line.play(said("tts-cancel-piper-joe"))
        at, _ = await line.until("response.output_audio.delta", ended)
        began, _ = await line.play(said("tts-interrupt-flite-slt"))
        stopped, done = await line.until("response.done", at)
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        assert stopped - began < BUSY_SECONDS
        await line.until("response.done", stopped)

        # A real recording: the room goes on after the words, and the answer may come over it.
        began, _ = await line.play(said("speak-to-customer-support"))
        _, done = await line.until("response.done", began)
        sentence, called = done["response"]["output"]
        assert "connecting you" in sentence["content"][0]["transcript"]
        assert called["name"] == "transfer_to_human"
        assert "customer support" in json.loads(called["arguments"])["reason"].lower()
        assert line.heard()[0] == "What are your opening hours on Saturday?"


async def test_an_answer_begins_within_a_second_and_a_half_of_the_callers_last_sound(live_call):
    """The best of six: what other tests do with the processor meanwhile is not the speech's. All
    of them on a machine of their own are in docs/local-speech.md, by bench/turns.py."""
    waited = []
    async with ModelProcess(mode="local", pace=4.0) as model:
        for name in ("tts-hours-piper-joe", "tts-cancel-piper-joe", "tts-hours-flite-slt") * 2:
            async with live_call.call(model.url, instructions=INSTRUCTIONS) as line:
                _, ended = await line.play(live_call.trimmed(audio.load(name).audio))
                at, _ = await line.until("response.output_audio.delta", ended)
                waited.append(at - ended)
    print("\nanswers after " + ", ".join(f"{seconds:.2f} s" for seconds in sorted(waited)))
    assert min(waited) < 1.5
