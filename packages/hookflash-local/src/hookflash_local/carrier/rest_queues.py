"""REST: Queues and their Members. No I/O.

    Queues.json            create, list          Queues/{QU}.json   fetch, update, delete
    Queues/{QU}/Members.json           list
    Queues/{QU}/Members/{CA | Front}.json   fetch; update with Url takes the caller out of the queue

Source: Twilio, Queue resource, Queue Members resource.
"""

from __future__ import annotations

from typing import Any

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import API_VERSION, rfc2822
from hookflash_local.carrier.lives import move
from hookflash_local.carrier.pages import Ask
from hookflash_local.carrier.queue import DEFAULT_SIZE, Queue, Waiting
from hookflash_local.carrier.rest_bodies import Refusal
from hookflash_local.carrier.rest_request import Answer, Asked, Resource, page

CONFLICT = 20409


def _queue(asked: Asked) -> Queue:
    """Find a queue by its SID. Raises Refusal."""
    for queue in asked.exchange.live.queues.values():
        if queue.sid == asked.names["queue"]:
            return queue
    raise asked.gone()


def _member(asked: Asked) -> tuple[Queue, Waiting]:
    queue = _queue(asked)
    waiting = queue.find(asked.names["call"])
    if waiting is None:
        raise asked.gone()
    return queue, waiting


def _path(exchange: Exchange, queue: Queue) -> str:
    return f"/{API_VERSION}/Accounts/{exchange.settings.account_sid}/Queues/{queue.sid}"


def _body(exchange: Exchange, queue: Queue) -> dict[str, Any]:
    path = _path(exchange, queue)
    return {
        "account_sid": exchange.settings.account_sid,
        "average_wait_time": queue.average(exchange.clock.now()),
        "current_size": len(queue.waiting),
        "date_created": rfc2822(exchange.clock.wall()),
        "date_updated": rfc2822(exchange.clock.wall()),
        "friendly_name": queue.name,
        "max_size": queue.size,
        "sid": queue.sid,
        "subresource_uris": {"members": f"{path}/Members.json"},
        "uri": f"{path}.json",
    }


def _member_body(exchange: Exchange, queue: Queue, waiting: Waiting) -> dict[str, Any]:
    in_queue = waiting in queue.waiting
    return {
        "call_sid": waiting.leg.sid,
        "date_enqueued": rfc2822(waiting.joined_at),
        "position": queue.waiting.index(waiting) + 1 if in_queue else 0,
        "queue_sid": queue.sid,
        "uri": f"{_path(exchange, queue)}/Members/{waiting.leg.sid}.json",
        "wait_time": int(exchange.clock.now() - waiting.since),
    }


def list_(asked: Asked) -> Answer:
    exchange = asked.exchange
    return page(asked, "queues", [_body(exchange, each) for each in exchange.live.queues.values()])


def create(asked: Asked) -> Answer:
    queues, fields = asked.exchange.live.queues, asked.fields
    name = fields["FriendlyName"]
    if name in queues:
        raise Refusal(409, CONFLICT, f"A queue named {name} exists already")
    queues[name] = Queue(
        name, asked.exchange.new_sid("QU"), int(fields.get("MaxSize", DEFAULT_SIZE))
    )
    return 201, _body(asked.exchange, queues[name])


def fetch(asked: Asked) -> Answer:
    return 200, _body(asked.exchange, _queue(asked))


def update(asked: Asked) -> Answer:
    queue, queues, fields = _queue(asked), asked.exchange.live.queues, asked.fields
    name = fields.get("FriendlyName", queue.name)
    if name != queue.name:
        if name in queues:
            raise Refusal(409, CONFLICT, f"A queue named {name} exists already")
        del queues[queue.name]
        queue.name, queues[name] = name, queue
    queue.size = int(fields.get("MaxSize", queue.size))
    return 200, _body(asked.exchange, queue)


def delete(asked: Asked) -> Answer:
    queue = _queue(asked)
    if queue.waiting:
        raise Refusal(409, CONFLICT, "A queue in which somebody waits cannot be deleted")
    del asked.exchange.live.queues[queue.name]
    return 204, None


def members(asked: Asked) -> Answer:
    queue = _queue(asked)
    found = [_member_body(asked.exchange, queue, each) for each in queue.waiting]
    return page(asked, "queue_members", found)


def member(asked: Asked) -> Answer:
    return 200, _member_body(asked.exchange, *_member(asked))


def dequeue(asked: Asked) -> Answer:
    """Take a caller out of the queue and let them go on with a document."""
    queue, waiting = _member(asked)
    queue.leave(waiting)
    fields = asked.fields
    move(asked.exchange, waiting.leg, Ask(fields["Url"], fields.get("Method", "POST")))
    return 200, _member_body(asked.exchange, queue, waiting)


_ONE = "/Queues/{queue}"

RESOURCES = (
    Resource("GET", "/Queues.json", list_),
    Resource("POST", "/Queues.json", create, "queues.create", "creates"),
    Resource("GET", f"{_ONE}.json", fetch),
    Resource("POST", f"{_ONE}.json", update, "queues.update"),
    Resource("DELETE", f"{_ONE}.json", delete),
    Resource("GET", f"{_ONE}/Members.json", members),
    Resource("GET", f"{_ONE}/Members/{{call}}.json", member),
    Resource("POST", f"{_ONE}/Members/{{call}}.json", dequeue, "members.update"),
)
