"""`<Say>`, `<Play>`, `<Pause>`: what the carrier itself lets a leg hear."""

from __future__ import annotations

from hookflash_local.carrier import notices, sounds
from hookflash_local.carrier.lives import Next, Scene, verb
from hookflash_local.carrier.party import spoken
from hookflash_local.carrier.playout import SILENCE, Playout
from hookflash_local.carrier.twiml import Element
from hookflash_local.carrier.webhooks import FetchFailed

MAX_SOUND_BYTES = 40 * 1024 * 1024


@verb("Say")
async def say(scene: Scene, element: Element) -> Next:
    scene.leg.note("say", text=element.text)
    await _play(scene, await spoken(scene.exchange.settings.speak, element.text), element)
    return None


@verb("Play")
async def play(scene: Scene, element: Element) -> Next:
    """Play a WAV file from a URL; with `digits`, send tones instead (heard as short silences)."""
    digits = element.get("digits")
    if digits:
        scene.leg.note("play", digits=digits)
        await _play(scene, SILENCE * 1600 * len(digits), element)
        return None
    try:
        url = scene.page.resolve(element.text)
        reply = await scene.exchange.webhooks.fetch(
            url, "GET", {}, call_sid=scene.leg.sid, max_bytes=MAX_SOUND_BYTES
        )
        sound = sounds.read_wav(reply.body)
    except (FetchFailed, ValueError) as error:
        # A sound that cannot be had is left out; the document goes on.
        code = error.code if isinstance(error, FetchFailed) else notices.CONTENT_TYPE
        scene.exchange.notice(code, f"<Play>{element.text}: {error}", scene.leg)
        return None
    scene.leg.note("play", url=url)
    await _play(scene, sound, element)
    return None


@verb("Pause")
async def pause(scene: Scene, element: Element) -> Next:
    await scene.exchange.clock.sleep(element.number("length", 1.0))
    return None


async def _play(scene: Scene, sound: bytes, element: Element) -> None:
    """Let the leg hear `sound` as often as the element's `loop` says; 0 is without end."""
    clock = scene.exchange.clock
    left = int(element.number("loop", 1))
    forever = element.get("loop") == "0"
    if not sound:
        return
    announcement = Playout(clock.now())
    scene.leg.listen_to(announcement)
    try:
        while forever or left:
            left -= 1
            announcement.play(sound, clock.now())
            await clock.sleep_until(announcement.end)
    finally:
        # Cut short, the leg may hear something else already: a conference that has started.
        if scene.leg.ear.source is announcement:
            scene.leg.listen_to(None)


async def heard_once(scene: Scene, sound: bytes) -> None:
    """Let the leg hear `sound` from end to end."""
    await _play(scene, sound, Element("Play", {}, (), ""))
