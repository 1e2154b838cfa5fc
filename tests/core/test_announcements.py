"""How often the say-do guard is right, on the sentences of announcements.toml."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hookflash.core.conversation.announced_action import announcement

from .sentences import Sentence, figures, parts, read, row

SENTENCES, DOCUMENT = read("announcements.toml", "label")
DESTINATIONS = DOCUMENT["destinations"]
PARTS = parts(SENTENCES)
PAGE = Path(__file__).parents[2] / "docs/how-to/when-a-human-is-needed.md"
ENOUGH = 0.95


def verdict(sentence: Sentence) -> str:
    return announcement(sentence.text, DESTINATIONS) or "nothing"


def announces(sentence: Sentence) -> bool:
    return sentence.label != "nothing"  # type: ignore[no-any-return]


def found(sentence: Sentence) -> bool:
    return verdict(sentence) != "nothing"


def test_the_list_is_long_and_balanced() -> None:
    assert {each.label for each in SENTENCES} == {"transfer", "unclear", "nothing"}
    assert len({each.text for each in SENTENCES}) == len(SENTENCES), "no sentence counts twice"
    for language in ("en", "de", "fr", "es"):
        for which in ("tuned", "held-out"):
            chosen = [each for each in PARTS[language] if each.set == which]
            assert len(chosen) >= 20
            assert 0.4 <= sum(map(announces, chosen)) / len(chosen) <= 0.6


@pytest.mark.parametrize("part", sorted(PARTS))
def test_announcements_are_found_and_nothing_else_is(part: str) -> None:
    measured = figures(PARTS[part], announces, found)
    wrong = [each.text for each in PARTS[part] if announces(each) != found(each)]
    assert measured.precision > ENOUGH, wrong
    assert measured.recall > ENOUGH, wrong


@pytest.mark.parametrize("part", sorted(PARTS))
def test_who_names_a_human_is_told_from_who_does_not(part: str) -> None:
    announced = [each for each in PARTS[part] if announces(each) and found(each)]
    wrong = [each.text for each in announced if verdict(each) != each.label]
    assert 1 - len(wrong) / len(announced) > ENOUGH, wrong
    assert Counter(map(verdict, announced)).keys() == {"transfer", "unclear"}


@pytest.mark.parametrize("part", ["tuned", "held-out"])
def test_the_documentation_gives_the_measured_figures(part: str) -> None:
    assert row(part, figures(PARTS[part], announces, found)) in PAGE.read_text(encoding="utf-8")
