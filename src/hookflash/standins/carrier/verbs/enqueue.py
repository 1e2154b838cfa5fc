"""`<Enqueue>` (plain, or with a `<Task>` for a workflow) and `<Dial><Queue>`, which takes from it.

waiting (waitUrl, again and again) -> taken -> bridged -> action
     | hang-up, leave, moved, full, error                   ^
     +-------------------------------------------------------+
"""

from __future__ import annotations

import asyncio

from hookflash.standins.carrier import notices, sounds
from hookflash.standins.carrier.bridge import bridge, first_of
from hookflash.standins.carrier.exchange import Exchange
from hookflash.standins.carrier.hearing import Loop
from hookflash.standins.carrier.lives import Finish, Next, Scene, run, verb
from hookflash.standins.carrier.pages import Ask
from hookflash.standins.carrier.queue import Queue, Waiting
from hookflash.standins.carrier.twiml import Element

_AGAIN_SECONDS = 1.0
"""A waiting document that takes no time is asked again after this."""


def queue_named(exchange: Exchange, name: str) -> Queue:
    """Find a queue, made on demand."""
    return exchange.live.queues.setdefault(name, Queue(name))


@verb("Enqueue")
async def enqueue(scene: Scene, element: Element) -> Next:
    exchange, leg = scene.exchange, scene.leg
    tasks = element.children_named("Task")
    name = element.get("workflowSid") or element.text
    if not 0 < len(name) <= 64:
        exchange.notice(notices.SCHEMA, "<Enqueue> needs a name of at most 64 letters", leg)
    queue = queue_named(exchange, name)
    waiting = Waiting(leg, exchange.clock.now(), tasks[0].text if tasks else "")
    result = "system-error"
    try:
        result = await _stay(scene, element, queue, waiting)
    except asyncio.CancelledError:
        if element.get("action"):
            moved = "redirected-from-bridged" if waiting.taken_by else "redirected"
            result = moved if leg.live else "hangup"
            form = _result(exchange, queue, waiting, result)
            scene.ask_in_vain(element.get("action"), element.get("method"), form)
        raise
    finally:
        queue.leave(waiting)
        waiting.over.set()
    leg.note("dequeued", result=result)
    if result == "hangup":
        return Finish("hung-up")
    if not element.get("action"):
        return None
    form = _result(exchange, queue, waiting, result)
    return scene.ask(element.get("action"), element.get("method"), form)


def _result(exchange: Exchange, queue: Queue, waiting: Waiting, result: str) -> dict[str, str]:
    seconds = int(exchange.clock.now() - waiting.since)
    return {"QueueResult": result, "QueueSid": queue.sid, "QueueTime": str(seconds)}


async def _stay(scene: Scene, element: Element, queue: Queue, waiting: Waiting) -> str:
    """Wait and talk; return the QueueResult."""
    exchange, leg = scene.exchange, scene.leg
    if not queue.join(waiting):
        return "queue-full"
    leg.note("queued", queue=queue.name, task=waiting.task)
    ended_by: list[str] = []
    await first_of(waiting.taken.wait(), _wait(scene, element, queue, waiting, ended_by))
    if waiting.taken_by is None:
        return ended_by[0]
    await bridge(exchange, leg, waiting.taken_by, until=waiting.parted)
    return "bridged"


async def _wait(
    scene: Scene, element: Element, queue: Queue, waiting: Waiting, ended_by: list[str]
) -> None:
    """Run the waiting document again and again, until it ends the waiting itself."""
    exchange, leg = scene.exchange, scene.leg
    if not element.get("waitUrl"):
        leg.listen_to(Loop(sounds.hold_music(), exchange.clock.now()))
        await leg.ended()
        ended_by.append("hangup")
        return
    base = scene.ask(element.get("waitUrl"), element.get("waitUrlMethod"))
    while not ended_by:
        began = exchange.clock.now()
        entry = Ask(base.url, base.method, queue.form(waiting, began))
        finish = await run(exchange, leg, entry, segment="queue")
        if finish.how != "ran-out":
            how = {"left": "leave", "hung-up": "hangup"}.get(finish.how, "error")
            ended_by.append(how)
        await exchange.clock.sleep(began + _AGAIN_SECONDS - exchange.clock.now())


async def take_from_queue(scene: Scene, noun: Element) -> bool:
    """Wait for the first caller of the queue and talk; True once that happened.

    The caller's own `<Enqueue>` does the bridging, so that its action comes afterwards.
    """
    queue = queue_named(scene.exchange, noun.text)
    await queue.front()
    waiting = queue.take(scene.leg)
    try:
        await waiting.over.wait()
    finally:
        waiting.parted.set()
    return True
