"""`<Record>`: a beep, then what the party says, until silence, a key, the longest time, or the end.

The action (default: the current document) gets the address of the recording; hanging up ends
it too, with Digits `hangup`, and the answer is ignored. If nothing was said, the next verb runs.
Source: Twilio, `<Record>`.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import alerts
from hookflash_local.carrier.media import recordings, sounds
from hookflash_local.carrier.media.frame_clock import FRAME_SECONDS
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, sample_at
from hookflash_local.carrier.media.recordings import CallRecording, RecordingOptions
from hookflash_local.carrier.tasks import first_of
from hookflash_local.carrier.twiml.execution import Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element
from hookflash_local.carrier.twiml.verbs.speech import heard_once

DEFAULT_TIMEOUT_SECONDS = 5.0
LONGEST_SECONDS = 3600.0


@verb("Record")
async def record(context: VerbContext, element: Element) -> Next:
    options = RecordingOptions(
        "RecordVerb",
        track="inbound",
        trim=element.get("trim", "trim-silence") == "trim-silence",
        callback=context.callback(element, "recordingStatusCallback"),
        events=frozenset(element.get("recordingStatusCallbackEvent", "completed").split()),
    )
    if element.true("playBeep", True):
        await heard_once(context, sounds.beep())
    recording = recordings.start(
        context.exchange, context.leg, options, transcribe_to=_transcribe_to(context, element)
    )
    try:
        key = await _until_it_ends(context, element)
    except asyncio.CancelledError:
        recording.stop()
        if not context.leg.live:
            url = element.get("action") or context.page.url
            context.ask_and_ignore(url, element.get("method"), _form(context, recording, "hangup"))
        raise
    recording.stop(_longest(element))
    if recording.is_empty:
        return None
    url = element.get("action") or context.page.url
    return context.ask(url, element.get("method"), _form(context, recording, key))


def _form(context: VerbContext, recording: CallRecording, digits: str) -> dict[str, str]:
    return {
        "RecordingUrl": recordings.url_of(context.exchange, recording),
        "RecordingSid": recording.sid,
        "RecordingDuration": str(recording.seconds),
        "Digits": digits,
    }


def _transcribe_to(context: VerbContext, element: Element) -> tuple[str, str] | None:
    wanted = element.true("transcribe") or element.get("transcribeCallback")
    if not wanted:
        return None
    longest = recordings.LONGEST_TRANSCRIBED_SECONDS
    if element.number("maxLength", longest) > longest:
        text = f"<Record maxLength> is over {longest} s: the recording is not transcribed"
        context.exchange.alert(alerts.SCHEMA, text, context.leg)
        return None
    # Without a callback, Twilio stores the text and lists it by REST; there is no such list here.
    return context.callback(element, "transcribeCallback")


def _longest(element: Element) -> float:
    transcribed = recordings.LONGEST_TRANSCRIBED_SECONDS
    default = transcribed if element.true("transcribe") else LONGEST_SECONDS
    return element.number("maxLength", default)


async def _until_it_ends(context: VerbContext, element: Element) -> str:
    """Wait for silence, a key or the longest time; return the key, if it was one."""
    finish = element.get("finishOnKey", "1234567890*#")
    keys: asyncio.Queue[str] = asyncio.Queue()
    pressed: list[str] = []

    async def key() -> None:
        while not pressed or pressed[-1] not in finish:
            pressed.append(await keys.get())

    before, context.leg.on_key = context.leg.on_key, keys.put_nowait
    try:
        async with context.exchange.clock.timeout(_longest(element)):
            first = await first_of(key(), _silence(context, element))
            return pressed[-1] if first == 0 else ""
    except TimeoutError:
        return ""
    finally:
        context.leg.on_key = before


async def _silence(context: VerbContext, element: Element) -> None:
    """Wait until the party has said nothing for so long, counted from now."""
    leg, longest = context.leg, element.number("timeout", DEFAULT_TIMEOUT_SECONDS)
    index, quiet = len(leg.outbound_audio.recording) // FRAME_SAMPLES, 0.0
    first = sample_at(leg.outbound_audio.opened_at or 0.0)
    while quiet < longest - 1e-9:
        if len(await leg.outbound_audio.frame(index)) < FRAME_SAMPLES:
            return
        at = first + index * FRAME_SAMPLES
        sound = sounds.is_sound(leg.inbound_audio.read(at, at + FRAME_SAMPLES))
        quiet = 0.0 if sound else quiet + FRAME_SECONDS
        index += 1
