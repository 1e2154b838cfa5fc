"""Describe the API as an OpenAPI document, generated from its operations and shapes.

    GET /api/openapi.json   the document

`OPERATIONS` lists every operation. The documentation's page of the API is made from it, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from hookflash import __version__
from hookflash.console import calls, deliveries, ended_calls, sign_in
from hookflash.console.access import AccessControl, Principal
from hookflash.console.operations import JSON, Operation
from hookflash.console.request_parsing import (
    BODY_BYTES,
    BODY_SECONDS,
    Identifier,
    NoParameters,
    given_type,
)
from hookflash.console.shapes import AnyFeedMessage, Fault

DOCUMENT = Operation(
    name="get_document",
    method="GET",
    path="/api/openapi.json",
    group="the document",
    summary="This document.",
    takes=NoParameters,
)

OPERATIONS: Sequence[Operation[Any]] = (
    *sign_in.OPERATIONS,
    *calls.OPERATIONS,
    *ended_calls.OPERATIONS,
    *deliveries.OPERATIONS,
    DOCUMENT,
)

_ABOUT = """\
The calls of a phone line that Hookflash answers: live and ended calls, actions on live calls, what
calls have left for their owner, figures and the audit trail.

Programs authenticate with a token (`Authorization: Bearer ...`); browsers with the session's
cookie, and with the header `X-CSRF-Token` where something is changed. A viewer may read; a
supervisor may also act, delete and read the audit trail. Without users, every address answers 404.

A query's parameter without a value counts as not given. One that is unknown, or given twice, is
refused.

A refusal has a `Fault` as its body. An address that exists answers another method with 405, and
with its methods in `Allow`. Live sound is at the WebSocket `/console/calls/{sid}/listen`, which
OpenAPI cannot describe.
"""

_SUCCESSES = {
    200: "What was asked for.",
    201: "The carrier has accepted the call. It rings.",
    202: "The action has reached the call or the delivery. Its effect follows.",
    204: "It is done.",
    206: "The part of the recording that `Range` asks for.",
}
_REFUSALS = {
    400: "The request is invalid. `message` says what was expected and what came.",
    401: "Nobody is signed in, or the token is not valid.",
    403: "The role is too low (`role`), or the CSRF token is missing or wrong (`csrf`).",
    404: "There is no such call or delivery, or no console.",
    408: f"The body did not come within {BODY_SECONDS:g} s.",
    409: "Another hand-off is in progress, or the call may not be placed. `message` says why.",
    413: f"The body is longer than {BODY_BYTES} bytes.",
    415: "The body is not application/json.",
    416: "The recording does not have this range.",
    429: "Too many attempts to sign in. `Retry-After` says when to try again, in seconds.",
    502: "The carrier did not send the recording, or has refused the call. `message` says why.",
    503: "The database, or a worker that may have the call, does not answer. Nothing was done.",
}
_TEMPLATE = "#/components/schemas/{name}"
_PLAIN_SCHEMAS = {
    "audio/wav": {"type": "string", "format": "binary"},
    "text/plain": {"type": "string"},
    "text/csv": {"type": "string"},
    "text/html": {"type": "string"},
    "application/x-ndjson": {"type": "string"},
    "text/event-stream": {
        "type": "string",
        "description": "Each event has the name of a message as `event`, its JSON as `data`, and"
        " an `id`. The messages are among the schemas: "
        + ", ".join(f"`{each.__name__}`" for each in get_args(AnyFeedMessage))
        + ".",
    },
    JSON: {"type": "object"},
}


class ApiDocument:
    """The route of the document. `path` is that of the public URL: "" or `/prefix`."""

    def __init__(self, access: AccessControl, *, path: str = "") -> None:
        self._access = access
        self._document = msgspec.json.encode(document(path=path, cookie=access.cookie))

    def routes(self) -> list[BaseRoute]:
        return [DOCUMENT.route(self._access, self._send)]

    async def _send(self, request: Request, principal: Principal, given: NoParameters) -> Response:
        return Response(self._document, media_type=JSON)


def document(*, path: str = "", cookie: str) -> dict[str, Any]:
    """Return the OpenAPI document. `cookie` is the name of the session's cookie."""
    shapes = {each.takes for each in OPERATIONS if each.has_body}
    shapes |= {each.answers for each in OPERATIONS if each.answers is not None}
    shapes |= {Fault, *get_args(AnyFeedMessage)}
    ordered = sorted(shapes, key=lambda shape: shape.__name__)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=_TEMPLATE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hookflash",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": path or "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": cookie},
                "csrf": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def _described(operation: Operation[Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": operation.summary,
        "security": list(_security(operation)),
        "responses": {
            **{str(status): _success(operation, status) for status in _successes(operation)},
            **{str(status): _refusal(status) for status in refusals(operation)},
        },
    }
    if parameters := [*_path_parameters(operation), *query_parameters(operation)]:
        described["parameters"] = parameters
    if operation.has_body:
        described["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": _reference(operation.takes)}},
        }
    return described


def _security(operation: Operation[Any]) -> Iterator[dict[str, list[str]]]:
    if operation.role is None:
        yield {}
        return
    if operation.tokens:
        yield {"token": []}
    yield {"session": []} if operation.method == "GET" else {"session": [], "csrf": []}


def _successes(operation: Operation[Any]) -> Iterable[int]:
    return (200, 206) if operation.media_type == "audio/wav" else (operation.status,)


def _success(operation: Operation[Any], status: int) -> dict[str, Any]:
    if status == 204:
        return {"description": _SUCCESSES[status]}
    if operation.answers is not None:
        schema: dict[str, Any] = _reference(operation.answers)
    else:
        schema = _PLAIN_SCHEMAS[operation.media_type]
    return {
        "description": _SUCCESSES[status],
        "content": {operation.media_type: {"schema": schema}},
    }


def refusals(operation: Operation[Any]) -> Iterable[int]:
    """Return the statuses with which an operation refuses a request, in order."""
    found = {400, 404, 503, *operation.refusals}
    if operation.role is not None:
        found.add(401)
        if operation.role == "supervisor" or operation.method != "GET":
            found.add(403)
    if operation.has_body:
        found |= {408, 413, 415}
    return sorted(found)


def _refusal(status: int) -> dict[str, Any]:
    refused: dict[str, Any] = {"description": _REFUSALS[status]}
    if status != 416:
        refused["content"] = {JSON: {"schema": _reference(Fault)}}
    if status == 429:
        refused["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    return refused


def _path_parameters(operation: Operation[Any]) -> Iterator[dict[str, Any]]:
    for part in operation.path.split("/"):
        if part.startswith("{"):
            schema = _schema(Identifier)
            text = schema.pop("description")
            yield {
                "name": part.strip("{}"),
                "in": "path",
                "required": True,
                "description": text,
                "schema": schema,
            }


def query_parameters(operation: Operation[Any]) -> Iterator[dict[str, Any]]:
    """Yield the parameters of an operation's query, as OpenAPI describes them."""
    if operation.has_body:
        return
    for field in msgspec.structs.fields(operation.takes):
        schema = _schema(given_type(field.type))
        text = schema.pop("description")
        if field.default is not None:
            schema["default"] = field.default
        yield {
            "name": field.name,
            "in": "query",
            "required": False,
            "description": text,
            "schema": schema,
        }


def _schema(kind: Any) -> dict[str, Any]:
    return msgspec.json.schema(kind)


def _reference(shape: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _TEMPLATE.format(name=shape.__name__)}
