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
from hookflash_local.carrier.queues import DEFAULT_SIZE, Queue, QueueMember
from hookflash_local.carrier.rest.rest_request import Answer, Resource, RestError, RestRequest, page
from hookflash_local.carrier.twiml.execution import move
from hookflash_local.carrier.twiml.fetch import TwimlUrl

CONFLICT = 20409


def _queue(request: RestRequest) -> Queue:
    """Find a queue by its SID. Raises RestError."""
    for queue in request.exchange.live.queues.values():
        if queue.sid == request.names["queue"]:
            return queue
    raise request.gone()


def _member(request: RestRequest) -> tuple[Queue, QueueMember]:
    queue = _queue(request)
    member = queue.find(request.names["call"])
    if member is None:
        raise request.gone()
    return queue, member


def _path(exchange: Exchange, queue: Queue) -> str:
    return f"/{API_VERSION}/Accounts/{exchange.settings.account_sid}/Queues/{queue.sid}"


def _body(exchange: Exchange, queue: Queue) -> dict[str, Any]:
    path = _path(exchange, queue)
    return {
        "account_sid": exchange.settings.account_sid,
        "average_wait_time": queue.average(exchange.clock.now()),
        "current_size": len(queue.members),
        "date_created": rfc2822(queue.created),
        "date_updated": rfc2822(exchange.clock.wall()),
        "friendly_name": queue.name,
        "max_size": queue.size,
        "sid": queue.sid,
        "uri": f"{path}.json",
    }


def _member_body(exchange: Exchange, queue: Queue, member: QueueMember) -> dict[str, Any]:
    in_queue = member in queue.members
    return {
        "call_sid": member.leg.sid,
        "date_enqueued": rfc2822(member.joined_at),
        "position": queue.members.index(member) + 1 if in_queue else 0,
        "queue_sid": queue.sid,
        "uri": f"{_path(exchange, queue)}/Members/{member.leg.sid}.json",
        "wait_time": int(exchange.clock.now() - member.since),
    }


def list_(request: RestRequest) -> Answer:
    exchange = request.exchange
    return page(
        request, "queues", [_body(exchange, each) for each in exchange.live.queues.values()]
    )


def create(request: RestRequest) -> Answer:
    queues, fields = request.exchange.live.queues, request.fields
    name = fields["FriendlyName"]
    if name in queues:
        raise RestError(409, CONFLICT, f"A queue named {name} exists already")
    queues[name] = Queue(
        name,
        request.exchange.new_sid("QU"),
        int(fields.get("MaxSize", DEFAULT_SIZE)),
        created=request.exchange.clock.wall(),
    )
    return 201, _body(request.exchange, queues[name])


def fetch(request: RestRequest) -> Answer:
    return 200, _body(request.exchange, _queue(request))


def update(request: RestRequest) -> Answer:
    queue, queues, fields = _queue(request), request.exchange.live.queues, request.fields
    name = fields.get("FriendlyName", queue.name)
    if name != queue.name:
        if name in queues:
            raise RestError(409, CONFLICT, f"A queue named {name} exists already")
        del queues[queue.name]
        queue.name, queues[name] = name, queue
    queue.size = int(fields.get("MaxSize", queue.size))
    return 200, _body(request.exchange, queue)


def delete(request: RestRequest) -> Answer:
    queue = _queue(request)
    if queue.members:
        raise RestError(409, CONFLICT, "A queue in which somebody waits cannot be deleted")
    del request.exchange.live.queues[queue.name]
    return 204, None


def members(request: RestRequest) -> Answer:
    queue = _queue(request)
    found = [_member_body(request.exchange, queue, each) for each in queue.members]
    return page(request, "queue_members", found)


def fetch_member(request: RestRequest) -> Answer:
    return 200, _member_body(request.exchange, *_member(request))


def dequeue(request: RestRequest) -> Answer:
    """Take a caller out of the queue; the call continues with a document."""
    queue, member = _member(request)
    queue.leave(member)
    fields = request.fields
    move(request.exchange, member.leg, TwimlUrl(fields["Url"], fields.get("Method", "POST")))
    return 200, _member_body(request.exchange, queue, member)


_ONE = "/Queues/{queue}"

RESOURCES = (
    Resource("GET", "/Queues.json", list_),
    Resource("POST", "/Queues.json", create, "queues.create", "creates"),
    Resource("GET", f"{_ONE}.json", fetch),
    Resource("POST", f"{_ONE}.json", update, "queues.update"),
    Resource("DELETE", f"{_ONE}.json", delete),
    Resource("GET", f"{_ONE}/Members.json", members),
    Resource("GET", f"{_ONE}/Members/{{call}}.json", fetch_member),
    Resource("POST", f"{_ONE}/Members/{{call}}.json", dequeue, "members.update"),
)
