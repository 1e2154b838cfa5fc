"""What a caller hears who waits, and what they may leave, as TwiML. No I/O.

    JoinQueue      <Enqueue action waitUrl workflowSid><Task>{...}</Task></Enqueue>, or a name
    KeepInQueue    <Gather action><Say><Play></Gather>, asked for by waitUrl
    LeaveQueue     <Leave/>
    Hold           <Say><Play><Redirect>
    TakeVoicemail  <Say><Record action transcribeCallback recordingStatusCallback><Redirect>

Rules: in a queue only Say, Play, Pause, Gather, Redirect, Leave and Hangup may be used, and the
end of the document is no end, for it is asked for again. `<Record>` asks its action only if
something was recorded: silence goes on with the next verb, which asks as well.

Sources: twilio.com/docs/voice/twiml and its pages on enqueue, leave, gather, play, redirect,
record.
"""

from __future__ import annotations

import json
import re

from twilio.twiml.voice_response import VoiceResponse

from hookflash.carriers.twilio.parties import Parties
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.voices import Voices
from hookflash.core.commands import Hold, JoinQueue, KeepInQueue, TakeVoicemail
from hookflash.errors import ConfigError

SILENT_SECONDS = 5
"""After so much silence a message is complete."""

TRANSCRIBED_SECONDS = 120
"""Twilio writes no longer recording down."""

TRANSCRIPT_URL = "transcript_url"
"""The attribute of a task that says where its call can be read."""

_WORKFLOW = re.compile(r"WW[0-9a-fA-F]{32}")


def join_queue(document: VoiceResponse, what: JoinQueue, urls: Urls, parties: Parties) -> None:
    address = what.target.address
    if what.target.kind != "queue":
        raise ConfigError(f"<Enqueue>: expected a queue, got a target of kind {what.target.kind!r}")
    addresses = {
        "action": urls.queue(what.step),
        "method": "POST",
        "wait_url": urls.wait(what.step),
        "wait_url_method": "POST",
    }
    if _WORKFLOW.fullmatch(address):
        queue = document.enqueue(None, workflow_sid=address, **addresses)
        read_at = {TRANSCRIPT_URL: urls.transcript(parties.call_sid)}
        queue.task(json.dumps({**what.attributes, **read_at}))
    else:
        # A plain queue is a name and nothing else: it cannot carry attributes.
        document.enqueue(address, **addresses)


def keep_in_queue(document: VoiceResponse, what: KeepInQueue, urls: Urls, voices: Voices) -> None:
    gather = document.gather(
        action=urls.wait(what.step),
        method="POST",
        num_digits=1,
        finish_on_key="",
        action_on_empty_result=True,
        timeout=1,
    )
    voices.say(gather, what.text, what.language)
    gather.play(urls.music(what.seconds))


def hold(document: VoiceResponse, what: Hold, urls: Urls, voices: Voices) -> None:
    voices.say(document, what.text)
    document.play(urls.music(what.seconds))
    document.redirect(urls.hold(what.step), method="POST")


def take_voicemail(
    document: VoiceResponse, what: TakeVoicemail, urls: Urls, voices: Voices
) -> None:
    voices.say(document, what.text, what.language)
    seconds = min(what.seconds, TRANSCRIBED_SECONDS) if what.transcribe else what.seconds
    document.record(
        action=urls.voicemail(what.step),
        method="POST",
        max_length=seconds,
        timeout=SILENT_SECONDS,
        finish_on_key="#",
        play_beep=True,
        recording_status_callback=urls.recording(what.step),
        recording_status_callback_method="POST",
        recording_status_callback_event="completed",
        transcribe=what.transcribe or None,
        transcribe_callback=urls.transcription(what.step) if what.transcribe else None,
    )
    document.redirect(urls.voicemail(what.step), method="POST")
