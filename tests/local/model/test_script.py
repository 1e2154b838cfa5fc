"""How a script is read, and how an event is matched."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest

from hookflash.errors import ConfigError
from hookflash_local.model.script import checked_script, difference, say_audio


def test_steps_are_read_in_order() -> None:
    steps = checked_script(
        [{"expect": "session.update"}, {"say": {"ms": 100}}, {"wait_ms": 5}, "drop"]
    )
    assert steps == [
        ("expect", {"type": "session.update"}),
        ("say", {"ms": 100}),
        ("wait_ms", 5),
        ("drop", {}),
    ]


@pytest.mark.parametrize(
    "step, complaint",
    [
        ({"shout": {}}, "got 'shout'"),
        ({"say": {}, "drop": {}}, "expected one key"),
        ({"say": {"sample": 1}}, "got ['sample']"),
        ({"say": 7}, "expected an object, got 7"),
        ({"wait_ms": "long"}, "got 'long'"),
        ({"call_tool": {}}, "the field 'name' is missing"),
        ("expect", "the field 'type' is missing"),
    ],
)
def test_a_wrong_step_is_named_with_its_place(step: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_script(["drop", step])
    assert "step 2" in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    "pattern",
    [
        {},
        {"type": "t"},
        {"response": {"instructions": {"$contains": "nobody"}}},
        {"response": {"instructions": re.compile("in billing$")}},
        {"response": {"tools": [{"name": "a"}, {}]}},
        {"response": {"tools": {"$any": True}, "voice": {"$absent": True}}},
        {"response": {"tools": lambda tools: len(tools) == 2}},
        {"previous": None},
    ],
)
def test_a_pattern_names_only_what_it_cares_about(pattern: Any) -> None:
    event = {
        "type": "t",
        "previous": None,
        "response": {
            "instructions": "there is nobody in billing",
            "tools": [{"name": "a", "x": 1}, {"name": "b"}],
        },
    }
    assert difference(event, pattern) is None


@pytest.mark.parametrize(
    "pattern, told",
    [
        ({"a": 2}, "a: expected 2, got 1"),
        ({"b": 1}, "b: absent"),
        ({"a": {"$absent": True}}, "a: expected to be absent, got 1"),
        ({"a": {"$contains": "x"}}, "a: expected 'x' in 1"),
        ({"a": {"deep": 1}}, "a: expected an object, got 1"),
        ({"c": [1]}, "c: expected 1 entries, got [1, 2]"),
        ({"c": [1, 3]}, "c[1]: expected 3, got 2"),
        ({"d": re.compile("^q")}, "d: expected /^q/, got 'text'"),
        ({"d": str.isdigit}, "d: the pattern's function refused 'text'"),
    ],
)
def test_what_does_not_match_is_told(pattern: Any, told: str) -> None:
    assert difference({"a": 1, "c": [1, 2], "d": "text"}, pattern) == told


def test_what_is_said_is_a_recognisable_byte_or_given_sound() -> None:
    assert say_audio({"ms": 20, "byte": 3}) == b"\x03" * 160
    assert say_audio({"audio": base64.b64encode(b"abc").decode()}) == b"abc"
