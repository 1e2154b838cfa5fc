"""Lists of labelled sentences, and how often a classifier is right about them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent


class Sentence(NamedTuple):
    text: str
    language: str
    set: str
    label: Any


class Figures(NamedTuple):
    """Shares from 0 to 1. `precision`: of what was found, how much is to be found."""

    sentences: int
    precision: float
    recall: float


def read(name: str, label: str) -> tuple[list[Sentence], dict[str, Any]]:
    """Return the sentences of a list, with the value of `label`, and the whole document."""
    document = tomllib.loads((HERE / name).read_text(encoding="utf-8"))
    sentences = [
        Sentence(text, group["language"], group["set"], group[label])
        for group in document["group"]
        for text in group["texts"]
    ]
    return sentences, document


def figures(
    sentences: Iterable[Sentence],
    expected: Callable[[Sentence], bool],
    found: Callable[[Sentence], bool],
) -> Figures:
    pairs = [(expected(each), found(each)) for each in sentences]
    right = pairs.count((True, True))
    return Figures(
        sentences=len(pairs),
        precision=right / (right + pairs.count((False, True))),
        recall=right / (right + pairs.count((True, False))),
    )


def parts(sentences: list[Sentence]) -> dict[str, list[Sentence]]:
    """Return what is measured: all sentences, each set, and each language."""
    chosen = {"all": sentences}
    for each in sentences:
        chosen.setdefault(each.set, []).append(each)
        chosen.setdefault(each.language, []).append(each)
    return chosen


def row(part: str, measured: Figures) -> str:
    """Return the figures as a row of a table in the documentation."""
    return (
        f"| {part} | {measured.sentences} | {measured.precision:.1%} | {measured.recall:.1%} |"
    ).replace("%", " %")
