"""Compare words by stem, synonym and spelling. No I/O.

Speech-to-text makes errors, so words need not be equal. A word matches another as far as its stem,
a synonym or most of its letters agree.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from hookflash_local.model.speech.spoken_numbers import is_number

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
        "human person people somebody someone anybody anyone operator representative agent staff"
        " colleague employee",
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
    """Return the content words of `text`, each once, in order, without numbers."""
    return list(dict.fromkeys(word for word in tokens(text) if _has_meaning(word)))


def _has_meaning(word: str) -> bool:
    return not (word in STOP_WORDS or is_number(word))


@cache
def stem(word: str) -> str:
    """Return `word` without the endings of plural, tense and possession. A simple heuristic."""
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
    """Return how similar two words are: 1 for the same stem, 0 for nothing in common."""
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


ENOUGH: Final = 0.42
"""The least coverage of a question (0 to 1) for a fact or a tool to answer it."""

WANTED: Final = 0.5
"""The least score (0 to 1) for a tool, or a transfer's occasion, to be what the caller wants."""


class TermWeights:
    """The weight of each word by its rarity in the given texts (inverse document frequency)."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        counted: Counter[str] = Counter()
        self._texts = 0
        for text in texts:
            self._texts += 1
            counted.update({stem(word) for word in text})
        self._counted = counted

    def of(self, word: str) -> float:
        """Return a word's weight: low if it is in every text, highest if it is in none."""
        return math.log(2 + self._texts / (1 + self._counted[stem(word)]))

    def coverage(self, asked: Sequence[str], text: Sequence[str]) -> float:
        """Return the weighted share of the words `asked` that are in `text`, from 0 to 1."""
        whole = sum(self.of(word) for word in asked)
        if not whole:
            return 0.0
        return sum(self.of(word) * best_likeness(word, text) for word in asked) / whole


def best_likeness(word: str, text: Sequence[str]) -> float:
    """Return the highest likeness of `word` to a word of `text`, from 0 to 1."""
    return max((likeness(word, other) for other in text), default=0.0)
