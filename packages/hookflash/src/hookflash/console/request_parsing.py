"""Read a request's query, path or JSON body into a struct, or refuse it with a reason.

A reason says which value is wrong, what was expected and what came. The limits of a value are in
the type of its field, so the OpenAPI document shows the limits that are checked here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, inspect
from starlette.requests import ClientDisconnect, Request

from hookflash.console.access import Refused
from hookflash.core.field_checks import describe

BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0

_SHOWN_CHARACTERS = 80
_NEVER_SHOWN = frozenset({"password"})

Form = TypeVar("Form", bound=msgspec.Struct)

NO_NUL = "^[^\\x00]*$"
"""PostgreSQL stores no NUL, and no text that people write has one."""

YEAR_9999 = 253_402_300_799
LARGEST_ID = 2_147_483_647

Short = Annotated[
    str,
    Meta(max_length=200, pattern=NO_NUL, description="a text of at most 200 characters, no NUL"),
]
Limit = Annotated[
    int, Meta(ge=1, le=200, description="how many entries to return: a whole number from 1 to 200")
]
Moment = Annotated[
    float,
    Meta(ge=0, le=YEAR_9999, description=f"seconds since 1970: a number from 0 to {YEAR_9999}"),
]
Identifier = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9_.:-]{1,128}$",
        description="an identifier: 1 to 128 letters, digits and _ . : -",
    ),
]


class NoParameters(msgspec.Struct, forbid_unknown_fields=True):
    """The query of a request that has no parameters."""


class EmptyBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that has no parameters: `{}`."""


def _refused(message: str, status: int = 400) -> Refused:
    return Refused(status, "request", message)


# --- query and path -------------------------------------------------------------------------------


def read_query(request: Request, form: type[Form]) -> Form:
    """Return the query as `form`, with its texts converted to numbers where needed.

    A parameter without a value counts as not given. Raises `Refused`: 400.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(form)}
    given: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name not in types:
            expected = ", ".join(types) or "no parameters"
            raise _refused(f"{_shown(name)} is not a parameter here; expected {expected}.")
        if name in given:
            raise _refused(f"{name}: expected one value, got several.")
        if text != "":
            given[name] = _read_text(name, text, types[name])
    return form(**given)


def unknown_page(before: str) -> Refused:
    """Return the refusal of a `before` that is no entry: it was made up, or deleted since."""
    return _refused(
        "before: expected the `next` of the previous page, which still exists;"
        f" got {_shown(before)}. Start again with the first page."
    )


def read_path(request: Request) -> None:
    """Check the identifiers in the path. Raises `Refused`: 400."""
    for name, text in request.path_params.items():
        _read_text(name, text, Identifier)


def _read_text(name: str, text: str, kind: Any) -> Any:
    kind = given_type(kind)
    try:
        value = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        value = math.nan
    # NaN passes every comparison with a limit.
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong_value(name, kind, text)
    return value


def wrong_value(name: str, kind: Any, text: str) -> Refused:
    """Return the refusal of a text that is no value of the type `kind`."""
    return _refused(f"{name}: expected {_expected(kind)}, got {_shown(text)}.")


def given_type(kind: Any) -> Any:
    """Return the type of a value that is given: None is only the default of a parameter."""
    if get_origin(kind) in (Union, UnionType):
        given = tuple(each for each in get_args(kind) if each is not NoneType)
        return Union[given]  # noqa: UP007 - of a tuple
    return kind


# --- bodies ---------------------------------------------------------------------------------------


async def read_body(request: Request, form: type[Form]) -> Form:
    """Return the body as `form`. Raises `Refused`: 400, 408, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise _refused(f"Expected a body of application/json, got {kind[:80]!r}.", 415)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES:
                    raise _refused(f"Expected a body of at most {BODY_BYTES} bytes, got more.", 413)
    except TimeoutError:
        raise _refused(f"The body did not come within {BODY_SECONDS:g} s.", 408) from None
    except ClientDisconnect:
        raise _refused("The body ended early.") from None
    try:
        return msgspec.json.decode(bytes(body), type=form)
    except msgspec.ValidationError as error:
        raise _refused(_wrong_field(bytes(body), form) or f"The body is wrong: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(f"Expected a body of JSON in UTF-8; it is none: {error}.") from None
    except RecursionError:
        raise _refused("Expected a flat JSON object, got one that is nested too deeply.") from None


def _wrong_field(body: bytes, form: type[Form]) -> str:
    """Return what is wrong with the first wrong field of a body, or "" if none is."""
    fields = msgspec.structs.fields(form)
    names = ", ".join(field.name for field in fields) or "no fields"
    try:
        given: Mapping[str, msgspec.Raw] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return f"Expected a JSON object with {names}, got {_shown_json(body)}."
    for name in given:
        if name not in form.__struct_fields__:
            return f"{_shown(name)} is not a field here; expected {names}."
    for field in fields:
        expected = _expected(field.type)
        if field.name not in given:
            if field.required:
                return f"{field.name}: expected {expected}, and it is missing."
            continue
        try:
            msgspec.json.decode(given[field.name], type=field.type)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            secret = field.name in _NEVER_SHOWN
            came = "another value" if secret else _shown_json(bytes(given[field.name]))
            return f"{field.name}: expected {expected}, got {came}."
    return ""


def _expected(kind: Any) -> str:
    return describe(inspect.type_info(kind))


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


def _shown_json(text: bytes) -> str:
    shown = text[: _SHOWN_CHARACTERS + 1].decode("utf-8", "replace")
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
