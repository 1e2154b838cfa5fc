"""Signing in and out.

    POST /console/sign-in    name and password: a session
    POST /console/sign-out   the session is over, everywhere
    GET  /console/session    who is signed in, and what they may do

A wrong name and a wrong password are answered alike and take equally long. Passwords are checked
one at a time, in a thread: whoever tries many must not take the processor from the calls.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookflash.console.body import read_body
from hookflash.console.gate import Gate, Refused, Visitor, answer
from hookflash.console.passwords import verify_password
from hookflash.console.people import Person
from hookflash.console.requests import ACTIONS
from hookflash.console.shapes import Session
from hookflash.console.throttle import Throttle
from hookflash.world import SYSTEM

_NOBODY = "scrypt$32768$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "="
_MOST_WAITING = 10

_Short = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Password = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    name: _Short
    password: _Password


class Doors:
    """The routes by which people come in and leave. `can_listen`: there is sound to listen to;
    the owner's prices are in `currency`; `now` is a clock in seconds."""

    def __init__(
        self,
        gate: Gate,
        *,
        can_listen: bool = False,
        currency: str = "USD",
        now: Callable[[], float] = SYSTEM.monotonic,
    ) -> None:
        self._gate = gate
        self._can_listen = can_listen
        self._currency = currency
        self._throttle = Throttle(now)
        self._one_at_a_time = asyncio.Semaphore(1)
        self._waiting = 0

    def routes(self) -> list[Route]:
        gate = self._gate
        return [
            Route("/console/sign-in", gate.dressed(self._sign_in), methods=["POST"]),
            Route("/console/sign-out", gate.guarded(self._sign_out), methods=["POST"]),
            Route("/console/session", gate.guarded(self._session), methods=["GET"]),
        ]

    async def _sign_in(self, request: Request) -> Response:
        gate = self._gate
        if not gate.same_origin(request):
            raise Refused(403, "csrf", "Sign in on the console's own page.")
        given = await read_body(request, SignIn)
        peer = request.client.host if request.client is not None else ""
        wait = self._throttle.wait_seconds(given.name, peer)
        if wait > 0 or self._waiting >= _MOST_WAITING:
            seconds = str(max(1, math.ceil(wait)))
            raise Refused(
                429,
                "throttled",
                f"Too many have tried; try again in {seconds} s.",
                {"Retry-After": seconds},
            )
        person = await self._person(given)
        visitor = Visitor(name=given.name, role="viewer", via="session", peer=peer)
        if person is None:
            self._throttle.failed(given.name, peer)
            await gate.note(visitor, "sign-in-refused")
            raise Refused(401, "sign-in", "There is nobody of this name with this password.")
        self._throttle.succeeded(given.name, peer)
        await gate.note(visitor, "sign-in")
        cookie, ticket = gate.sessions.begin(person, gate.now())
        response = answer(self._told(person, csrf=gate.sessions.csrf(ticket.id)))
        response.set_cookie(
            gate.cookie,
            cookie,
            max_age=int(gate.sessions.seconds),
            path="/",
            secure=gate.secure,
            httponly=True,
            samesite="strict",
        )
        return response

    async def _person(self, given: SignIn) -> Person | None:
        person = self._gate.people.current().users.get(given.name)
        kept = person.password if person is not None else _NOBODY
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                good = await asyncio.to_thread(verify_password, given.password, kept)
        finally:
            self._waiting -= 1
        return person if good else None

    async def _sign_out(self, request: Request, visitor: Visitor) -> Response:
        await self._gate.note(visitor, "sign-out")
        response = Response(status_code=204)
        if visitor.ticket is not None:
            await self._gate.end(visitor.ticket)
            response.delete_cookie(
                self._gate.cookie,
                path="/",
                secure=self._gate.secure,
                httponly=True,
                samesite="strict",
            )
        return response

    async def _session(self, request: Request, visitor: Visitor) -> Response:
        person = Person(name=visitor.name, role=visitor.role, rings=visitor.rings)
        return answer(self._told(person, csrf=visitor.csrf, is_open=visitor.via == "open"))

    def _told(self, person: Person, *, csrf: str, is_open: bool = False) -> Session:
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
