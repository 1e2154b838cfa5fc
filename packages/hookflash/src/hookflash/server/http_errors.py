"""Answer requests that no route answers: unknown addresses and wrong methods.

A 405 has every method of the address in `Allow` (RFC 9110, 15.5.6). Addresses of the console and
its API are answered with a `Fault`, all others with an empty body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route

from hookflash.carriers.twilio.urls import Urls
from hookflash.console.access import HEADERS, Refused

_WITH_FAULTS = ("/api/", "/console/")


def error_answers(urls: Urls) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return the handler of `HTTPException` for an application under these URLs."""

    async def answered(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        allowed: list[str] = []
        if error.status_code == 405:
            allowed = allowed_methods(request)
            headers["Allow"] = ", ".join(allowed)
        if not urls.inner(_path(request.scope)).startswith(_WITH_FAULTS):
            return Response(status_code=error.status_code, headers=headers)
        return _fault(request, error.status_code, allowed, headers | HEADERS)

    return answered


def allowed_methods(request: Request) -> list[str]:
    """Return the methods that the address of a request has, in alphabetical order."""
    scope = dict(request.scope)
    # A mount has changed these for its own routes.
    scope["root_path"] = scope.get("app_root_path", "")
    scope["path_params"] = {}
    return sorted(_methods(request.app.routes, scope))


def _methods(routes: Iterable[BaseRoute], scope: MutableMapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for route in routes:
        match, child_scope = route.matches(scope)
        if match is Match.NONE:
            continue
        if isinstance(route, Mount):
            found |= _methods(route.routes, {**scope, **child_scope})
        elif isinstance(route, Route):
            found |= route.methods or set()
    return found


def _path(scope: MutableMapping[str, Any]) -> str:
    path: str = scope["path"]
    return path


def _fault(request: Request, status: int, allowed: list[str], headers: dict[str, str]) -> Response:
    if status == 405:
        expected = ", ".join(allowed)
        message = f"Expected one of the methods {expected}; got {request.method[:20]}."
        return Refused(405, "method", message, headers).response()
    return Refused(status, "unknown", "There is nothing at this address.", headers).response()
