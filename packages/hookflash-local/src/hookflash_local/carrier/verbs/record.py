"""`<Record>`: a beep, then what the party says, until silence, a key, the longest time, or the end.

The action (default: the current document) is told where the recording will be; who hangs up ends
it too, with Digits `hangup`, and the answer is ignored. If nothing was said, the next verb runs.
Source: Twilio, `<Record>`.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import mulaw, notices, recorder, sounds
from hookflash_local.carrier.bridge import first_of
from hookflash_local.carrier.lives import Next, Scene, verb
from hookflash_local.carrier.playout import FRAME_SAMPLES, sample_at
from hookflash_local.carrier.pump import FRAME_SECONDS
from hookflash_local.carrier.tape import Tape, TapeWish
from hookflash_local.carrier.twiml import Element
from hookflash_local.carrier.verbs.speech import heard_once

DEFAULT_TIMEOUT_SECONDS = 5.0
LONGEST_SECONDS = 3600.0


@verb("Record")
async def record(scene: Scene, element: Element) -> Next:
    wish = TapeWish(
        "RecordVerb",
        track="inbound",
        trim=element.get("trim", "trim-silence") == "trim-silence",
        report_to=scene.callback(element, "recordingStatusCallback"),
        events=frozenset(element.get("recordingStatusCallbackEvent", "completed").split()),
    )
    if element.true("playBeep", True):
        await heard_once(scene, sounds.beep())
    tape = recorder.start(
        scene.exchange, scene.leg, wish, transcribe_to=_transcribe_to(scene, element)
    )
    try:
        key = await _until_it_ends(scene, element)
    except asyncio.CancelledError:
        tape.stop()
        if not scene.leg.live:
            url = element.get("action") or scene.page.url
            scene.ask_in_vain(url, element.get("method"), _form(scene, tape, "hangup"))
        raise
    tape.stop(_longest(element))
    if tape.is_empty:
        return None
    url = element.get("action") or scene.page.url
    return scene.ask(url, element.get("method"), _form(scene, tape, key))


def _form(scene: Scene, tape: Tape, digits: str) -> dict[str, str]:
    return {
        "RecordingUrl": recorder.url_of(scene.exchange, tape),
        "RecordingSid": tape.sid,
        "RecordingDuration": str(tape.seconds),
        "Digits": digits,
    }


def _transcribe_to(scene: Scene, element: Element) -> tuple[str, str] | None:
    wanted = element.true("transcribe") or element.get("transcribeCallback")
    if not wanted:
        return None
    longest = recorder.LONGEST_TRANSCRIBED_SECONDS
    if element.number("maxLength", longest) > longest:
        text = f"<Record maxLength> is over {longest} s: the recording is not transcribed"
        scene.exchange.notice(notices.SCHEMA, text, scene.leg)
        return None
    # Without a callback Twilio keeps the text for whoever asks; there is no such list here.
    return scene.callback(element, "transcribeCallback")


def _longest(element: Element) -> float:
    transcribed = recorder.LONGEST_TRANSCRIBED_SECONDS
    default = transcribed if element.true("transcribe") else LONGEST_SECONDS
    return element.number("maxLength", default)


async def _until_it_ends(scene: Scene, element: Element) -> str:
    """Wait for silence, a key or the longest time; return the key, if it was one."""
    finish = element.get("finishOnKey", "1234567890*#")
    keys: asyncio.Queue[str] = asyncio.Queue()
    pressed: list[str] = []

    async def key() -> None:
        while not pressed or pressed[-1] not in finish:
            pressed.append(await keys.get())

    before, scene.leg.on_key = scene.leg.on_key, keys.put_nowait
    try:
        async with scene.exchange.clock.timeout(_longest(element)):
            first = await first_of(key(), _silence(scene, element))
            return pressed[-1] if first == 0 else ""
    except TimeoutError:
        return ""
    finally:
        scene.leg.on_key = before


async def _silence(scene: Scene, element: Element) -> None:
    """Wait until the party has said nothing for so long, counted from now."""
    leg, longest = scene.leg, element.number("timeout", DEFAULT_TIMEOUT_SECONDS)
    index, quiet = len(leg.ear.recording) // FRAME_SAMPLES, 0.0
    first = sample_at(leg.ear.opened_at or 0.0)
    while quiet < longest - 1e-9:
        if len(await leg.ear.frame(index)) < FRAME_SAMPLES:
            return
        at = first + index * FRAME_SAMPLES
        sound = mulaw.is_sound(leg.mouth.read(at, at + FRAME_SAMPLES))
        quiet = 0.0 if sound else quiet + FRAME_SECONDS
        index += 1
