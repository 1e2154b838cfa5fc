"""Checks compose, and each mistake is told in the API's own words."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash_local.model.validation import (
    Check,
    Refusal,
    by_kind,
    each,
    flag,
    mapping,
    nullable,
    number,
    one_of,
    record,
    tagged,
    text,
    whole,
)


@pytest.mark.parametrize(
    "check, value",
    [
        (text, ""),
        (flag, False),
        (mapping, {"any": [1]}),
        (one_of("a", "b"), "b"),
        (whole(1, 3), 3),
        (number(0, 1), 0),
        (number(0, 1), 0.5),
        (nullable(text), None),
        (each(text), ["a", "b"]),
        (by_kind({int: whole(1, 2), str: text}, "either"), "x"),
        (record({"a": text}, required=("a",)), {"a": "x"}),
        (tagged({"a": record({"type": text})}), {"type": "a"}),
    ],
)
def test_what_is_right_is_returned_as_it_came(check: Check, value: Any) -> None:
    assert check(value, "at") == value


@pytest.mark.parametrize(
    "check, value, code, message",
    [
        (text, 1, "invalid_type", "expected a string, but got an integer instead"),
        (text, 1.5, "invalid_type", "but got a decimal instead"),
        (flag, None, "invalid_type", "expected a boolean, but got null instead"),
        (mapping, [], "invalid_type", "expected an object, but got an array instead"),
        (one_of("a"), {}, "invalid_type", "expected a string, but got an object instead"),
        (one_of("a", "b"), "c", "invalid_value", "Supported values are: 'a', 'b'."),
        (whole(1, 3), 0, "integer_below_min_value", "Expected a value >= 1, but got 0 instead"),
        (whole(1, 3), 4, "integer_above_max_value", "Expected a value <= 3, but got 4 instead"),
        (whole(1, 3), 1.5, "invalid_type", "expected an integer"),
        (number(0, 1), 1.1, "decimal_above_max_value", "<= 1"),
        (number(0, 1), True, "invalid_type", "expected a decimal, but got a boolean"),
        (each(text), "x", "invalid_type", "expected an array"),
        (each(text), ["x", 1], "invalid_type", "'at[1]'"),
        (by_kind({int: whole(1, 2)}, "either"), [], "invalid_type", "expected either"),
        (record({}), {"b": 1}, "unknown_parameter", "Unknown parameter: 'at.b'."),
        (record({"a": text}, ("a",)), {}, "missing_required_parameter", "'at.a'"),
        (tagged({"a": text}), {}, "missing_required_parameter", "'at.type'"),
    ],
)
def test_a_mistake_is_told_with_its_path(check: Check, value: Any, code: str, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(value, "at")
    assert caught.value.code == code
    assert message in caught.value.message
    body = caught.value.body("event_1")
    assert (body["type"], body["event_id"]) == ("invalid_request_error", "event_1")
