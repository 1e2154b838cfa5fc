"""Words as the receptionist compares them: stems, synonyms, likeness, spoken numbers. No I/O.

Speech-to-text errs, so nothing here asks for equal letters: a word counts as far as its stem, one
of its synonyms or most of its letters agree with another's.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")

STOP_WORDS: Final = frozenset(
    """a an the this that these those there here it its it's i i'm i'd i've i'll me my mine we we're
    we'd our us you you're your yours u he she they them their his her is are am was were be been
    being do does did doing done have has had having can can't could couldn't would wouldn't will
    won't shall should may might must to of in on at for from by with about into out up down off
    over and or but if so then than as not no n't don't what what's which who who's whom when how
    why please thanks thank hello hi hey good morning evening okay ok well um uh er hmm oh yes yeah
    just really very also again now right some any all more most one's got get let let's say tell
    told ask asks asking says said back know like want wants wanted need needs wondering wonder
    give gave go going come calling see look think guess mean sure maybe there's that's caller
    callers customer's him
    currently today's possible able still next only every each use using set new""".split()
)

_GROUPS: Final = tuple(
    frozenset(group.split())
    for group in (
        "open opening hours hour time close closed closing schedule business",
        "price cost fee charge rate much expensive cheap pricing",
        "address location located where place directions street situated find office",
        "phone telephone",
        "order parcel package delivery shipment purchase deliver ship shipping arrive track item",
        "refund reimburse reimbursement money",
        "invoice bill billing payment charge charged pay paying account overcharged",
        "appointment booking book reservation reserve schedule visit table",
        "cancel cancellation terminate",
        "subscription plan contract membership",
        "broken defective damaged faulty repair fix mend",
        "problem issue fault trouble wrong dispute",
        "bike bicycle cycle",
        "rent rental hire",
        "help support assistance service care assist technical",
        "buy sales sell purchase quote offer order",
        "doctor dentist physician",
        "park parking car",
        "email mail e-mail",
        "website web online internet site",
        "emergency urgent urgently immediately emergencies",
        "complain complaint unhappy dissatisfied angry",
        "weekend saturday",
        "weekend sunday",
        "message note",
        "name called",
        "status state progress",
    )
)

_DAYS: Final = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight weekday"
    " weekend morning afternoon evening day date week month".split()
)

_SYNONYM = 0.85
_SAME_KIND = 0.5
_LIKE_LETTERS = 0.6
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


def tokens(text: str) -> list[str]:
    """Return the words of `text` in lower case; numbers are words, punctuation is dropped."""
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def normalised(text: str) -> str:
    """Return the words of `text` joined by single spaces, for patterns to match on."""
    return " ".join(tokens(text))


def name_words(name: str) -> list[str]:
    """Return the words of an identifier: `look_up_order`, `orderNumber` and `zip-code` alike."""
    return tokens(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]", " ", name))


def content(text: str) -> list[str]:
    """Return the words that carry the meaning, each once, in order, without numbers."""
    return list(dict.fromkeys(word for word in tokens(text) if _has_meaning(word)))


def _has_meaning(word: str) -> bool:
    return not (word in STOP_WORDS or word in _UNITS or word in _TENS or word.isdigit())


@cache
def stem(word: str) -> str:
    """Return `word` without the endings of number, tense and possession. Light, never perfect."""
    word = word.split("'")[0]
    for ending, put, least in (
        ("ies", "y", 5),
        ("sses", "ss", 5),
        ("ches", "ch", 5),
        ("shes", "sh", 5),
        ("xes", "x", 4),
        ("s", "", 4),
        ("ing", "", 6),
        ("ed", "", 5),
    ):
        if word.endswith(ending) and len(word) >= least and not word.endswith(("ss", "us", "is")):
            word = word[: len(word) - len(ending)] + put
            if ending in ("ing", "ed") and len(word) > 3 and word[-1] == word[-2]:
                word = word if word[-1] in "lsz" else word[:-1]
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


