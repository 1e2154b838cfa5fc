"""What the API has: one `Operation` for each method of each address.

An operation makes the route, reads what a request gives, and is described in the OpenAPI document
(`openapi.py`). So the document has exactly the routes that are served, with their limits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hookflash.console.access import AccessControl, Principal
from hookflash.console.request_parsing import (
    Form,
    NoParameters,
    read_body,
    read_path,
    read_query,
)
from hookflash.console.shapes import Role

JSON = "application/json"

Method = Literal["GET", "POST", "DELETE"]
Group = Literal["signing in", "live calls", "actions", "ended calls", "the document"]


@dataclass(frozen=True, kw_only=True)
class Operation(Generic[Form]):
    """One method of one address: who may use it, what it takes and what it answers.

    `name` identifies it in the document. `takes` is the JSON body of a POST, unless it is
    `NoParameters`; otherwise it is the query. `answers` is the shape of a JSON answer; without one,
    the answer has `media_type`, or no content if the status is 204. `role` is what a user must be;
    None: nobody has to be signed in. `tokens`: programs may use it. `refusals` are statuses besides
    those that follow from the rest.
    """

    name: str
    method: Method
    path: str
    group: Group
    summary: str
    takes: type[Form]
    answers: type[msgspec.Struct] | None = None
    status: int = 200
    media_type: str = JSON
    role: Role | None = "viewer"
    tokens: bool = True
    refusals: tuple[int, ...] = ()

    @property
    def has_body(self) -> bool:
        return self.method == "POST" and self.takes is not NoParameters

    def route(
        self,
        access: AccessControl,
        endpoint: Callable[[Request, Principal, Form], Awaitable[Response]],
    ) -> OperationRoute:
        """Return the route. `endpoint` gets authorized requests with valid parameters only."""
        role = self.role
        assert role is not None, "use open_route"

        async def admitted(request: Request) -> Response:
            principal = await access.admit(request, role=role, tokens=self.tokens)
            return await endpoint(request, principal, await self._read(request))

        return OperationRoute(self, access.with_headers(admitted))

    def open_route(
        self, access: AccessControl, endpoint: Callable[[Request, Form], Awaitable[Response]]
    ) -> OperationRoute:
        """Return the route of an operation for which nobody has to be signed in."""

        async def answered(request: Request) -> Response:
            return await endpoint(request, await self._read(request))

        return OperationRoute(self, access.with_headers(answered))

    async def _read(self, request: Request) -> Form:
        read_path(request)
        if not self.has_body:
            return read_query(request, self.takes)
        read_query(request, NoParameters)
        return await read_body(request, self.takes)


class OperationRoute(Route):
    """The route of an operation."""

    def __init__(
        self, operation: Operation[Any], endpoint: Callable[[Request], Awaitable[Response]]
    ) -> None:
        super().__init__(operation.path, endpoint, methods=[operation.method])
        self.operation = operation
