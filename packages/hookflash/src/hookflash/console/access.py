"""Authenticate and authorize the requests to the console and its API.

    token     Authorization: Bearer, for /api only
    session   the cookie; a request that changes something also needs the session's CSRF token
    open      no sign-in: only if the owner enables it, and only for local requests

Without users, and if not open, the console is disabled: every request is answered 404.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from random import Random
from urllib.parse import urlsplit

import msgspec
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from hookflash.client_address import ClientAddresses
from hookflash.console.people import PeopleFile, Person
from hookflash.console.sessions import Sessions, Ticket
from hookflash.console.shapes import Fault, Role
from hookflash.core.handoff_plan import Target
from hookflash.server.connection_limits import trust_connection
from hookflash.stores.audit import AuditStore, Entry
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

COOKIE = "hookflash_session"
POLICY = 1008

HEADERS = {
    # No resources from other hosts, no inline scripts, no framing.
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


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """An authenticated user or program. `via` is the method; `peer` is the client's address."""

    name: str
    role: Role
    via: str
    peer: str
    csrf: str = ""
    rings: Target | None = None
    ticket: Ticket | None = None


class Refused(Exception):
    """A request is refused, with a status, a stable code and a sentence for people."""

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
"""The name of the user of a console without sign-in. It may be spoken; no user can have it."""

NOT_SIGNED_IN = "You are not signed in: sign in at /console/sign-in."


