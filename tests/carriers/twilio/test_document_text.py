"""Texts that fit: whole words, and never dearer than was said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash.carriers.twilio.document_text import (
    ELLIPSIS,
    clean,
    cost_of,
    share,
    shortened,
    texts_of,
    with_texts,
)
from hookflash.core.commands import HangUp, JoinQueue, Screen, Speak
from hookflash.core.handoff_plan import queue_target

DOTS = cost_of(ELLIPSIS)


@pytest.mark.parametrize(
    ("text", "cost", "kept"),
    [
        ("good morning", 12, "good morning"),
        ("good morning, all of you", 11 + DOTS, "good…"),
        ("good morning to all of you", 12 + DOTS, "good morning…"),
        ("good, morning to you", 9 + DOTS, "good…"),
        ("word " * 9, 10 + DOTS, "word word…"),
        ("supercalifragilistic", 5 + DOTS, "super…"),
        ("good morning", DOTS, ""),
        ("good morning", 0, ""),
        ("a &&&&&&&&", 12 + DOTS, "a…"),
    ],
)
def test_a_text_is_cut_behind_a_word(text: str, cost: int, kept: str) -> None:
    assert shortened(text, cost) == kept


@pytest.mark.parametrize(
    ("character", "cost"),
    [
        ("a", 1),
        ("~", 1),
        ("&", len("&amp;")),
        ("<", len("&lt;")),
        ('"', len(r"\"")),
        ("\n", len(r"\n")),
        ("\x01", len(r"\u0001")),
        ("\x7f", len("&#65535;")),
        ("\u20ac", len("&#65535;")),
        ("\U0001f600", len(r"\ud83d\ude00")),
    ],
)
def test_a_character_costs_its_longest_escape(character: str, cost: int) -> None:
    assert cost_of(character) == cost
    assert cost_of(character * 3) == 3 * cost


@given(st.text(), st.integers(0, 200))
def test_a_shortened_text_fits_its_limit(text: str, cost: int) -> None:
    kept = shortened(text, cost)
    assert cost_of(kept) <= cost or kept == ""
    assert kept == text or text.startswith(kept.removesuffix(ELLIPSIS))


@given(st.text())
def test_the_cost_is_never_less_than_a_document_needs(text: str) -> None:
    from twilio.twiml.voice_response import VoiceResponse

    def length(said: str) -> int:
        document = VoiceResponse()
        document.say(clean(said))
        return len(str(document))

    assert length(f"-{text}") - length("-") <= cost_of(text)
    queue = VoiceResponse().enqueue(None)
    queue.task(json.dumps(text))
    assert len(str(queue)) - len('""') - len("<Enqueue><Task></Task></Enqueue>") - len(
        '<?xml version="1.0" encoding="UTF-8"?>'
    ) <= cost_of(text)


@given(st.lists(st.integers(0, 5000), max_size=8), st.integers(0, 4000))
def test_each_text_gets_its_share_and_short_texts_are_not_cut(
    costs: list[int], budget: int
) -> None:
    shares = share(costs, budget)
    assert sum(shares) <= budget
    assert all(0 <= given <= wanted for given, wanted in zip(shares, costs, strict=True))
    if sum(costs) <= budget:
        assert shares == costs


def test_all_texts_of_free_length_are_found_and_put_back_in_order() -> None:
    queue = JoinQueue(1, queue_target("desk"), {"reason": "a", "summary": "b"})
    instructions = (Speak("c"), queue, HangUp(), Screen(1, 2, "d"))
    assert texts_of(instructions) == ["c", "a", "b", "d"]
    assert with_texts(instructions, ["c", "a", "b", "d"]) == instructions
    assert texts_of(with_texts(instructions, list("1234"))) == list("1234")
