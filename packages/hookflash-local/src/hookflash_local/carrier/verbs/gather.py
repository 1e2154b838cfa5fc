"""`<Gather>`: keys pressed while a prompt plays and after it. Speech input is not simulated.

The first key stops the prompt. Digits are complete with `numDigits`, with `finishOnKey` (default
`#`) or when no key came for `timeout` seconds (default 5). Without digits the next verb runs,
unless `actionOnEmptyResult` is set. Without `action` the current document is asked again.
"""

from __future__ import annotations

import asyncio

from hookflash_local.carrier import notices
from hookflash_local.carrier.lives import VERBS, Next, Scene, verb
from hookflash_local.carrier.twiml import Element

DEFAULT_TIMEOUT_SECONDS = 5.0


@verb("Gather")
async def gather(scene: Scene, element: Element) -> Next:
    if "speech" in element.get("input"):
        scene.exchange.notice(
            notices.NOT_SIMULATED, "<Gather input='speech'> hears only keys here", scene.leg
        )
    keys: asyncio.Queue[str] = asyncio.Queue()
    before, scene.leg.on_key = scene.leg.on_key, keys.put_nowait
    scene.leg.note("gathering")
    try:
        digits = await _collect(scene, element, keys)
    finally:
        scene.leg.on_key = before
    scene.leg.note("gathered", digits=digits)
    if not digits and not element.true("actionOnEmptyResult"):
        return None
    url = element.get("action") or scene.page.url
    return scene.ask(url, element.get("method"), {"Digits": digits})


async def _collect(scene: Scene, element: Element, keys: asyncio.Queue[str]) -> str:
    finish = element.get("finishOnKey", "#")
    most = int(element.number("numDigits", 10**9))
    timeout = element.number("timeout", DEFAULT_TIMEOUT_SECONDS)
    key = await _key_during_prompt(scene, element, keys)
    digits = ""
    while True:
        if key is None:
            try:
                async with scene.exchange.clock.timeout(timeout):
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
    scene: Scene, element: Element, keys: asyncio.Queue[str]
) -> str | None:
    """Run what stands inside; return the key that interrupted it, if one did."""
    if not element.children:
        return None
    first = asyncio.create_task(keys.get(), name=f"key {scene.leg.sid}")
    prompt = asyncio.create_task(_prompt(scene, element), name=f"prompt {scene.leg.sid}")
    try:
        await asyncio.wait({first, prompt}, return_when=asyncio.FIRST_COMPLETED)
        if prompt.done():
            prompt.result()
        return first.result() if first.done() else None
    finally:
        for task in (first, prompt):
            task.cancel()
        await asyncio.wait({first, prompt})


async def _prompt(scene: Scene, element: Element) -> None:
    for child in element.children:
        await VERBS[child.name](scene, child)
