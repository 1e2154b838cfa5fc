"""`<Enqueue>` (plain, or with a `<Task>` for a workflow) and `<Dial><Queue>`, which takes from it.

waiting (waitUrl, again and again) -> taken -> url of <Queue> -> bridged -> action
     | hang-up, leave, moved, full, error                          ^
     +--------------------------------------------------------------+

Without waitUrl the caller hears music, with an empty one silence. A queue is made on demand by
`<Enqueue>`, not by `<Dial>`. Source: Twilio, `<Enqueue>`, `<Queue>`, TaskRouter TwiML.
"""

from __future__ import annotations

import asyncio
import json

from hookflash_local.carrier import notices, sounds
from hookflash_local.carrier.bridge import bridge, first_of
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.hearing import Loop
from hookflash_local.carrier.lives import Finish, Next, Scene, run, verb
from hookflash_local.carrier.pages import Ask
from hookflash_local.carrier.queue import Queue, Waiting
from hookflash_local.carrier.twiml import Element

_AGAIN_SECONDS = 1.0
"""A waiting document that takes no time is asked again after this."""


def queue_named(exchange: Exchange, name: str) -> Queue:
    """Find a queue, made on demand."""
    queues = exchange.live.queues
    if name not in queues:
        queues[name] = Queue(name, exchange.new_sid("QU"))
    return queues[name]


@verb("Enqueue")
async def enqueue(scene: Scene, element: Element) -> Next:
    exchange, leg = scene.exchange, scene.leg
    name = element.get("workflowSid") or element.text
    if not 0 < len(name) <= 64:
        exchange.notice(notices.SCHEMA, "<Enqueue> needs a name of at most 64 letters", leg)
    queue = queue_named(exchange, name)
    waiting = _waiting(scene, element)
    result = "system-error"
    try:
        result = await _stay(scene, element, queue, waiting)
    except asyncio.CancelledError:
        if element.get("action"):
            form = _result(exchange, queue, waiting, _cut_short(waiting))
            scene.ask_in_vain(element.get("action"), element.get("method"), form)
        raise
    finally:
        queue.leave(waiting)
        waiting.over.set()
    leg.note("dequeued", result=result)
    form = _result(exchange, queue, waiting, result)
    if result == "hangup":
        if element.get("action"):
            scene.ask_in_vain(element.get("action"), element.get("method"), form)
        return Finish("hung-up")
    if not element.get("action"):
        return None
    return scene.ask(element.get("action"), element.get("method"), form)


def _cut_short(waiting: Waiting) -> str:
    """Return the QueueResult of a call that REST moved, or whose caller hung up."""
    if waiting.taken_by is None:
        return "redirected" if waiting.leg.live else "hangup"
    # `hangup` is documented for callers who were not connected yet.
    return "redirected-from-bridged" if waiting.leg.live else "bridged"


def _waiting(scene: Scene, element: Element) -> Waiting:
    """Make the caller's place, with what the task says, if there is one."""
    since = scene.exchange.clock.now()
    tasks = element.children_named("Task")
    if not tasks:
        return Waiting(scene.leg, since)
    if not element.get("workflowSid"):
        scene.exchange.notice(notices.SCHEMA, "<Task> needs a workflowSid", scene.leg)
    try:
        read = json.loads(tasks[0].text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        text = "the attributes in <Task> are not a JSON object"
        scene.exchange.notice(notices.SCHEMA, text, scene.leg)
    return Waiting(scene.leg, since, tasks[0].text, int(tasks[0].number("priority", 0)))


def _result(exchange: Exchange, queue: Queue, waiting: Waiting, result: str) -> dict[str, str]:
    """Return what the action is told; SID and time only if the caller really was in the queue."""
    if result == "queue-full":
        return {"QueueResult": result}
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
    if waiting.first is not None:
        await run(exchange, leg, waiting.first, segment="wait")
    await bridge(exchange, leg, waiting.taken_by, until=waiting.parted)
    return "bridged"


async def _wait(
    scene: Scene, element: Element, queue: Queue, waiting: Waiting, ended_by: list[str]
) -> None:
    """Run the waiting document again and again, until it ends the waiting itself."""
    exchange, leg = scene.exchange, scene.leg
    if not element.get("waitUrl"):
        if "waitUrl" not in element.attributes:
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


async def take_from_queue(scene: Scene, dial: Element, noun: Element) -> str:
    """Wait for the first caller of the queue and talk; return the DialCallStatus.

    The caller's own `<Enqueue>` does the bridging, so that its action comes afterwards.
    """
    exchange = scene.exchange
    queue = exchange.live.queues.get(noun.text)
    if queue is None:
        exchange.notice(notices.SCHEMA, f"there is no queue {noun.text!r}", scene.leg)
        return "failed"
    try:
        async with exchange.clock.timeout(dial.number("timeout", 30.0)):
            await queue.front()
    except TimeoutError:
        return "no-answer"
    waiting = queue.take(scene.leg, _first(scene, noun, queue))
    try:
        await waiting.over.wait()
    finally:
        waiting.parted.set()
    return "completed"


def _first(scene: Scene, noun: Element, queue: Queue) -> Ask | None:
    """Return what the queued caller hears before they are connected."""
    if not noun.get("url"):
        return None
    waiting = queue.waiting[0]
    seconds = int(scene.exchange.clock.now() - waiting.since)
    form = {"QueueSid": queue.sid, "QueueTime": str(seconds), "DequeingCallSid": scene.leg.sid}
    return scene.ask(noun.get("url"), noun.get("method"), form)
