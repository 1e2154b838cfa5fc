"""Read a request's JSON body or query into a struct, or refuse it with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from hookflash.console.access import Refused

BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0

Form = TypeVar("Form", bound=msgspec.Struct)

Short = Annotated[str, msgspec.Meta(max_length=200)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]
"""How many entries of a list are requested at once."""


class EmptyBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that has no parameters: `{}`."""


async def read_body(request: Request, form: type[Form]) -> Form:
    """Return the body as `form`. Raises `Refused`: 400, 408, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "request", f"Expected a body of application/json, got {kind[:80]!r}.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise Refused(413, "request", f"The body is longer than {BODY_BYTES} bytes.")
    except TimeoutError:
        raise Refused(408, "request", "The body did not come in time.") from None
    except ClientDisconnect:
        raise Refused(400, "request", "The body ended early.") from None
    try:
        return msgspec.json.decode(bytes(body), type=form)
    except msgspec.DecodeError as error:
        raise Refused(400, "request", f"The body is not as expected: {error}.") from None


def read_query(request: Request, form: type[Form]) -> Form:
    """Return the query as `form`, with its texts converted to numbers where needed."""
    given: Mapping[str, str] = {
        name: value for name, value in request.query_params.items() if value != ""
    }
    try:
        return msgspec.convert(given, form, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, "request", f"The query is not as expected: {error}.") from None
