"""How often a request for a human is recognised, on the sentences of asks_for_a_human.toml."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hookflash.core.frustration import Frustration, FrustrationMeter
from hookflash.core.frustration_words import phrases

from .sentences import Sentence, figures, parts, read, row

SENTENCES, _ = read("asks_for_a_human.toml", "asks")
PARTS = parts(SENTENCES)
PAGE = Path(__file__).parents[2] / "docs/how-to/when-a-human-is-needed.md"
ENOUGH = 0.95


def asks(sentence: Sentence) -> bool:
    return bool(sentence.label)


def found(sentence: Sentence) -> bool:
    return phrases(sentence.language).human(sentence.text) is not None


def found_without_language(sentence: Sentence) -> bool:
    return phrases(None).human(sentence.text) is not None


def test_the_list_is_long_and_balanced() -> None:
    assert len({each.text for each in SENTENCES}) == len(SENTENCES) >= 60
    for language in ("en", "de", "fr", "es"):
        for which in ("tuned", "held-out"):
            chosen = [each for each in PARTS[language] if each.set == which]
            assert len(chosen) >= 12
            assert 0.35 <= sum(map(asks, chosen)) / len(chosen) <= 0.65


@pytest.mark.parametrize("classify", [found, found_without_language])
@pytest.mark.parametrize("part", sorted(PARTS))
def test_requests_for_a_human_are_found_and_nothing_else_is(
    part: str, classify: Callable[[Sentence], bool]
) -> None:
    measured = figures(PARTS[part], asks, classify)
    wrong = [each.text for each in PARTS[part] if asks(each) != classify(each)]
    assert measured.precision > ENOUGH, wrong
    assert measured.recall > ENOUGH, wrong


@pytest.mark.parametrize("part", ["tuned", "held-out"])
def test_the_documentation_gives_the_measured_figures(part: str) -> None:
    assert row(part, figures(PARTS[part], asks, found)) in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "I don't want to talk to a human, you are doing great",
        "My operator is Vodafone",
        "Are you a human?",
    ],
)
def test_who_does_not_ask_for_a_human_gets_no_points(text: str) -> None:
    meter = FrustrationMeter(Frustration("support"), "en")
    meter.caller_said(text, 0.0)
    assert meter.score(0.0) == 0.0
