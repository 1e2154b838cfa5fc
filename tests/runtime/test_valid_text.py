from __future__ import annotations

import enum
import json
from typing import Any, NamedTuple

import msgspec
import pytest

from hookflash.core.events import HandoffRequested, RecordingReady, ToolFinished
from hookflash.core.events import Recording as At
from hookflash.core.setup import CallSetup
from hookflash.runtime.valid_text import made_valid, valid_text

HIGH, LOW = json.loads('"\\ud83d"'), json.loads('"\\ude00"')


class Html(str):
    """A text of a library's: a template's result, say."""


class Size(enum.StrEnum):
    BIG = "big"


class Pair(NamedTuple):
    left: str
    right: str


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("", ""),
        ("plain", "plain"),
        ("Grüße 😀", "Grüße 😀"),
        (f"a{HIGH} b", "a\N{REPLACEMENT CHARACTER} b"),
        (f"{LOW}{HIGH}", "\N{REPLACEMENT CHARACTER}" * 2),
        (f"ü{HIGH}{LOW}ü{HIGH}", "ü😀ü\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_half_of_a_pair_is_replaced_and_two_halves_are_joined(text: str, valid: str) -> None:
    assert valid_text(text) == valid
    assert valid_text(text).encode().decode() == valid


@pytest.mark.parametrize("text", [Html("plain"), Html("ü"), Html(f"{HIGH}"), Size.BIG])
def test_a_text_is_a_plain_one_afterwards(text: str) -> None:
    assert type(valid_text(text)) is str


def test_every_text_of_an_event_is_made_valid() -> None:
    event = HandoffRequested("desk", f"why{HIGH}", Html("who"), source="tool")
    made = made_valid(event)
    assert made == HandoffRequested("desk", "why\N{REPLACEMENT CHARACTER}", "who", source="tool")
    assert msgspec.json.encode(made)
    inner = made_valid(RecordingReady(1, At(f"https://{HIGH}")))
    assert inner == RecordingReady(1, At("https://\N{REPLACEMENT CHARACTER}"))


@pytest.mark.parametrize(
    "value",
    [
        ToolFinished("c1", "Grüße", failed=True),
        CallSetup(greeting="Hello."),
        ["a", ("b", 1.0, None)],
        {"a": {"b": True}},
        Pair("a", "b"),
        Size.BIG,
        7,
    ],
)
def test_what_is_valid_is_returned_as_it_is(value: Any) -> None:
    assert made_valid(value) is value


def test_lists_tuples_and_dicts_are_looked_through() -> None:
    given = {f"k{HIGH}": [f"a{HIGH}", (f"b{HIGH}",)], "same": Pair(f"{HIGH}", "right")}
    r = "\N{REPLACEMENT CHARACTER}"
    made = made_valid(given)
    assert made == {f"k{r}": [f"a{r}", (f"b{r}",)], "same": Pair(r, "right")}
    assert type(made["same"]) is Pair
