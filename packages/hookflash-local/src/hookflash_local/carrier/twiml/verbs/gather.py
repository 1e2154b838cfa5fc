"""`<Gather>`: keys or speech of the party, while a prompt plays and after it.

The first key, or the party's voice, stops the prompt; with `bargeIn="false"` the voice does not.
Digits are complete with `numDigits`, with `finishOnKey` (default `#`) or when no key came for
`timeout` seconds (default 5). Speech is complete after `speechTimeout` seconds of silence. Its
default is `timeout`; `auto` is one second here, which Twilio does not document. The text of the
speech comes from the carrier's `transcribe`, or else from what the script says; Confidence is
always 1.0. Without input the next verb runs, unless `actionOnEmptyResult` is set. Without `action`
the current document is requested again.
Source: Twilio, `<Gather>`.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.frame_clock import FRAME_SECONDS
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, sample_at
from hookflash_local.carrier.media.recordings import text_of
from hookflash_local.carrier.tasks import first_of
from hookflash_local.carrier.twiml.execution import VERBS, Next, VerbContext, verb
from hookflash_local.carrier.twiml.parse import Element

DEFAULT_TIMEOUT_SECONDS = 5.0
AUTO_SPEECH_SECONDS = 1.0
VOICE_FRAMES = 2
"""So many frames of sound in a row are a voice: 40 ms."""


@verb("Gather")
async def gather(context: VerbContext, element: Element) -> Next:
    inputs = element.get("input", "dtmf").split()
    keys: asyncio.Queue[str] = asyncio.Queue()
    prompted = asyncio.Event()
    speech = _Speech(context.leg)
    found: list[str] = []

    async def collect() -> None:
        found.append(await _collect(context, element, keys, prompted))

    async def voice() -> None:
        if "speech" not in inputs:
            await asyncio.Event().wait()
        if not element.true("bargeIn", True):
            await prompted.wait()
        await speech.begin()

    before = context.leg.on_key
    context.leg.on_key = keys.put_nowait if "dtmf" in inputs else None
    context.leg.note("gathering")
    try:
        form = {}
        if await first_of(collect(), voice()) == 1:
            await speech.end(_silence_seconds(element))
            text = await speech.text(context)
            form = {"SpeechResult": text, "Confidence": "1.0"} if text else {}
        elif found[0]:
            form = {"Digits": found[0]}
    finally:
        context.leg.on_key = before
    speech_result = {"speech": form["SpeechResult"]} if "SpeechResult" in form else {}
    context.leg.note("gathered", digits=form.get("Digits", ""), **speech_result)
    if not form and not element.true("actionOnEmptyResult"):
        return None
    url = element.get("action") or context.page.url
    return context.ask(url, element.get("method"), form or {"Digits": ""})


def _silence_seconds(element: Element) -> float:
    """Return how much silence ends the party's speech."""
    if element.get("speechTimeout") == "auto":
        return AUTO_SPEECH_SECONDS
    return element.number("speechTimeout", element.number("timeout", DEFAULT_TIMEOUT_SECONDS))


class _Speech:
    """One utterance of a leg's party, from the moment this is created."""

    def __init__(self, leg: Leg) -> None:
        self._leg = leg
        self._answered = sample_at(leg.outbound_audio.opened_at or 0.0)
        self._index = len(leg.outbound_audio.recording) // FRAME_SAMPLES
        self._first = self._index
        self._began = leg.tools.clock.now() - leg.timeline.start

    async def begin(self) -> None:
        """Wait until the party speaks."""
        self._first = self._index = len(self._leg.outbound_audio.recording) // FRAME_SAMPLES
        heard = 0
        while heard < VOICE_FRAMES:
            heard = heard + 1 if await self._next_is_sound() else 0

    async def end(self, silence: float) -> None:
        """Wait until the party has been silent for so many seconds."""
        quiet = 0.0
        while quiet < silence - 1e-9:
            quiet = 0.0 if await self._next_is_sound() else quiet + FRAME_SECONDS

    async def text(self, context: VerbContext) -> str:
        """Return what was said."""
        leg = self._leg
        sound = leg.inbound_audio.read(self._sample(self._first), self._sample(self._index))
        ended = leg.tools.clock.now() - leg.timeline.start
        return await text_of(context.exchange, leg, sound, self._began, ended)

    def _sample(self, index: int) -> int:
        return self._answered + index * FRAME_SAMPLES

    async def _next_is_sound(self) -> bool:
        if len(await self._leg.outbound_audio.frame(self._index)) < FRAME_SAMPLES:
            await asyncio.Event().wait()  # The call is over, and this will be cancelled.
        first = self._sample(self._index)
        self._index += 1
        return sounds.is_sound(self._leg.inbound_audio.read(first, first + FRAME_SAMPLES))


async def _collect(
    context: VerbContext, element: Element, keys: asyncio.Queue[str], prompted: asyncio.Event
) -> str:
    """Return the digits; `prompted` is set when the prompt is over."""
    finish = element.get("finishOnKey", "#")
    most = int(element.number("numDigits", 10**9))
    timeout = element.number("timeout", DEFAULT_TIMEOUT_SECONDS)
    key = await _key_during_prompt(context, element, keys)
    prompted.set()
    digits = ""
    while True:
        if key is None:
            try:
                async with context.exchange.clock.timeout(timeout):
                    key = await keys.get()
            except TimeoutError:
                return digits
        if key == finish:
            return digits
        digits += key
        key = None
        if len(digits) >= most:
            return digits


async def _key_during_prompt(
    context: VerbContext, element: Element, keys: asyncio.Queue[str]
) -> str | None:
    """Run what stands inside; return the key that interrupted it, if one did."""
    if not element.children:
        return None
    first = asyncio.create_task(keys.get(), name=f"key {context.leg.sid}")
    prompt = asyncio.create_task(_prompt(context, element), name=f"prompt {context.leg.sid}")
    try:
        await asyncio.wait({first, prompt}, return_when=asyncio.FIRST_COMPLETED)
        if prompt.done():
            prompt.result()
        return first.result() if first.done() else None
    finally:
        for task in (first, prompt):
            task.cancel()
        await asyncio.wait({first, prompt})


async def _prompt(context: VerbContext, element: Element) -> None:
    for child in element.children:
        await VERBS[child.name](context, child)
