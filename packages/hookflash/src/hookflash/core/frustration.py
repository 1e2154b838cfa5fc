"""Frustration: signs that a caller needs a human, and their score.

    score = the points of the signs of the last minutes; at the threshold, a human is asked for

    asked for a human       in so many words, whatever the agent made of it              1.5
    complained              "this is ridiculous", "you don't understand"                 1.0
    said the same again     most words of a turn were in an earlier one                  1.0
    a tool failed           one after another; one that works forgives those before it   1.0
    talked over the agent   from the second time on                                      0.5

Old signs do not count. A request for a human, from anybody, clears all signs: a caller who comes
back from a hand-off begins at zero. No I/O: the policy of the runtime reports what happens.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from hookflash.core.frustration_words import phrases
from hookflash.errors import ConfigError

Sign = Literal["human", "complaint", "repeat", "failure", "barge-in"]

_POINTS: dict[Sign, float] = {
    "human": 1.5,
    "complaint": 1.0,
    "repeat": 1.0,
    "failure": 1.0,
    "barge-in": 0.5,
}
_FORGIVEN_BARGE_INS = 1
_TIMES = ("", "once", "twice", "three times", "four times", "five times", "six times")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth")
_ALIKE = 0.7
_LEAST_WORDS = 3
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")


class Frustration(msgspec.Struct, frozen=True):
    """A policy that brings in a human when a caller shows enough signs of frustration.

    Give it to the agent: `agent.policy(Frustration("support"))`. Signs have points: a request for a
    human 1.5; a complaint, a repeated turn or a failed tool 1.0; talking over the agent 0.5, from
    the second time. Raises `ConfigError` if a value is invalid.
    """

    destination: str
    """The key of one of the agent's hand-offs."""
    threshold: float = 3.0
    """How many points bring in a human; more than 0."""
    seconds: float = 180.0
    """How long a sign counts, in seconds; more than 0."""
    words: tuple[str, ...] = ()
    """More words by which your callers ask for a human, such as `("front desk",)`."""

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("seconds", self.seconds)):
            if not value > 0:
                raise ConfigError(f"Frustration: {name} must be more than 0, got {value}")
        if isinstance(self.words, str):
            raise ConfigError(f"Frustration: words is a tuple of words; write ({self.words!r},)")


class _Sign(msgspec.Struct, frozen=True):
    kind: Sign
    at: float
    word: str = ""


class FrustrationMeter:
    """The signs of one call. `language` is that of the agent, if it has one."""

    def __init__(self, policy: Frustration, language: str | None = None) -> None:
        self._policy = policy
        self._phrases = phrases(language, policy.words)
        self._signs: list[_Sign] = []
        self._turns: list[tuple[float, frozenset[str]]] = []

    def caller_said(self, text: str, now: float) -> None:
        """The caller has said something, complete."""
        word = self._phrases.human(text)
        if word is not None:
            self._add("human", now, word)
        if self._phrases.complains(text):
            self._add("complaint", now)
        words = frozenset(_WORD.findall(text.lower()))
        if len(words) >= _LEAST_WORDS:
            if any(_alike(words, earlier) for _, earlier in self._turns):
                self._add("repeat", now)
            self._turns.append((now, words))

    def tool_finished(self, failed: bool, now: float) -> None:
        """A tool has answered."""
        if failed:
            self._add("failure", now)
        else:
            self._signs = [sign for sign in self._signs if sign.kind != "failure"]

    def barged_in(self, now: float) -> None:
        """The caller has talked over the agent."""
        self._add("barge-in", now)

    def score(self, now: float) -> float:
        """Return the points of the signs of the last minutes."""
        self._forget_old(now)
        forgiven = min(self._count("barge-in"), _FORGIVEN_BARGE_INS) * _POINTS["barge-in"]
        return sum(_POINTS[sign.kind] for sign in self._signs) - forgiven

    def reasons(self, now: float) -> tuple[str, ...]:
        """Return the signs in words, those with most points first."""
        self._forget_old(now)
        found = []
        said = [sign.word for sign in self._signs if sign.kind == "human"]
        for word in dict.fromkeys(said):
            found.append(f"said '{word}' {_times(said.count(word))}")
        if complaints := self._count("complaint"):
            found.append(f"complained {_times(complaints)}")
        if repeats := self._count("repeat"):
            found.append(f"said the same thing {_times(repeats + 1)}")
        if failures := self._count("failure"):
            found.append(f"{_ordinal(failures)} failed lookup")
        barge_ins = self._count("barge-in")
        if barge_ins > _FORGIVEN_BARGE_INS:
            found.append(f"talked over the agent {_times(barge_ins)}")
        return tuple(found)

    def verdict(self, now: float) -> str | None:
        """Return why the caller needs a human, and clear all signs; None if they do not."""
        if self.score(now) < self._policy.threshold:
            return None
        reason = ", ".join(self.reasons(now))
        self.forget()
        return reason

    def forget(self) -> None:
        """Clear all signs: a human was asked for."""
        self._signs.clear()
        self._turns.clear()

    def _add(self, kind: Sign, now: float, word: str = "") -> None:
        self._forget_old(now)
        self._signs.append(_Sign(kind, now, word))

    def _count(self, kind: Sign) -> int:
        return sum(sign.kind == kind for sign in self._signs)

    def _forget_old(self, now: float) -> None:
        since = now - self._policy.seconds
        self._signs = [sign for sign in self._signs if sign.at > since]
        self._turns = [turn for turn in self._turns if turn[0] > since]


def _alike(words: frozenset[str], earlier: frozenset[str]) -> bool:
    """Say whether most words of the longer of two turns are in both."""
    return len(words & earlier) >= _ALIKE * max(len(words), len(earlier))


def _times(number: int) -> str:
    return _TIMES[number] if number < len(_TIMES) else f"{number} times"


def _ordinal(number: int) -> str:
    return _ORDINALS[number] if number < len(_ORDINALS) else f"{number}th"
