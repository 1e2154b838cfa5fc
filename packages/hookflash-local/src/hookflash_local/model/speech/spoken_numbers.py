"""Read numbers from what a caller said: words, figures and dictated digits. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_UNITS: Final = {
    word: number
    for number, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
        " fifteen sixteen seventeen eighteen nineteen".split()
    )
} | {"oh": 0, "o": 0, "nought": 0, "naught": 0}
_TENS: Final = {
    word: 20 + 10 * number
    for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())
}
_TIMES: Final = {"double": 2, "triple": 3, "treble": 3}
_OH: Final = ("oh", "o")
_SOUNDS_LIKE: Final = {
    "to": "two",
    "too": "two",
    "tube": "two",
    "for": "four",
    "fore": "four",
    "ate": "eight",
    "won": "one",
    "of": "oh",
    "owe": "oh",
    "purple": "triple",
    "trouble": "double",
}
_NUMBER_WORDS: Final = re.compile(r"[a-z]+|\d+|[.?!;]")


def is_number(word: str) -> bool:
    """Return whether a lower-case `word` is a number word below a hundred, or figures."""
    return word in _UNITS or word in _TENS or word.isdigit()


def figures(text: str) -> list[str]:
    """Return the numbers in `text` as figures, whether said as words or written.

    Consecutive numbers are one: "four five seven one", "forty-five seventy-one", "4, 5, 7, 1" and
    "45 71" are all `4571`, "double four" is `44`, "one hundred and five" is `105`.
    """
    found: list[str] = []
    run = ""
    words = _NUMBER_WORDS.findall(text.lower())
    position = 0
    while position < len(words):
        value, used = _number(words, position, inside=bool(run))
        if used:
            run += value
            position += used
            continue
        if run:
            found.append(run)
            run = ""
        position += 1
    return [*found, run] if run else found


def dictated(text: str) -> list[str]:
    """Return the numbers in `text`, the answer to a question for a number.

    Speech-to-text may write words for dictated digits: "one tube double four" is `1244`. A word
    that sounds like a digit counts as one between two digits or at the end. A full stop between
    two digits is ignored.
    """
    words = _NUMBER_WORDS.findall(text.lower())
    meant = []
    for at, word in enumerate(words):
        inside = _is_number(words, at - 1) and _is_number(words, at + 1)
        if word == "." and inside:
            # A full stop between two digits is a pause and not the end of a sentence.
            continue
        last = at + 1 == len(words) and _is_number(words, at - 1)
        meant.append(_SOUNDS_LIKE.get(word, word) if inside or last else word)
    return figures(" ".join(meant))


def _is_number(words: Sequence[str], at: int) -> bool:
    word = words[at] if 0 <= at < len(words) else ""
    return word in _UNITS or word in _TENS or word in _TIMES or word.isdigit()


def leading_figures(text: str) -> str:
    """Return the number at the start of `text` as figures, or an empty text."""
    words = _NUMBER_WORDS.findall(text.lower())
    run, position = "", 0
    while position < len(words):
        # As if within a number, because "oh four" may follow a letter.
        value, used = _number(words, position, inside=True)
        if not used:
            break
        run += value
        position += used
    return run


def _number(words: Sequence[str], at: int, *, inside: bool) -> tuple[str, int]:
    """Return the figures of the number at index `at`, and the number of words read (0: none)."""
    word = words[at]
    if word.isdigit():
        return word, 1
    if word in _TIMES:
        following = words[at + 1] if at + 1 < len(words) else ""
        digits = str(_UNITS[following]) if following in _UNITS else following
        # In "double 409" only the four is doubled.
        return (digits[0] * (_TIMES[word] - 1) + digits, 2) if digits.isdigit() else ("", 0)
    if word in _OH and not inside and not _digit_follows(words, at):
        return "", 0
    if word not in _UNITS and word not in _TENS:
        return "", 0
    value, used = _below_thousand(words, at)
    if words[at + used : at + used + 1] == ["thousand"] and value:
        value, used = value * 1000, used + 1
        skip = 1 if words[at + used : at + used + 1] == ["and"] else 0
        rest, more = _below_thousand(words, at + used + skip)
        if more:
            value, used = value + rest, used + skip + more
    return str(value), used


def _digit_follows(words: Sequence[str], at: int) -> bool:
    following = words[at + 1] if at + 1 < len(words) else ""
    return following.isdigit() or following in _UNITS or following in _TENS


def _below_thousand(words: Sequence[str], at: int) -> tuple[int, int]:
    value, used = _below_hundred(words, at)
    if words[at + used : at + used + 1] == ["hundred"] and 0 < value < 10:
        value, used = value * 100, used + 1
        skip = 1 if words[at + used : at + used + 1] == ["and"] else 0
        rest, more = _below_hundred(words, at + used + skip)
        if more:
            value, used = value + rest, used + skip + more
    return value, used


def _below_hundred(words: Sequence[str], at: int) -> tuple[int, int]:
    word = words[at] if at < len(words) else ""
    if word in _TENS:
        unit = _UNITS.get(words[at + 1], 0) if at + 1 < len(words) else 0
        return (_TENS[word] + unit, 2) if 0 < unit < 10 else (_TENS[word], 1)
    return (_UNITS[word], 1) if word in _UNITS else (0, 0)
