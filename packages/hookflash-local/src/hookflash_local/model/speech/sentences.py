"""Split text into sentences, also while it is still being generated. No I/O."""

from __future__ import annotations

import re
from typing import Final

_ABBREVIATIONS: Final = frozenset(
    "mr mrs ms dr prof st sr jr no nr tel ext dept inc ltd co corp vs etc approx min max fig"
    " e.g i.e a.m p.m u.s u.k jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu"
    " fri sat sun".split()
)

_END = re.compile(r"[.!?…]+[\"')\]]*(?=\s)|\n+")

_OPENING_LIMIT = 60
"""Characters: a longer sentence is split after its first clause, so that speech begins sooner."""

_LEAST_OPENING = 12

_CLAUSE = re.compile(r"[,;:](?=\s)")


def sentences(text: str) -> list[str]:
    """Split `text` into sentences; abbreviations and decimals do not end one."""
    found, rest = complete_sentences(text)
    return [*found, rest.strip()] if rest.strip() else found


def complete_sentences(text: str) -> tuple[list[str], str]:
    """Return the complete sentences of a growing `text`, and the rest.

    A sentence is complete when a space or line break follows, so growing text is never split
    within `3.5` or `e.g.`.
    """
    found = []
    start = 0
    for match in _END.finditer(text):
        if _ends_here(text[start : match.end()]):
            sentence = text[start : match.end()].strip()
            if sentence:
                found.append(sentence)
            start = match.end()
    return found, text[start:]


def _ends_here(sentence: str) -> bool:
    if sentence.endswith("\n"):
        return True
    words = sentence.split()
    last = words[-1].lower().rstrip("\"')]") if words else ""
    if not last.endswith(".") or last.endswith(".."):
        return True
    # `1.` begins a numbered line and `J.` is an initial: neither ends the sentence.
    if re.fullmatch(r"(\d{1,2}|[a-z])\.", last):
        return len(words) > 1 and last[0].isdigit()
    return last.rstrip(".") not in _ABBREVIATIONS


def opening(sentence: str) -> list[str]:
    """Split a long `sentence` after its first clause, so that speech begins sooner."""
    if len(sentence) <= _OPENING_LIMIT:
        return [sentence]
    for match in _CLAUSE.finditer(sentence):
        if _LEAST_OPENING <= match.end() <= len(sentence) - _LEAST_OPENING:
            return [sentence[: match.end()], sentence[match.end() :].strip()]
    return [sentence]
