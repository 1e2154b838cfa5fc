"""The routes of deliveries: voicemails, callback requests and messages for the owner.

    GET  /api/deliveries             all deliveries, newest first
    POST /api/deliveries/{id}/retry  retry one that is dead or unroutable
    GET  /api/deliveries/{id}/recording  the sound of a voicemail

`runtime.delivery_worker` sends them; `deliver` wakes it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, get_args

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from hookflash.console.access import AccessControl, Principal, Refused, answer
from hookflash.console.operations import Operation
from hookflash.console.request_parsing import (
    EmptyBody,
    Identifier,
    Limit,
    NoParameters,
    unknown_page,
)
from hookflash.console.shapes import DeliveryEntry, DeliveryPage, Taken
from hookflash.core.delivery_retries import DeliveryState, TrackedDelivery
from hookflash.errors import CarrierError
from hookflash.stores.deliveries import DeliveryStore

ListedState = Annotated[
    DeliveryState, Meta(description="one of " + ", ".join(get_args(DeliveryState)))
]


class DeliveriesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which deliveries to return. `before` is the `next` of the previous page."""

    state: ListedState | None = None
    call: Identifier | None = None
    before: Identifier | None = None
    limit: Limit = 50


LIST = Operation(
    name="list_deliveries",
    method="GET",
    path="/api/deliveries",
    group="ended calls",
    summary="What calls have left for their owner, the newest first.",
    takes=DeliveriesQuery,
    answers=DeliveryPage,
)
RETRY = Operation(
    name="retry_delivery",
    method="POST",
    path="/api/deliveries/{id}/retry",
    group="ended calls",
    summary="Retry a delivery that is `dead` or `unroutable`.",
    takes=EmptyBody,
    answers=Taken,
    status=202,
    role="supervisor",
)
RECORDING = Operation(
    name="get_voicemail",
    method="GET",
    path="/api/deliveries/{id}/recording",
    group="ended calls",
    summary="The recording of a voicemail, which the server reads from the carrier.",
    takes=NoParameters,
    media_type="audio/wav",
    refusals=(502,),
)
OPERATIONS = (LIST, RETRY, RECORDING)

FetchVoicemail = Callable[[str], Awaitable[bytes]]
"""Returns the WAV at a carrier's address. Raises `CarrierError`."""


class Deliveries:
    """The routes of deliveries. `now` is the delivery worker's clock."""

    def __init__(
        self,
        access: AccessControl,
        store: DeliveryStore,
        *,
        now: Callable[[], float],
        deliver: Callable[[], None] | None = None,
        voicemail: FetchVoicemail | None = None,
    ) -> None:
        self._access = access
        self._store = store
        self._now = now
        self._deliver = deliver
        self._voicemail = voicemail

    def routes(self) -> list[BaseRoute]:
        return [
            LIST.route(self._access, self._list),
            RETRY.route(self._access, self._retry),
            RECORDING.route(self._access, self._recording),
        ]

    async def _list(
        self, request: Request, principal: Principal, given: DeliveriesQuery
    ) -> Response:
        if given.before is not None and await self._store.get(given.before) is None:
            raise unknown_page(given.before)
        found = await self._store.list(
            limit=given.limit, before=given.before, state=given.state, call_sid=given.call
        )
        last = found[-1].delivery.id if len(found) == given.limit else None
        page = DeliveryPage(
            deliveries=tuple(map(entry, found)), counts=await self._store.counts(), next=last
        )
        return answer(page)

    async def _recording(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        stored = await self._store.get(request.path_params["id"])
        if stored is None or not stored.delivery.recording_url or self._voicemail is None:
            raise Refused(404, "unknown", "There is no recording of this delivery.")
        delivery = stored.delivery
        await self._access.audit(
            principal, "recording", call_sid=delivery.call_sid, text="voicemail"
        )
        try:
            sound = await self._voicemail(delivery.recording_url)
        except CarrierError as error:
            raise Refused(
                502, "unreachable", f"The carrier did not send the recording: {error}"
            ) from error
        return Response(sound, media_type="audio/wav")

    async def _retry(self, request: Request, principal: Principal, given: EmptyBody) -> Response:
        stored = await self._store.get(request.path_params["id"])
        if stored is None or stored.state not in ("dead", "unroutable"):
            raise Refused(404, "unknown", "No delivery with this id is dead or unroutable.")
        delivery = stored.delivery
        await self._access.audit(principal, "retry", call_sid=delivery.call_sid, text=delivery.id)
        await self._store.revive(self._now(), delivery_id=delivery.id)
        if self._deliver is not None:
            self._deliver()
        return answer(Taken(), 202)


def entry(stored: TrackedDelivery) -> DeliveryEntry:
    """Return a delivery as the list shows it."""
    delivery = stored.delivery
    return DeliveryEntry(
        id=delivery.id,
        kind=delivery.kind,
        state=stored.state,
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
        attempts=stored.attempts,
        due_at=stored.due_at if stored.state == "waiting" else None,
        delivered_at=stored.delivered_at,
        accepted=stored.accepted,
        error=stored.error,
    )
