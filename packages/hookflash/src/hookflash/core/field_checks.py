"""Check a struct that an owner writes against the types and limits that its fields declare.

msgspec checks what it decodes, and not what is made in code. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from hookflash.errors import ConfigError

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

Rule = tuple[Callable[[_Struct], object], str]
"""What must not be true of a struct, and the error's text with {0} for the struct."""


def check_fields(struct: msgspec.Struct, *, but: Collection[str] = ()) -> None:
    """Raise `ConfigError` for the first field whose value is not what the field declares.

    The text says what the field must be: the description or the limits of its type, or its choices.
    The fields of `but` are not checked.
    """
    for field in msgspec.structs.fields(struct):
        if field.name in but:
            continue
        value = getattr(struct, field.name)
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError:
            expected = describe(inspect.type_info(field.type))
            owner = type(struct).__name__
            raise ConfigError(f"{owner}: {field.name} must be {expected}; got {value!r}") from None


def check_rules(struct: _Struct, rules: Iterable[Rule[_Struct]]) -> None:
    """Raise `ConfigError` with the text of the first rule that the struct breaks."""
    for broken, text in rules:
        if broken(struct):
            raise ConfigError(f"{type(struct).__name__}: {text.format(struct)}")


def describe(kind: inspect.Type) -> str:
    """Return what a value of this type is, to follow "must be"."""
    match kind:
        case inspect.Metadata(extra_json_schema={"description": str(text)}):
            return text
        case inspect.Metadata(type=inner):
            return describe(inner)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(map(str, values))
        case inspect.UnionType(types=types):
            return " or ".join(map(describe, sorted(types, key=_none_last)))
        case inspect.VarTupleType(item_type=item):
            return f"a tuple, each {describe(item)}"
        case inspect.IntType(ge=int(low), le=int(high)):
            return f"a whole number from {low} to {high}"
        case inspect.FloatType(ge=int() | float() as low, le=int() | float() as high):
            return f"a number from {low:g} to {high:g}"
        case inspect.StructType(cls=cls):
            return f"of the type {cls.__name__}"
    return _PLAIN.get(type(kind), f"of another type ({type(kind).__name__})")


_PLAIN: dict[type[Any], str] = {
    inspect.BoolType: "True or False",
    inspect.FloatType: "a number",
    inspect.IntType: "a whole number",
    inspect.NoneType: "None",
    inspect.StrType: "a text",
}


def _none_last(kind: inspect.Type) -> bool:
    return isinstance(kind, inspect.NoneType)
