"""Log and count the requests that the server refuses, so that none fails silently.

    refused                    logged and counted by
    a webhook or page          `Refusals.answer`, which also answers the `HTTPException`
    an upgrade through ASGI    `RefusedUpgrades`, which sees that it is closed, not accepted
    a media socket on picows   `TwilioLine`, which calls `Refusals.report_upgrade`

Each line says what was refused, why, and what to do. Lines of one kind are limited, because anybody
can cause them; the counts are complete. The reason is for the owner only: `http_errors` writes the
answers.

A line contains no header and no body. It has the names in a query, but not the values.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hookflash.carriers.twilio.signature import HEADER
from hookflash.carriers.twilio.urls import MEDIA, NOTES, Urls
from hookflash.client_address import ClientAddresses
from hookflash.log_output import LineLimit
from hookflash.server.http_errors import error_answers
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.server")

SIGNATURE = "signature"

_URL_CHARACTERS = 300
_NUMBER = re.compile(r"(?<![0-9A-Za-z])[+]?[0-9]{5,13}([0-9]{2})(?![0-9A-Za-z])")
_REASONS = {404: "path", 405: "method"}
"""The reason of a refusal that starlette itself raises, by status."""

_SOCKET_REMEDIES = {
    "": "no socket has this path; Twilio gets the address in the TwiML, so check the proxy's paths",
    "sign-in": "nobody is signed in there who may do that, or the session has ended; sign in again",
    "origin": "the page is of another site; open the console at HOOKFLASH_PUBLIC_URL",
    "no call": "no such call is live; reload the page",
    "database": "the audit trail cannot be written; see the error before",
}
"""What to do about a socket that was closed before it was accepted, by the reason of the close."""


class Refusal(HTTPException):
    """A request is refused. `reason` is a label of the metrics; `text` is for the log.

    `body` is what was read of the request, to find out why its signature is wrong.
    """

    def __init__(self, status: int, reason: str, text: str = "", *, body: bytes = b"") -> None:
        super().__init__(status)
        self.reason = reason
        self.text = text
        self.body = body


Explain = Callable[[HTTPConnection, bytes], str]
"""(connection, body) -> why its signature is wrong, and what to do."""


class Refusals:
    """The refused requests of this process, by reason, and the refused upgrades, by socket.

    `now` is a clock in seconds.
    """

    def __init__(
        self,
        urls: Urls,
        clients: ClientAddresses,
        *,
        explain: Explain,
        now: Callable[[], float] = SYSTEM.monotonic,
    ) -> None:
        self.requests: dict[str, int] = {}
        self.upgrades: dict[str, int] = {}
        self._urls = urls
        self._clients = clients
        self._explain = explain
        self._answer = error_answers(urls)
        self._limit = LineLimit(now=now)

    async def answer(self, request: Request, error: Exception) -> Response:
        """Log an `HTTPException`, and answer it as `http_errors` does.

        It is starlette's handler for `HTTPException`.
        """
        if not isinstance(error, HTTPException):
            return Response(status_code=500)
        status = error.status_code
        reason = error.reason if isinstance(error, Refusal) else _REASONS.get(status, "other")
        self.requests[reason] = self.requests.get(reason, 0) + 1
        # Scanners request many paths. Their lines must not use up the limit of Twilio's lines.
        kind = (status, reason, HEADER in request.headers)
        if status < 500 and (ending := self._limit.ending(kind)) is not None:
            log.warning(
                "! %s %s from %s: %d, %s%s",
                request.method,
                _target(request),
                self._clients.of(request) or "an unknown address",
                status,
                self._why(request, error, status),
                ending,
            )
        return await self._answer(request, error)

    def report_upgrade(self, connection: HTTPConnection, reason: str) -> None:
        """Count and log an upgrade that is refused for `reason`."""
        path = self._urls.inner(connection.scope["path"])
        socket = _socket_of(path)
        self.upgrades[socket] = self.upgrades.get(socket, 0) + 1
        if (ending := self._limit.ending((socket, reason))) is None:
            return
        if reason == SIGNATURE:
            why = self._explain(connection, b"")
        else:
            why = _SOCKET_REMEDIES.get(reason, reason)
        log.warning(
            "! upgrade of the %s socket %s from %s refused: %s%s",
            socket,
            _target(connection),
            self._clients.of(connection) or "an unknown address",
            why,
            ending,
        )

    def _why(self, request: Request, error: HTTPException, status: int) -> str:
        if isinstance(error, Refusal):
            if error.reason == SIGNATURE:
                return self._explain(request, error.body)
            return error.text or error.reason
        if status == 404:
            inner = self._urls.inner(request.scope["path"])
            if _socket_of(inner) != "other":
                return (
                    "it is no WebSocket upgrade; a proxy in front of this server must pass on the"
                    " headers Upgrade and Connection, with HTTP/1.1"
                )
            return (
                "no such path; if Twilio requests it, correct the number's URLs in Twilio's"
                f" console: {self._urls.voice()} and {self._urls.status()}"
            )
        if status == 405:
            expected = (error.headers or {}).get("Allow", "another method")
            remedy = (
                "set HTTP POST beside the number's URLs at Twilio" if "POST" in expected else ""
            )
            return f"expected {expected}; {remedy}".removesuffix("; ")
        return error.detail


def shown(url: str) -> str:
    """Return `url` for a log line: shortened, without the query's values and whole numbers."""
    path, _, query = url[:_URL_CHARACTERS].partition("?")
    names = "&".join(f"{name}=…" for name, _ in parse_qsl(query, keep_blank_values=True))
    return _NUMBER.sub(r"…\1", f"{path}?{names}" if names else path)


def _target(connection: HTTPConnection) -> str:
    path: str = connection.scope["path"]
    query: str = connection.scope["query_string"].decode("latin-1")
    return shown(f"{path}?{query}" if query else path)


def _socket_of(path: str) -> str:
    """Return which socket has `path` (without the public URL's prefix)."""
    for name, prefix in (("media", MEDIA), ("notes", NOTES)):
        if path == prefix or path.startswith(f"{prefix}/"):
            return name
    if path.startswith("/console/calls/") and path.endswith("/listen"):
        return "listen"
    return "other"


class RefusedUpgrades:
    """ASGI middleware: reports upgrades that are closed before they are accepted.

    The reason of the close is that of the refusal. It does not reach the peer, which gets a 403.
    """

    def __init__(self, app: ASGIApp, refusals: Refusals) -> None:
        self._app = app
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        pending = True

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal pending
            if pending and message["type"] == "websocket.close":
                self._refusals.report_upgrade(HTTPConnection(scope), message.get("reason") or "")
            pending = False
            await send(message)

        await self._app(scope, receive, watched)
