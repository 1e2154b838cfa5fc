"""Composable checks for the values that a client sends. No I/O.

A check takes a value and its path. It returns the value, or raises `Refusal` with the error code
and message of the Realtime API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[Any, str], Any]


class Refusal(Exception):
    """A client event was refused and nothing of it was applied.

    `code`, `message` and `param` are those of the `error` event that answers it.
    """

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param

    def body(self, event_id: str | None) -> dict[str, Any]:
        """Return the `error` field of the answer; `event_id` is the client event's."""
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
    """Return the refusal of a value of the wrong JSON type."""
    return Refusal(
        "invalid_type",
        f"Invalid type for '{path}': expected {expected}, but got {_kind(value)} instead.",
        path,
    )


def anything(value: Any, path: str) -> Any:
    """Accept any value."""
    return value


def text(value: Any, path: str) -> str:
    """Check that the value is a string."""
    if not isinstance(value, str):
        raise wrong_type(value, path, "a string")
    return value


def flag(value: Any, path: str) -> bool:
    """Check that the value is a boolean."""
    if not isinstance(value, bool):
        raise wrong_type(value, path, "a boolean")
    return value


def mapping(value: Any, path: str) -> dict[str, Any]:
    """Check that the value is an object with any fields, such as a JSON schema or metadata."""
    if not isinstance(value, dict):
        raise wrong_type(value, path, "an object")
    return value


def one_of(*choices: str) -> Check:
    """Return a check for one of these strings."""

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
    """Return a check for an integer from `least` to `most`."""
    return _bounded("integer", least, most)


def number(least: float, most: float) -> Check:
    """Return a check for a number from `least` to `most`."""
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
    """Return a check for null or a value that passes `check`."""
    return lambda value, path: None if value is None else check(value, path)


def each(check: Check) -> Check:
    """Return a check for an array whose entries pass `check`."""

    def check_all(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise wrong_type(value, path, "an array")
        return [check(entry, f"{path}[{place}]") for place, entry in enumerate(value)]

    return check_all


def by_kind(kinds: Mapping[type, Check], expected: str) -> Check:
    """Return a check for a field of several JSON types, each with its own check."""

    def check(value: Any, path: str) -> Any:
        chosen = kinds.get(type(value))
        if chosen is None:
            raise wrong_type(value, path, expected)
        return chosen(value, path)

    return check


def record(fields: Mapping[str, Check], required: Sequence[str] = ()) -> Check:
    """Return a check for an object with these fields and no others."""

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
    """Return a check for an object whose field `tag` selects the check of the whole object."""

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
    """Return the refusal of an object without a required field."""
    return Refusal("missing_required_parameter", f"Missing required parameter: '{path}'.", path)
