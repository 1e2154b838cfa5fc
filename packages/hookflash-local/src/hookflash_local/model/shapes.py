"""Checks of what a client sends, as small functions that compose.

A check takes a value and the path at which it stands, and returns the value or raises `Refusal`
with the code and the wording that the Realtime API uses for that mistake. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any, str], Any]


class Refusal(Exception):
    """The client asked for something that it may not have; nothing of it has been applied.

    `code`, `message` and `param` are those of the `error` event that answers it.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def body(self, event_id: str | None) -> dict[str, Any]:
        """Return the `error` field of the event; `event_id` is the client event's."""
        return {
            "type": "invalid_request_error",
            "code": self.code,
            "message": self.message,
            "param": self.param,
            "event_id": event_id,
        }


_KINDS = {bool: "a boolean", int: "an integer", float: "a decimal", str: "a string"}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    return "an array" if isinstance(value, list) else _KINDS.get(type(value), "something else")


def wrong_type(value: Any, path: str, expected: str) -> Refusal:
    return Refusal(
        "invalid_type",
        f"Invalid type for '{path}': expected {expected}, but got {_kind(value)} instead.",
        path,
    )


def anything(value: Any, path: str) -> Any:
    return value


def text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise wrong_type(value, path, "a string")
    return value


def flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(value, path, "a boolean")
    return value


def mapping(value: Any, path: str) -> dict[str, Any]:
    """Check that it is an object, of any fields (a JSON schema, metadata)."""
    if not isinstance(value, dict):
        raise wrong_type(value, path, "an object")
    return value


def one_of(*choices: str) -> Check:
    def check(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise wrong_type(value, path, "a string")
        if value not in choices:
            listed = ", ".join(f"'{choice}'" for choice in choices)
            raise Refusal(
                "invalid_value", f"Invalid value: '{value}'. Supported values are: {listed}.", path
            )
        return value

    return check


def whole(least: int, most: int) -> Check:
    return _bounded("integer", least, most)


def number(least: float, most: float) -> Check:
    return _bounded("decimal", least, most)


def _bounded(word: str, least: float, most: float) -> Check:
    decimal = word == "decimal"
    article = "a" if decimal else "an"

    def check(value: Any, path: str) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float) if decimal else int):
            raise wrong_type(value, path, f"{article} {word}")
        if least <= value <= most:
            return value
        side, sign, bound = (
            ("below_min", ">=", least) if value < least else ("above_max", "<=", most)
        )
        raise Refusal(
            f"{word}_{side}_value",
            f"Invalid '{path}': {word} {side.replace('_', ' ')} value. "
            f"Expected a value {sign} {bound}, but got {value} instead.",
            path,
        )

    return check


def nullable(check: Check) -> Check:
    return lambda value, path: None if value is None else check(value, path)


def each(check: Check) -> Check:
    def check_all(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        return [check(entry, f"{path}[{place}]") for place, entry in enumerate(value)]

    return check_all


def by_kind(kinds: Mapping[type, Check], expected: str) -> Check:
    """Check a field that may be of several JSON types, each with its own check."""

    def check(value: Any, path: str) -> Any:
        chosen = kinds.get(type(value))
        if chosen is None:
            raise wrong_type(value, path, expected)
        return chosen(value, path)

    return check


def record(fields: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """Check an object that has these fields and no other."""

    def check(value: Any, path: str) -> dict[str, Any]:
        given = mapping(value, path)
        prefix = f"{path}." if path else ""
        for name in given:
            if name not in fields:
                raise Refusal(
                    "unknown_parameter", f"Unknown parameter: '{prefix}{name}'.", prefix + name
                )
        for name in required:
            if name not in given:
                raise missing(prefix + name)
        return {name: fields[name](entry, prefix + name) for name, entry in given.items()}

    return check


def tagged(kinds: Mapping[str, Check], tag: str = "type") -> Check:
    """Check an object whose field `tag` decides which other fields it has."""

    def check(value: Any, path: str) -> dict[str, Any]:
        given = mapping(value, path)
        at = f"{path}.{tag}" if path else tag
        if tag not in given:
            raise missing(at)
        kind = one_of(*kinds)(given[tag], at)
        checked: dict[str, Any] = kinds[kind](given, path)
        return checked

    return check


def missing(path: str) -> Refusal:
    return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)