_STEMMED_GROUPS = tuple(frozenset(map(stem, group)) for group in _GROUPS)
_STEMMED_DAYS = frozenset(map(stem, _DAYS))


@cache
def likeness(one: str, other: str) -> float:
    """Return how far two words mean the same: 1 for one stem, 0 for nothing in common."""
    one, other = stem(one), stem(other)
    if one == other:
        return 1.0
    if any(one in group and other in group for group in _STEMMED_GROUPS):
        return _SYNONYM
    if one in _STEMMED_DAYS and other in _STEMMED_DAYS:
        return _SAME_KIND
    if min(len(one), len(other)) < 4:
        return 0.0
    shared = Counter(_pairs(one)) & Counter(_pairs(other))
    dice = 2 * shared.total() / (len(one) + len(other) + 2)
    return dice if dice >= _LIKE_LETTERS else 0.0


def _pairs(word: str) -> list[str]:
    padded = f"^{word}$"
    return [padded[start : start + 2] for start in range(len(padded) - 1)]


class Weights:
    """How much each word tells, learned from the texts it is to choose among (as in TF-IDF)."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        counted: Counter[str] = Counter()
        self._texts = 0
        for text in texts:
            self._texts += 1
            counted.update({stem(word) for word in text})
        self._counted = counted

    def of(self, word: str) -> float:
        """A word in every text tells little; a word in none tells that the text is foreign."""
        return math.log(2 + self._texts / (1 + self._counted[stem(word)]))

    def coverage(self, asked: Sequence[str], text: Sequence[str]) -> float:
        """Return how much of what `asked` says is in `text`, from 0 to 1."""
        whole = sum(self.of(word) for word in asked)
        if not whole:
            return 0.0
        return sum(self.of(word) * best(word, text) for word in asked) / whole


def best(word: str, text: Sequence[str]) -> float:
    """Return how well `word` is represented in `text`, from 0 to 1."""
    return max((likeness(word, other) for other in text), default=0.0)


def figures(text: str) -> list[str]:
    """Return the numbers in `text` as figures, whether they were said as words or written.

    What is said in a row is one number: "four five seven one", "forty-five seventy-one",
    "4, 5, 7, 1" and "45 71" are all `4571`, "double four" is `44`, "one hundred and five" `105`.
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
    """Return the numbers in `text` where one was asked for.

    Speech-to-text writes words where digits were dictated: "one tube double four" is `1244`. What
    sounds like a digit is one between two others or at the end, and a full stop there is none.
    """
    words = _NUMBER_WORDS.findall(text.lower())
    meant = []
    for at, word in enumerate(words):
        inside = _is_number(words, at - 1) and _is_number(words, at + 1)
        if word == "." and inside:
            # A pause between two digits is no end of a sentence.
            continue
        last = at + 1 == len(words) and _is_number(words, at - 1)
        meant.append(_SOUNDS_LIKE.get(word, word) if inside or last else word)
    return figures(" ".join(meant))


def _is_number(words: Sequence[str], at: int) -> bool:
    word = words[at] if 0 <= at < len(words) else ""
    return word in _UNITS or word in _TENS or word in _TIMES or word.isdigit()


def leading_figures(text: str) -> str:
    """Return the number that `text` begins with, as figures, or an empty text."""
    words = _NUMBER_WORDS.findall(text.lower())
    run, position = "", 0
    while position < len(words):
        # As if inside a number, since "oh four" may well follow a letter.
        value, used = _number(words, position, inside=True)
        if not used:
            break
        run += value
        position += used
    return run


def _number(words: Sequence[str], at: int, *, inside: bool) -> tuple[str, int]:
    """Read one spoken number at a place: its figures and how many words they took (0: none)."""
    word = words[at]
    if word.isdigit():
        return word, 1
    if word in _TIMES:
        following = words[at + 1] if at + 1 < len(words) else ""
        digits = str(_UNITS[following]) if following in _UNITS else following
        # Of "double 409" only the four was said twice.
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
