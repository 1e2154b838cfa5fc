"""`<Say>`, `<Play>`, `<Pause>`: what the carrier itself lets a leg hear."""

from __future__ import annotations

from hookflash_local.carrier import alerts
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.playout import SILENCE, Playout
from hookflash_local.carrier.parties import spoken
from hookflash_local.carrier.twiml.execution import Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element
from hookflash_local.carrier.webhooks import FetchFailed

MAX_SOUND_BYTES = 40 * 1024 * 1024


@verb("Say")
async def say(context: VerbContext, element: Element) -> Next:
    how = {name: element.get(name) for name in ("language", "voice") if element.get(name)}
    context.leg.note("say", text=element.text, **how)
    await _play(context, await spoken(context.exchange.settings.speak, element.text), element)
    return None


@verb("Play")
async def play(context: VerbContext, element: Element) -> Next:
    """Play a WAV file from a URL; with `digits`, send tones instead (heard as short silences)."""
    digits = element.get("digits")
    if digits:
        context.leg.note("play", digits=digits)
        await _play(context, SILENCE * 1600 * len(digits), element)
        return None
    try:
        url = context.page.resolve(element.text)
        reply = await context.exchange.webhooks.fetch(
            url, "GET", {}, call_sid=context.leg.sid, max_bytes=MAX_SOUND_BYTES
        )
        sound = sounds.read_wav(reply.body)
    except (FetchFailed, ValueError) as error:
        # A sound that cannot be fetched or read is left out; the document goes on.
        code = error.code if isinstance(error, FetchFailed) else alerts.CONTENT_TYPE
        context.exchange.alert(code, f"<Play>{element.text}: {error}", context.leg)
        return None
    context.leg.note("play", url=url)
    await _play(context, sound, element)
    return None


@verb("Pause")
async def pause(context: VerbContext, element: Element) -> Next:
    await context.exchange.clock.sleep(element.number("length", 1.0))
    return None


async def _play(context: VerbContext, sound: bytes, element: Element) -> None:
    """Let the leg hear `sound` as often as the element's `loop` says; 0 is without end."""
    clock = context.exchange.clock
    left = int(element.number("loop", 1))
    forever = element.get("loop") == "0"
    if not sound:
        return
    announcement = Playout(clock.now())
    context.leg.listen_to(announcement)
    try:
        while forever or left:
            left -= 1
            announcement.play(sound, clock.now())
            await clock.sleep_until(announcement.end)
    finally:
        # Cut short, the leg may hear something else already: a conference that has started.
        if context.leg.outbound_audio.source is announcement:
            context.leg.listen_to(None)


async def heard_once(context: VerbContext, sound: bytes) -> None:
    """Let the leg hear `sound` from end to end."""
    await _play(context, sound, Element("Play", {}, (), ""))
