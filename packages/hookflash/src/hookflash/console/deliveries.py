"""What calls have left for their owner: voicemails, wishes to be called back, messages.

GET  /api/deliveries             what there is, the newest first
POST /api/deliveries/{id}/retry  once more, what was given up or nobody took

Who delivers them is `runtime.postman`; `deliver` tells it that there is something to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookflash.console.body import Limit, Nothing, Short, read_body, read_query
from hookflash.console.delivery_shapes import DeliveryEntry, DeliveryPage
from hookflash.console.gate import Gate, Refused, Visitor, answer
from hookflash.console.shapes import Taken
from hookflash.core.delivery_tracking import TrackedDelivery
from hookflash.stores.deliveries import DeliveryStore


class DeliveriesWanted(msgspec.Struct, forbid_unknown_fields=True):
    state: Literal["", "waiting", "delivered", "dead", "kept"] = ""
    call: Short = ""
    before: Short = ""
    limit: Limit = 50


class Deliveries:
    """The routes of deliveries. `now` is the clock that the postman goes by."""

    def __init__(
        self,
        gate: Gate,
        shelf: DeliveryStore,
        *,
        now: Callable[[], float],
        deliver: Callable[[], None] | None = None,
    ) -> None:
        self._gate = gate
        self._shelf = shelf
        self._now = now
        self._deliver = deliver

    def routes(self) -> list[Route]:
        guarded = self._gate.guarded
        return [
            Route("/api/deliveries", guarded(self._list, tokens=True), methods=["GET"]),
            Route(
                "/api/deliveries/{id}/retry",
                guarded(self._retry, role="supervisor", tokens=True),
                methods=["POST"],
            ),
        ]

    async def _list(self, request: Request, visitor: Visitor) -> Response:
        given = read_query(request, DeliveriesWanted)
        found = await self._shelf.list(
            limit=given.limit,
            before=given.before or None,
            state=given.state or None,
            call_sid=given.call or None,
        )
        last = found[-1].delivery.id if len(found) == given.limit else None
        page = DeliveryPage(
            deliveries=tuple(map(entry, found)), counts=await self._shelf.counts(), next=last
        )
        return answer(page)

    async def _retry(self, request: Request, visitor: Visitor) -> Response:
        await read_body(request, Nothing)
        kept = await self._shelf.get(request.path_params["id"])
        if kept is None or kept.state not in ("dead", "kept"):
            raise Refused(404, "unknown", "No delivery of this name was given up or is left over.")
        delivery = kept.delivery
        await self._gate.note(visitor, "retry", call_sid=delivery.call_sid, text=delivery.id)
        await self._shelf.revive(self._now(), delivery_id=delivery.id)
        if self._deliver is not None:
            self._deliver()
        return answer(Taken(), 202)


def entry(kept: TrackedDelivery) -> DeliveryEntry:
    """Return a delivery as the list shows it."""
    delivery = kept.delivery
    return DeliveryEntry(
        id=delivery.id,
        kind=delivery.kind,
        state=kept.state,
        call_sid=delivery.call_sid,
        agent=delivery.agent,
        destination=delivery.destination,
        created_at=delivery.created_at,
        caller=delivery.caller,
        number=delivery.number,
        reason=delivery.reason,
        said=delivery.transcript or delivery.wish or delivery.summary,
        recording_url=delivery.recording_url,
        recording_seconds=delivery.recording_seconds,
        attempts=kept.attempts,
        due_at=kept.due_at if kept.state == "waiting" else None,
        delivered_at=kept.delivered_at,
        accepted=kept.accepted,
        error=kept.error,
    )
