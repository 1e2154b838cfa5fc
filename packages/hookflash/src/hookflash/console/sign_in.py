"""Sign in and out.

    POST /console/sign-in    name and password: start a session
    POST /console/sign-out   end the session in all processes
    GET  /console/session    the signed-in user and their permissions

A wrong name and a wrong password get the same answer after the same time. Passwords are checked one
at a time, in a thread, so that many attempts do not take CPU time from the calls.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from hookflash.client_address import client_network
from hookflash.console.access import AccessControl, Principal, Refused, answer
from hookflash.console.operations import Operation
from hookflash.console.passwords import verify_password
from hookflash.console.people import Person
from hookflash.console.request_parsing import NO_NUL, NoParameters
from hookflash.console.shapes import Session
from hookflash.console.supervisor_actions import ACTIONS
from hookflash.console.throttle import Throttle
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

_NOBODY = "scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "="
_MAX_WAITING = 10

_Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        pattern=NO_NUL,
        description="a text of 1 to 200 characters, no NUL",
    ),
]
_Password = Annotated[
    str, Meta(min_length=1, max_length=1000, description="a text of 1 to 1000 characters")
]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who signs in."""

    name: _Name
    password: _Password


SIGN_IN = Operation(
    name="sign_in",
    method="POST",
    path="/console/sign-in",
    group="signing in",
    summary="Sign in: sets the session's cookie.",
    takes=SignIn,
    answers=Session,
    role=None,
    tokens=False,
    refusals=(401, 403, 429),
)
SIGN_OUT = Operation(
    name="sign_out",
    method="POST",
    path="/console/sign-out",
    group="signing in",
    summary="End the session in every browser and process.",
    takes=NoParameters,
    status=204,
    tokens=False,
)
SESSION = Operation(
    name="get_session",
    method="GET",
    path="/console/session",
    group="signing in",
    summary="Who is signed in, and what they may do.",
    takes=NoParameters,
    answers=Session,
    tokens=False,
)
OPERATIONS = (SIGN_IN, SIGN_OUT, SESSION)


class SignInRoutes:
    """The routes to sign in and out.

    `can_listen`: live audio is available. `currency` is that of the owner's prices. `now` is a
    clock in seconds.
    """

    def __init__(
        self,
        access: AccessControl,
        *,
        can_listen: bool = False,
        currency: str = "USD",
        now: Callable[[], float] = SYSTEM.monotonic,
    ) -> None:
        self._access = access
        self._can_listen = can_listen
        self._currency = currency
        self._throttle = Throttle(now)
        self._one_at_a_time = asyncio.Semaphore(1)
        self._waiting = 0
        self._warned_of_proxy = False

    def routes(self) -> list[BaseRoute]:
        access = self._access
        return [
            SIGN_IN.open_route(access, self._sign_in),
            SIGN_OUT.route(access, self._sign_out),
            SESSION.route(access, self._session),
        ]

    async def _sign_in(self, request: Request, given: SignIn) -> Response:
        access = self._access
        if not access.same_origin(request):
            raise Refused(403, "csrf", "Sign in on the console's own page.")
        peer = access.clients.of(request)
        if not self._warned_of_proxy and access.clients.is_unknown_proxy(request):
            self._warned_of_proxy = True
            log.warning(
                "! the proxy at %s is not trusted, so all its clients count as one at sign-in and"
                " in the audit trail; if it is yours, add it to HOOKFLASH_TRUSTED_PROXIES",
                peer,
            )
        network = client_network(peer)
        wait = self._throttle.wait_seconds(given.name, network)
        if wait > 0 or self._waiting >= _MAX_WAITING:
            seconds = str(max(1, math.ceil(wait)))
            raise Refused(
                429,
                "throttled",
                f"Too many attempts; try again in {seconds} s.",
                {"Retry-After": seconds},
            )
        person = await self._person(given)
        principal = Principal(name=given.name, role="viewer", via="session", peer=peer)
        if person is None:
            self._throttle.failed(given.name, network)
            await access.audit(principal, "sign-in-refused")
            raise Refused(401, "sign-in", "Wrong name or password.")
        self._throttle.succeeded(given.name, network)
        await access.audit(principal, "sign-in")
        cookie, ticket = access.sessions.begin(person, access.now())
        response = answer(self._session_of(person, csrf=access.sessions.csrf(ticket.id)))
        response.set_cookie(
            access.cookie,
            cookie,
            max_age=int(access.sessions.seconds),
            path="/",
            secure=access.secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def _person(self, given: SignIn) -> Person | None:
        person = self._access.people.current().users.get(given.name)
        stored_hash = person.password if person is not None else _NOBODY
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                good = await asyncio.to_thread(verify_password, given.password, stored_hash)
        finally:
            self._waiting -= 1
        return person if good else None

    async def _sign_out(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        await self._access.audit(principal, "sign-out")
        response = Response(status_code=204)
        if principal.ticket is not None:
            await self._access.end(principal.ticket)
            response.delete_cookie(
                self._access.cookie,
                path="/",
                secure=self._access.secure,
                httponly=True,
                samesite="strict",
            )
        return response

    async def _session(
        self, request: Request, principal: Principal, given: NoParameters
    ) -> Response:
        person = Person(name=principal.name, role=principal.role, rings=principal.rings)
        return answer(
            self._session_of(person, csrf=principal.csrf, is_open=principal.via == "open")
        )

    def _session_of(self, person: Person, *, csrf: str, is_open: bool = False) -> Session:
        can = ("listen",) if self._can_listen else ()
        if person.role == "supervisor":
            can = (*ACTIONS, "delete", "retry", "audit", *can)
        return Session(
            name=person.name,
            role=person.role,
            csrf=csrf,
            can=can,
            rings=person.rings is not None,
            open=is_open,
            currency=self._currency,
        )
