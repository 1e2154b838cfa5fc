"""`<Enqueue>` (plain, or with a `<Task>` for a workflow) and `<Dial><Queue>`, which takes from it.

member (waitUrl, again and again) -> taken -> url of <Queue> -> bridged -> action
     | hang-up, leave, moved, full, error                          ^
     +--------------------------------------------------------------+

Without waitUrl the caller hears music, with an empty one silence. A queue is made on demand by
`<Enqueue>`, not by `<Dial>`. Source: Twilio, `<Enqueue>`, `<Queue>`, TaskRouter TwiML.
"""

from __future__ import annotations

import asyncio
import json

from hookflash_local.carrier import alerts
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.bridge import bridge
from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.sources import Loop
from hookflash_local.carrier.queues import Queue, QueueMember
from hookflash_local.carrier.tasks import first_of
from hookflash_local.carrier.twiml.execution import Finish, Next, VerbContext, run, verb
from hookflash_local.carrier.twiml.fetch import TwimlUrl
from hookflash_local.carrier.twiml.parse import Element

_AGAIN_SECONDS = 1.0
"""The shortest time between two requests of a waiting document."""


def queue_named(exchange: Exchange, name: str) -> Queue:
    """Find a queue, made on demand."""
    queues = exchange.live.queues
    if name not in queues:
        queues[name] = Queue(name, exchange.new_sid("QU"), created=exchange.clock.wall())
    return queues[name]


@verb("Enqueue")
async def enqueue(context: VerbContext, element: Element) -> Next:
    exchange, leg = context.exchange, context.leg
    name = element.get("workflowSid") or element.text
    if not 0 < len(name) <= 64:
        exchange.alert(alerts.SCHEMA, "<Enqueue> needs a name of at most 64 letters", leg)
    queue = queue_named(exchange, name)
    member = _waiting(context, element)
    result = "system-error"
    try:
        result = await _wait_in_queue(context, element, queue, member)
    except asyncio.CancelledError:
        if element.get("action"):
            form = _result(exchange, queue, member, _cut_short(member))
            context.ask_and_ignore(element.get("action"), element.get("method"), form)
        raise
    finally:
        queue.leave(member)
        member.over.set()
    leg.note("dequeued", result=result)
    form = _result(exchange, queue, member, result)
    if result == "hangup":
        if element.get("action"):
            context.ask_and_ignore(element.get("action"), element.get("method"), form)
        return Finish("hung-up")
    if not element.get("action"):
        return None
    return context.ask(element.get("action"), element.get("method"), form)


def _cut_short(member: QueueMember) -> str:
    """Return the QueueResult of a call that REST moved, or whose caller hung up."""
    if member.taken_by is None:
        return "redirected" if member.leg.live else "hangup"
    # `hangup` is documented for callers who were not connected yet.
    return "redirected-from-bridged" if member.leg.live else "bridged"


def _waiting(context: VerbContext, element: Element) -> QueueMember:
    """Create the queue member, with the attributes of its task, if there is one."""
    since = context.exchange.clock.now()
    tasks = element.children_named("Task")
    if not tasks:
        return QueueMember(context.leg, since)
    if not element.get("workflowSid"):
        context.exchange.alert(alerts.SCHEMA, "<Task> needs a workflowSid", context.leg)
    try:
        read = json.loads(tasks[0].text)
    except ValueError:
        read = None
    if not isinstance(read, dict):
        text = "the attributes in <Task> are not a JSON object"
        context.exchange.alert(alerts.SCHEMA, text, context.leg)
    return QueueMember(context.leg, since, tasks[0].text, int(tasks[0].number("priority", 0)))


def _result(exchange: Exchange, queue: Queue, member: QueueMember, result: str) -> dict[str, str]:
    """Return the action's parameters; SID and time only if the caller was in the queue."""
    if result == "queue-full":
        return {"QueueResult": result}
    seconds = int(exchange.clock.now() - member.since)
    return {"QueueResult": result, "QueueSid": queue.sid, "QueueTime": str(seconds)}


async def _wait_in_queue(
    context: VerbContext, element: Element, queue: Queue, member: QueueMember
) -> str:
    """Wait and talk; return the QueueResult."""
    exchange, leg = context.exchange, context.leg
    if not queue.join(member):
        return "queue-full"
    leg.note("queued", queue=queue.name, task=member.task)
    ended_by: list[str] = []
    await first_of(member.taken.wait(), _wait(context, element, queue, member, ended_by))
    if member.taken_by is None:
        return ended_by[0]
    if member.first is not None:
        await run(exchange, leg, member.first, segment="wait")
    await bridge(exchange, leg, member.taken_by, until=member.parted)
    return "bridged"


async def _wait(
    context: VerbContext, element: Element, queue: Queue, member: QueueMember, ended_by: list[str]
) -> None:
    """Run the waiting document again and again, until it ends the member itself."""
    exchange, leg = context.exchange, context.leg
    if not element.get("waitUrl"):
        if "waitUrl" not in element.attributes:
            leg.listen_to(Loop(sounds.hold_music(), exchange.clock.now()))
        await leg.ended()
        ended_by.append("hangup")
        return
    base = context.ask(element.get("waitUrl"), element.get("waitUrlMethod"))
    # A caller who was taken while the document ran, or as it ended, is not asked about again.
    while not ended_by and member.taken_by is None:
        began = exchange.clock.now()
        entry = TwimlUrl(base.url, base.method, queue.form(member, began))
        finish = await run(exchange, leg, entry, segment="queue")
        if finish.how != "ran-out":
            how = {"left": "leave", "hung-up": "hangup"}.get(finish.how, "error")
            ended_by.append(how)
        await exchange.clock.sleep(began + _AGAIN_SECONDS - exchange.clock.now())


async def take_from_queue(context: VerbContext, dial: Element, noun: Element) -> str:
    """Wait for the first caller of the queue and talk; return the DialCallStatus.

    The caller's own `<Enqueue>` does the bridging, so that its action comes afterwards.
    """
    exchange = context.exchange
    queue = exchange.live.queues.get(noun.text)
    if queue is None:
        exchange.alert(alerts.SCHEMA, f"there is no queue {noun.text!r}", context.leg)
        return "failed"
    try:
        async with exchange.clock.timeout(dial.number("timeout", 30.0)):
            await queue.front()
    except TimeoutError:
        return "no-answer"
    member = queue.take(context.leg, _first(context, noun, queue))
    try:
        await member.over.wait()
    finally:
        member.parted.set()
    return "completed"


def _first(context: VerbContext, noun: Element, queue: Queue) -> TwimlUrl | None:
    """Return what the queued caller hears before they are connected."""
    if not noun.get("url"):
        return None
    member = queue.members[0]
    seconds = int(context.exchange.clock.now() - member.since)
    form = {"QueueSid": queue.sid, "QueueTime": str(seconds), "DequeingCallSid": context.leg.sid}
    return context.ask(noun.get("url"), noun.get("method"), form)
