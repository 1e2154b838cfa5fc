"""Who may do what: every route of the console and of the API goes through here.

    token     Authorization: Bearer, for /api only
    session   the cookie; whatever changes anything carries the session's CSRF token as well
    open      nobody signs in: only where the owner says so, and only what is `asked_here`

Without users, and not open, the console is not there: everything is answered 404.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from random import Random
from urllib.parse import urlsplit

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from hookflash.console.here import asked_here
from hookflash.console.people import PeopleFile, Person
from hookflash.console.sessions import Sessions, Ticket
from hookflash.console.shapes import Fault, Role
from hookflash.core.handoff_plan import Target
from hookflash.stores.audit import AuditStore, Entry
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

COOKIE = "hookflash_session"
POLICY = 1008

HEADERS = {
    # Nothing is fetched from elsewhere, nothing inline runs, nobody frames us.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self';"
        " img-src 'self' data:; font-src 'self'; connect-src 'self'; media-src 'self' blob:;"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self), payment=(), usb=()",
    "Cache-Control": "no-store",
}

_SAFE = frozenset({"GET", "HEAD"})


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may be here. `via` is how they have shown it; `peer` their address."""

    name: str
    role: Role
    via: str
    peer: str
    csrf: str = ""
    rings: Target | None = None
    ticket: Ticket | None = None


class Refused(Exception):
    """A request is not granted: a status, a stable code, and a sentence for a person."""

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.fault = Fault(code=code, message=message)
        self.headers = headers

    def response(self) -> Response:
        return answer(self.fault, self.status, headers=self.headers)


ANYBODY = "a supervisor"
"""Who acts where nobody signs in, as it is read and spoken. No user has a name like this."""

NOT_SIGNED_IN = "Nobody is signed in here, or not any more: sign in at /console/sign-in."

Endpoint = Callable[[Request, Visitor], Awaitable[Response]]


