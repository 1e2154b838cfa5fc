"""The REST API as an ASGI application: routes, credentials, faults, and the check of every form.

Under /2010-04-01/Accounts/{AC}: Calls, their Streams and Recordings; Recordings and their audio;
Conferences and their Participants; Queues and their Members; IncomingPhoneNumbers. One module per
resource.

HTTP Basic with the account's SID and token; forms in, JSON out, Twilio's error bodies. A parameter
that is not documented is an alert (20001). Every answer closes its connection, so that clients find
out at once that a carrier went down.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hookflash_local.carrier import alerts
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.faults import BrokenOff, Late, Refused, Silent
from hookflash_local.carrier.ids import API_VERSION
from hookflash_local.carrier.rest import (
    calls,
    conferences,
    phone_numbers,
    queues,
    recordings,
    streams,
)
from hookflash_local.carrier.rest.fields import deviations
from hookflash_local.carrier.rest.rest_request import (
    Answer,
    Resource,
    RestError,
    RestRequest,
    Sound,
    not_found,
)
from hookflash_local.carrier.tasks import first_of

_CLOSE = {"Connection": "close"}

RESOURCES: tuple[Resource, ...] = (
    *calls.RESOURCES,
    *recordings.RESOURCES,
    *streams.RESOURCES,
    *conferences.RESOURCES,
    *queues.RESOURCES,
    *phone_numbers.RESOURCES,
)


class Rest:
    """`closing` ends requests that a fault keeps waiting."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.closing = asyncio.Event()
        account = f"/{API_VERSION}/Accounts/{{account}}"
        routes = [
            Route(account + each.path, self._endpoint(each), methods=[each.method])
            for each in RESOURCES
        ]
        every = ["GET", "POST", "DELETE"]
        self.app = Starlette(
            routes=[*routes, Route("/{rest:path}", self._not_served, methods=every)]
        )

    async def _not_served(self, request: Request) -> Response:
        """Answer a path of Twilio that this stand-in does not serve, such as an SMS."""
        path = request.url.path
        try:
            self._check_credentials(request)
        except RestError as error:
            return _answer(error.status, error.body())
        text = f"REST: {request.method} {path} is not simulated by this stand-in"
        self.exchange.alert(alerts.NOT_SIMULATED, text)
        return _answer(404, not_found(path).body())

    def _endpoint(self, resource: Resource) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._guarded(request, resource)

        return endpoint

    async def _guarded(self, request: Request, resource: Resource) -> Response:
        """Check the credentials, apply a fault, carry out the request, return errors as bodies."""
        fault = self.exchange.faults.of_rest(resource.faults)
        try:
            self._check_account(request, resource)
            if isinstance(fault, Refused):
                refused = RestError(fault.status, *fault.reason)
                return _answer(fault.status, refused.body(), retry_after=fault.retry_after)
            if isinstance(fault, Silent):
                return await self._silent(request)
            if isinstance(fault, BrokenOff) and not fault.done:
                return _broken_off()
            status, body = self._carry_out(await _asked(self.exchange, request), resource)
        except RestError as refusal:
            return _answer(refusal.status, refusal.body())
        if isinstance(fault, BrokenOff):
            return _broken_off()
        if isinstance(fault, Late):
            await self.exchange.clock.sleep(fault.seconds)
        return _answer(status, body)

    def _carry_out(self, asked: RestRequest, resource: Resource) -> Answer:
        if resource.fields:
            for each in deviations(resource.fields, asked.pairs):
                self.exchange.alert(each.code, f"REST: {each.text}")
                if each.fatal and self.exchange.unconfirmed.wrong_values_refused:
                    raise RestError(400, each.code, each.text)
        return resource.work(asked)

    def _check_account(self, request: Request, resource: Resource) -> None:
        settings = self.exchange.settings
        if resource.media and not settings.recordings_need_auth:
            return
        self._check_credentials(request)
        if request.path_params["account"] != settings.account_sid:
            raise not_found(request.url.path)

    def _check_credentials(self, request: Request) -> None:
        settings = self.exchange.settings
        pair = f"{settings.account_sid}:{settings.auth_token}".encode()
        expected = "Basic " + base64.b64encode(pair).decode()
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise RestError(401, 20003, "Authenticate")

    async def _silent(self, request: Request) -> Response:
        """Hold the request until the client gives up, or the carrier ends."""

        async def given_up() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        await first_of(given_up(), self.closing.wait())
        return _answer(503, RestError(503, 20503, "held by a fault").body())


async def _asked(exchange: Exchange, request: Request) -> RestRequest:
    body = (await request.body()).decode(errors="replace")
    return RestRequest(
        exchange,
        request.url.path,
        {name: str(value) for name, value in request.path_params.items()},
        dict(request.query_params),
        tuple(parse_qsl(body, keep_blank_values=True)),
    )


def _answer(
    status: int, body: dict[str, Any] | Sound | None, *, retry_after: int | None = None
) -> Response:
    if retry_after is not None:
        headers = {**_CLOSE, "Retry-After": str(retry_after)}
        return JSONResponse(body, status, headers=headers)
    if isinstance(body, Sound):
        return Response(body.data, status, headers=_CLOSE, media_type="audio/x-wav")
    if body is None:
        return Response(b"", status, headers=_CLOSE)
    return JSONResponse(body, status, headers=_CLOSE)


def _broken_off() -> Response:
    """Promise a body and do not send it: the connection ends in the middle of the answer."""

    async def nothing() -> Any:
        return
        yield b""

    headers = {**_CLOSE, "Content-Length": "1000", "Content-Type": "application/json"}
    return StreamingResponse(nothing(), 200, headers)
