"""Whole turns with the real weights: an answer, an interruption, a human."""

import base64
import json

from hookflash_local import audio
from hookflash_local.model.local_model import local_model
from hookflash_local.model.speech_client import SpeechClient
from hookflash_local.model.speech_service import SpeechService
from hookflash_local.model.timing import Pace

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


async def test_a_caller_is_answered_interrupts_and_gets_a_human(live_call, components):
    def said(name):
        return live_call.trimmed(audio.load(name).audio)

    async with (
        # At four times real time the long answer lasts long enough to be interrupted.
        local_model(components, pace=Pace(factor=4.0)) as model,
        SpeechService(components) as speech,
        live_call.call(model.url, instructions=INSTRUCTIONS, tools=[TRANSFER]) as line,
    ):
        _, ended = await line.play(said("tts-hours-flite-slt"))
        at, _ = await line.until("response.output_audio.delta", ended)
        # The silence that ends a turn; the components take no virtual time.
        assert 0.5 <= at - ended <= 0.6
        _, done = await line.until("response.done", at)
        transcript = done["response"]["output"][0]["content"][0]["transcript"]
        assert "on Saturday from ten to two" in transcript
        spoken = b"".join(
            base64.b64decode(event["delta"])
            for _, event in line.events
            if event["type"] == "response.output_audio.delta"
        )
        assert "saturday" in (await SpeechClient(speech.url).transcribe(spoken)).text.lower()

        _, ended = await line.play(said("tts-cancel-piper-joe"))
        at, _ = await line.until("response.output_audio.delta", ended)
        began, _ = await line.play(said("tts-interrupt-flite-slt"))
        stopped, done = await line.until("response.done", at)
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        assert stopped - began <= 0.1
        await line.until("response.done", stopped)

        # A real recording: the room goes on after the words, and the answer may come over it.
        began, _ = await line.play(said("speak-to-customer-support"))
        _, done = await line.until("response.done", began)
        sentence, called = done["response"]["output"]
        assert "connecting you" in sentence["content"][0]["transcript"]
        assert called["name"] == "transfer_to_human"
        assert "customer support" in json.loads(called["arguments"])["reason"].lower()
        assert line.heard()[0] == "What are your opening hours on Saturday?"
