"""Calls of an agent that speaks German: nobody hears a sentence of ours in English."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import msgspec
import pytest

from hookflash.agents.prepared_lines import TEXTS
from hookflash.core.phrases import PHRASES

from .plan import Plan, directed, draw
from .play import SPEECH_SEEDS, play

CARRIERS_OWN = "We are sorry, an application error has occurred. Goodbye."
"""What Twilio says by itself where it gets no answer at all: nobody can set it."""

_WORDS = re.compile(
    r"\b(the|you|your|please|thank|thanks|goodbye|sorry|nobody|press|who|with|this|they|call|later"
    r"|hello|what|we|of|to|are|is|and|number|hold|wait|message)\b",
    re.IGNORECASE,
)
"""Words of English that German does not have."""


def _plans() -> list[Plan]:
    """Return plans of all kinds: queues, prepared speech, messages, each manner, and faults."""
    kinds: list[tuple[int, Callable[[Plan], bool]]] = [
        (3, lambda plan: plan.to == "queue"),
        (4, lambda plan: plan.seed % SPEECH_SEEDS == 0),
        (3, lambda plan: plan.otherwise == "voicemail"),
        (3, lambda plan: plan.otherwise == "hang-up"),
        (3, lambda plan: plan.manner == "warm" and plan.order == "ring"),
        (2, lambda plan: plan.manner == "consult"),
    ]
    picked: dict[int, Plan] = {}
    for many, kind in kinds:
        found = (plan for plan in map(draw, itertools.count(100)) if kind(plan))
        picked |= {plan.seed: plan for plan in itertools.islice(found, many)}
    short = directed(1)
    picked |= {plan.seed: plan for plan in short[:: len(short) // 8]}
    return [msgspec.structs.replace(plan, language="de") for plan in picked.values()]


def _pieces() -> list[str]:
    """Return what is fixed in the English sentences, between the fields that are filled in."""
    texts = [getattr(PHRASES["en"], name) for name in PHRASES["en"].__struct_fields__]
    texts += [text for variants in TEXTS["en"].values() for text in variants]
    pieces = {piece.strip(" .:,") for text in texts for piece in re.split(r"{\w+}", text)}
    return sorted(piece for piece in pieces if len(piece) > 5)


def test_no_sentence_of_ours_is_english_in_a_german_call() -> None:
    said: set[str] = set()
    asked: set[str] = set()
    for plan in _plans():
        played = play(plan)
        said |= {text for text in played.said if text != CARRIERS_OWN}
        asked |= set(played.asked)
    heard = " ".join(said)
    phrases = PHRASES["de"]
    for expected in (
        "Ein Anruf für",
        phrases.accept_prompt,
        phrases.next_in_queue,
        phrases.voicemail_prompt,
        phrases.sorry,
        phrases.on_hold,
    ):
        assert expected in heard, "the plans are chosen so that it is said"
    assert any(text in heard for text in TEXTS["de"]["filler"])
    found = [(piece, text) for text in said | asked for piece in _pieces() if piece in text]
    assert found == []
    # What the model, the caller and the humans say is English here, and is quoted in a whisper.
    ours = [text for text in said if not text.startswith("Ein Anruf für")]
    assert [text for text in ours if _WORDS.search(text)] == []
    # The prompts are for the model, and none quotes a sentence that it should say in English.
    assert [text for text in asked if "for example" in text] == []
    # A supervisor's words are said as they are.
    prompts = [text for text in asked if not text.startswith("A supervisor")]
    quoted = [quote for text in prompts for quote in re.findall(r'"([^"]*)"', text)]
    assert [quote for quote in quoted if _WORDS.search(quote)] == []


@pytest.mark.parametrize("text", ["You are next. Please hold the line.", "One moment, please."])
def test_the_check_would_see_an_english_sentence(text: str) -> None:
    assert any(piece in text for piece in _pieces())
    assert _WORDS.search(text)
