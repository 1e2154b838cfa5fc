"""The carrier's REST side, as far as calls go: create, update, fetch, list. A thin shell.

    POST /2010-04-01/Accounts/{AC}/Calls.json          create
    POST /2010-04-01/Accounts/{AC}/Calls/{CA}.json     update: Twiml | Url | Status | ...
    GET  /2010-04-01/Accounts/{AC}/Calls/{CA}.json     fetch
    GET  /2010-04-01/Accounts/{AC}/Calls.json          list (Status, ParentCallSid, To, From)

HTTP Basic with the account's SID and token; forms in, JSON out, Twilio's error bodies. Every
answer closes its connection, so that a carrier that went down is found to be down.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from hookflash.standins.carrier import notices, rest_bodies, twiml
from hookflash.standins.carrier.bridge import first_of
from hookflash.standins.carrier.exchange import Exchange
from hookflash.standins.carrier.faults import BrokenOff, Late, Refused, RestFault, Silent
from hookflash.standins.carrier.ids import API_VERSION
from hookflash.standins.carrier.leg import Leg
from hookflash.standins.carrier.lives import move
from hookflash.standins.carrier.outbound import Wish, place
from hookflash.standins.carrier.pages import Ask, Entry, Given
from hookflash.standins.carrier.reports import FINAL_STATUSES
from hookflash.standins.carrier.rest_bodies import Refusal, call_body, not_found

Answer = tuple[int, dict[str, Any]]
_CLOSE = {"Connection": "close"}


class Rest:
    """`closing` lets go of requests that are held by a fault."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.closing = asyncio.Event()
        calls = f"/{API_VERSION}/Accounts/{{account}}/Calls"
        self.app = Starlette(
            routes=[
                Route(f"{calls}.json", self._calls, methods=["GET", "POST"]),
                Route(f"{calls}/{{sid}}.json", self._call, methods=["GET", "POST"]),
                Route("/{rest:path}", self._nothing, methods=["GET", "POST", "DELETE"]),
            ]
        )

    async def _nothing(self, request: Request) -> Response:
        return _json(404, not_found(request.url.path).body())

    async def _calls(self, request: Request) -> Response:
        if request.method == "GET":
            return await self._guarded(request, None, self._list)
        return await self._guarded(request, self.exchange.faults.creates, self._create)

    async def _call(self, request: Request) -> Response:
        if request.method == "GET":
            return await self._guarded(request, None, self._fetch)
        return await self._guarded(request, self.exchange.faults.updates, self._update)

    async def _guarded(
        self,
        request: Request,
        faults: deque[RestFault] | None,
        work: Callable[[Request], Awaitable[Answer]],
    ) -> Response:
        """Check who asks, let a fault have its way, carry out, and turn refusals to bodies."""
        fault = faults.popleft() if faults else None
        try:
            self._check_account(request)
            if isinstance(fault, Refused):
                raise Refusal(fault.status, *fault.reason)
            if isinstance(fault, Silent):
                return await self._silent(request)
            if isinstance(fault, BrokenOff) and not fault.done:
                return _broken_off()
            status, body = await work(request)
        except Refusal as refusal:
            return _json(refusal.status, refusal.body())
        if isinstance(fault, BrokenOff):
            return _broken_off()
        if isinstance(fault, Late):
            await self.exchange.clock.sleep(fault.seconds)
        return _json(status, body)

    def _check_account(self, request: Request) -> None:
        settings = self.exchange.settings
        pair = f"{settings.account_sid}:{settings.auth_token}".encode()
        expected = "Basic " + base64.b64encode(pair).decode()
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise Refusal(401, 20003, "Authenticate")
        if request.path_params["account"] != settings.account_sid:
            raise not_found(request.url.path)

    async def _silent(self, request: Request) -> Response:
        """Hold the request until the client gives up, or the carrier ends."""

        async def given_up() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        await first_of(given_up(), self.closing.wait())
        return _json(503, Refusal(503, 20503, "held by a fault").body())

    async def _create(self, request: Request) -> Answer:
        pairs = await _pairs(request)
        fields = dict(pairs)
        events = [value for name, value in pairs if name == "StatusCallbackEvent"]
        rest_bodies.check_new_call(fields)
        if fields.get("Url") and fields.get("Twiml"):
            text = "Url and Twiml are both given: Twiml is ignored"
            self.exchange.notice(notices.TWIML_AND_URL, text)
        elif fields.get("Twiml"):
            rest_bodies.check_twiml(fields["Twiml"], what="create a call with")
        wish = Wish(
            to=fields["To"],
            from_=fields["From"],
            entry=_entry(fields),
            fallback=fields.get("FallbackUrl") or None,
            ring_seconds=float(fields.get("Timeout", "60")),
            status_callback=fields.get("StatusCallback", ""),
            status_method=fields.get("StatusCallbackMethod", "POST"),
            events=rest_bodies.check_events(events),
        )
        return 201, call_body(place(self.exchange, wish))

    async def _fetch(self, request: Request) -> Answer:
        return 200, call_body(self._leg(request))

    async def _list(self, request: Request) -> Answer:
        wanted = request.query_params
        found = [
            body
            for leg in self.exchange.live.legs.values()
            if _matches(body := call_body(leg), wanted)
        ]
        path = request.url.path
        page = {"calls": found, "page": 0, "page_size": max(50, len(found)), "start": 0}
        ends = {"end": max(0, len(found) - 1), "uri": path, "first_page_uri": path}
        return 200, {**page, **ends, "next_page_uri": None, "previous_page_uri": None}

    async def _update(self, request: Request) -> Answer:
        leg = self._leg(request)
        fields = dict(await _pairs(request))
        rest_bodies.check_urls(fields)
        if fields.get("StatusCallback"):
            leg.reports.url = fields["StatusCallback"]
            leg.reports.method = fields.get("StatusCallbackMethod", "POST")
        if fields.get("Url") or fields.get("Twiml"):
            self._move(leg, fields)
        elif fields.get("Status"):
            self._end(leg, fields["Status"], request.url.path)
        return 200, call_body(leg)

    def _move(self, leg: Leg, fields: dict[str, str]) -> None:
        if fields.get("Twiml") and not fields.get("Url"):
            text = fields["Twiml"]
            if self.exchange.unconfirmed.update_limit:
                rest_bodies.check_twiml(text, what="update a call with")
            self._check_absolute(leg, text)
        if leg.status != "in-progress":
            text = "Call is not in-progress. Cannot redirect."
            raise Refusal(400, rest_bodies.GONE, text)
        move(self.exchange, leg, _entry(fields))

    def _check_absolute(self, leg: Leg, text: str) -> None:
        """Relative URLs have nothing to start from in TwiML that came by REST."""
        for where in twiml.relative_urls(twiml.parse(text)):
            code = notices.URL_RELATIVE_IN_UPDATE
            message = f"{where} must be absolute in TwiML that updates a call"
            self.exchange.notice(code, message, leg)
            if self.exchange.unconfirmed.relative_urls_refused:
                raise Refusal(400, code, message)

    def _end(self, leg: Leg, status: str, path: str) -> None:
        if status not in ("completed", "canceled"):
            raise Refusal(400, 21218, f"Invalid Status: {status}")
        if leg.status in FINAL_STATUSES:
            raise not_found(path)
        if status == "canceled":
            if leg.about.answered:
                text = "Call is in-progress. Cannot cancel."
                raise Refusal(400, rest_bodies.GONE, text)
            leg.end("canceled", by="rest")
        else:
            leg.end("completed" if leg.about.answered else "canceled", by="rest")

    def _leg(self, request: Request) -> Leg:
        leg = self.exchange.live.legs.get(request.path_params["sid"])
        if leg is None:
            raise not_found(request.url.path)
        return leg


async def _pairs(request: Request) -> list[tuple[str, str]]:
    """Read the form; a name may come several times."""
    return parse_qsl((await request.body()).decode(errors="replace"))


def _entry(fields: dict[str, str]) -> Entry:
    if fields.get("Url"):
        return Ask(fields["Url"], fields.get("Method", "POST"))
    return Given(fields["Twiml"])


def _matches(body: dict[str, Any], wanted: Mapping[str, str]) -> bool:
    names = {"Status": "status", "ParentCallSid": "parent_call_sid", "To": "to", "From": "from"}
    return all(body[key] == wanted[name] for name, key in names.items() if name in wanted)


def _json(status: int, body: dict[str, Any]) -> Response:
    return JSONResponse(body, status, headers=_CLOSE)


def _broken_off() -> Response:
    """Promise a body and do not send it: the connection ends in the middle of the answer."""

    async def nothing() -> Any:
        return
        yield b""

    headers = {**_CLOSE, "Content-Length": "1000", "Content-Type": "application/json"}
    return StreamingResponse(nothing(), 200, headers)