def answer(
    shape: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a shape as a JSON response."""
    return Response(
        msgspec.json.encode(shape), status, dict(headers or {}), media_type="application/json"
    )


class AccessControl:
    """Authenticates and authorizes requests. `origin` and `path` are those of the public URL, `now`
    is seconds since 1970.

    `open_here`: no sign-in is needed on this machine; `open_rings` is that user's phone. `clients`
    tells who made a request; without it, no proxy is trusted.
    """

    def __init__(
        self,
        people: PeopleFile,
        sessions: Sessions,
        audit: AuditStore,
        *,
        origin: str,
        path: str = "",
        now: Callable[[], float],
        open_here: bool = False,
        open_rings: Target | None = None,
        clients: ClientAddresses | None = None,
        entropy: Random = SYSTEM.entropy("console-gate"),
    ) -> None:
        self.people = people
        self.sessions = sessions
        self.now = now
        self.secure = origin.startswith("https:")
        self.clients = clients or ClientAddresses(public_url=origin)
        self._audit = audit
        self._origin = origin
        self._path_name = re.sub(r"[^A-Za-z0-9]+", "-", path).rstrip("-")
        self._open_here = open_here
        self._open_rings = open_rings
        self._open_id = entropy.randbytes(16).hex()

    @property
    def cookie(self) -> str:
        """Return the cookie's name. With `__Host-` no other host, path or plain connection can set
        it, and it is valid for the whole host.

        So a line under a prefix has the prefix in the name: two lines of one host have two cookies.
        """
        name = f"{COOKIE}{self._path_name}"
        return f"__Host-{name}" if self.secure else name

    # --- routes ---------------------------------------------------------------------------------

    def with_headers(
        self, endpoint: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return `endpoint` with security headers, and with `Refused` turned into responses."""

        async def answered(request: Request) -> Response:
            try:
                if not self._is_enabled(request):
                    raise Refused(404, "unknown", "There is no console here.")
                response = await endpoint(request)
            except Refused as refused:
                response = refused.response()
            except SQLAlchemyError:
                # The request ends here. The page shows the error, and the log has the reason.
                log.exception("! the console's database does not answer")
                response = Refused(503, "unreachable", "The database does not answer.").response()
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            if self.secure:
                response.headers["Strict-Transport-Security"] = "max-age=31536000"
            return response

        return answered

    async def admit(self, request: Request, *, role: Role, tokens: bool) -> Principal:
        """Return the principal of a request. Raises `Refused` if it is not authorized."""
        principal = await self.principal(request, tokens=tokens)
        if principal is None:
            raise Refused(401, "sign-in", NOT_SIGNED_IN)
        if principal.via != "token" and request.method not in _SAFE:
            self.check_csrf(request, principal)
        if role == "supervisor" and principal.role != role:
            raise Refused(403, "role", "Only a supervisor may do that; you are a viewer.")
        return principal

    def check_csrf(self, request: Request, principal: Principal) -> None:
        given = request.headers.get("x-csrf-token", "").encode("utf-8", "replace")
        if not self.same_origin(request) or not hmac.compare_digest(given, principal.csrf.encode()):
            raise Refused(403, "csrf", "X-CSRF-Token must be the `csrf` of GET /console/session.")

    async def admit_socket(self, socket: WebSocket) -> Principal | None:
        """Return the principal of a WebSocket, or None after closing it, which is a 403."""
        try:
            principal = await self.principal(socket) if self._is_enabled(socket) else None
        except SQLAlchemyError:
            log.exception("! the console's database does not answer")
            principal = None
        # A page of another site can open sockets here, and the browser adds the cookie.
        same = self.same_origin(socket)
        if principal is None or not same:
            # The reason is for the log: the peer gets a 403.
            reason = "origin" if principal is not None and not same else "sign-in"
            await socket.close(POLICY, reason)
            return None
        return principal

    # --- authentication -------------------------------------------------------------------------

    async def principal(
        self, connection: HTTPConnection, *, tokens: bool = False
    ) -> Principal | None:
        """Return the principal of a connection, or None if it is not authenticated."""
        found = await self._principal(connection, tokens)
        if found is not None:
            trust_connection(connection.scope)
        return found

    async def _principal(self, connection: HTTPConnection, tokens: bool) -> Principal | None:
        peer = self.clients.of(connection)
        given = connection.headers.get("authorization")
        if given is not None:
            scheme, _, token = given.partition(" ")
            if not tokens or scheme.lower() != "bearer":
                return None
            program = self.people.current().with_token(token.strip())
            return _principal(program, "token", peer) if program is not None else None
        if cookie := self._cookie_of(connection):
            found = self.sessions.read(cookie, self.people.current(), self.now())
            if found is not None and not await self._audit.session_ended(found[1].id):
                person, ticket = found
                csrf = self.sessions.csrf(ticket.id)
                return _principal(person, "session", peer, csrf=csrf, ticket=ticket)
        if self.is_open(connection):
            anybody = Person(name=ANYBODY, role="supervisor", rings=self._open_rings)
            return _principal(anybody, "open", peer, csrf=self.sessions.csrf(self._open_id))
        return None

    def is_open(self, connection: HTTPConnection) -> bool:
        return self._open_here and self.clients.is_local(connection)

    def same_origin(self, connection: HTTPConnection) -> bool:
        """Return whether the request is from a page of the console.

        Clients that are not browsers send no origin.
        """
        origin = connection.headers.get("origin")
        if origin is None or origin == self._origin:
            return True
        host = connection.headers.get("host", "")
        return bool(host) and urlsplit(origin).netloc == host

    async def audit(
        self, principal: Principal, action: str, *, call_sid: str = "", text: str = ""
    ) -> None:
        """Write an action to the audit trail before it is done. If that fails, the action is
        refused."""
        await self._audit.add(
            Entry(
                at=self.now(),
                who=principal.name,
                via=principal.via,
                action=action,
                call_sid=call_sid,
                text=text,
                peer=principal.peer,
            )
        )

    async def end(self, ticket: Ticket) -> None:
        """End a session in all processes."""
        await self._audit.end_session(ticket.id, until=ticket.until, now=self.now())

    def _is_enabled(self, connection: HTTPConnection) -> bool:
        people = self.people.current()
        return bool(people.users or people.tokens) or self.is_open(connection)

    def _cookie_of(self, connection: HTTPConnection) -> str:
        try:
            found = SimpleCookie(connection.headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def _principal(
    person: Person, via: str, peer: str, *, csrf: str = "", ticket: Ticket | None = None
) -> Principal:
    return Principal(
        name=person.name,
        role=person.role,
        via=via,
        peer=peer,
        csrf=csrf,
        rings=person.rings,
        ticket=ticket,
    )