def answer(
    shape: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a shape as JSON."""
    return Response(
        msgspec.json.encode(shape), status, dict(headers or {}), media_type="application/json"
    )


class Gate:
    """Lets people in. `origin` is the public one, `now` a clock in seconds since 1970.

    `open_here`: nobody needs to sign in on this machine; `open_rings` is the telephone of whoever
    that is.
    """

    def __init__(
        self,
        people: PeopleFile,
        sessions: Sessions,
        audit: AuditStore,
        *,
        origin: str,
        now: Callable[[], float],
        open_here: bool = False,
        open_rings: Target | None = None,
        entropy: Random = SYSTEM.entropy("console-gate"),
    ) -> None:
        self.people = people
        self.sessions = sessions
        self.now = now
        self.secure = origin.startswith("https:")
        self._audit = audit
        self._origin = origin
        self._open_here = open_here
        self._open_rings = open_rings
        self._open_id = entropy.randbytes(16).hex()

    @property
    def cookie(self) -> str:
        """The cookie's name; with `__Host-` no other host, path or plain connection can set it."""
        return f"__Host-{COOKIE}" if self.secure else COOKIE

    # --- routes ---------------------------------------------------------------------------------

    def guarded(
        self, endpoint: Endpoint, *, role: Role = "viewer", tokens: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return `endpoint` for those who may; it may raise `Refused` itself."""

        async def admitted(request: Request) -> Response:
            return await endpoint(request, await self.admit(request, role=role, tokens=tokens))

        return self.dressed(admitted)

    def dressed(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return `endpoint`, its refusals as answers, with the headers that every answer has."""

        async def answered(request: Request) -> Response:
            try:
                if not self._is_there(request):
                    raise Refused(404, "unknown", "There is no console here.")
                response = await endpoint(request)
            except Refused as refused:
                response = refused.response()
            except SQLAlchemyError:
                # A request ends here: the page says so, and the owner finds the reason.
                log.exception("! the console's database does not answer")
                response = Refused(503, "unreachable", "The database does not answer.").response()
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if self.secure:
                response.headers["Strict-Transport-Security"] = "max-age=31536000"
            return response

        return answered

    async def admit(self, request: Request, *, role: Role, tokens: bool) -> Visitor:
        """Return who asks. Raises `Refused` for who may not."""
        visitor = await self.visitor(request, tokens=tokens)
        if visitor is None:
            raise Refused(401, "sign-in", NOT_SIGNED_IN)
        if visitor.via != "token" and request.method not in _SAFE:
            self.check_csrf(request, visitor)
        if role == "supervisor" and visitor.role != role:
            raise Refused(403, "role", "Only a supervisor may do that; you are a viewer.")
        return visitor

    def check_csrf(self, request: Request, visitor: Visitor) -> None:
        given = request.headers.get("x-csrf-token", "").encode("utf-8", "replace")
        if not self.same_origin(request) or not hmac.compare_digest(given, visitor.csrf.encode()):
            raise Refused(
                403, "csrf", "X-CSRF-Token must be the `csrf` of GET /console/session: ask again."
            )

    async def admit_socket(self, socket: WebSocket, *, role: Role = "viewer") -> Visitor | None:
        """Return who opens a socket; None: it was closed, unaccepted, which is a 403."""
        try:
            visitor = await self.visitor(socket) if self._is_there(socket) else None
        except SQLAlchemyError:
            log.exception("! the console's database does not answer")
            visitor = None
        # A page of another site could open sockets here too, and the browser adds our cookie.
        allowed = visitor is not None and self.same_origin(socket)
        if visitor is None or not allowed or (role == "supervisor" and visitor.role != role):
            await socket.close(POLICY)
            return None
        return visitor

    # --- who it is ------------------------------------------------------------------------------

    async def visitor(self, connection: HTTPConnection, *, tokens: bool = False) -> Visitor | None:
        """Return who asks, or None if nobody knows them."""
        peer = connection.client.host if connection.client is not None else ""
        given = connection.headers.get("authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            if not tokens or scheme.lower() != "bearer":
                return None
            program = self.people.current().with_token(token.strip())
            return _visitor(program, "token", peer) if program is not None else None
        if cookie := self._cookie_of(connection):
            found = self.sessions.read(cookie, self.people.current(), self.now())
            if found is not None and not await self._audit.session_ended(found[1].id):
                person, ticket = found
                csrf = self.sessions.csrf(ticket.id)
                return _visitor(person, "session", peer, csrf=csrf, ticket=ticket)
        if self.is_open(connection):
            anybody = Person(name=ANYBODY, role="supervisor", rings=self._open_rings)
            return _visitor(anybody, "open", peer, csrf=self.sessions.csrf(self._open_id))
        return None

    def is_open(self, connection: HTTPConnection) -> bool:
        return self._open_here and asked_here(connection)

    def same_origin(self, connection: HTTPConnection) -> bool:
        """Return whether a page of ours asks; what is no browser says nothing of it."""
        origin = connection.headers.get("origin")
        if origin is None or origin == self._origin:
            return True
        host = connection.headers.get("host", "")
        return bool(host) and urlsplit(origin).netloc == host

    async def note(
        self, visitor: Visitor, action: str, *, call_sid: str = "", text: str = ""
    ) -> None:
        """Write down what somebody does, before it is done: what cannot be, is refused."""
        await self._audit.add(
            Entry(
                at=self.now(),
                who=visitor.name,
                via=visitor.via,
                action=action,
                call_sid=call_sid,
                text=text,
                peer=visitor.peer,
            )
        )

    async def end(self, ticket: Ticket) -> None:
        """End a session everywhere."""
        await self._audit.end_session(ticket.id, until=ticket.until, now=self.now())

    def _is_there(self, connection: HTTPConnection) -> bool:
        people = self.people.current()
        return bool(people.users or people.tokens) or self.is_open(connection)

    def _cookie_of(self, connection: HTTPConnection) -> str:
        try:
            found = SimpleCookie(connection.headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def _visitor(
    person: Person, via: str, peer: str, *, csrf: str = "", ticket: Ticket | None = None
) -> Visitor:
    return Visitor(
        name=person.name,
        role=person.role,
        via=via,
        peer=peer,
        csrf=csrf,
        rings=person.rings,
        ticket=ticket,
    )
