"""Texts on their way into a document: cleaned of what XML cannot hold, and made to fit. No I/O.

Over REST a document may have 4,000 characters, and a summary that a model wrote has no length that
one could rely on. So what is said is shortened, at the end of a word, until the document fits: a
human who hears most of a summary is better off than one whose telephone never rings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hookflash.core.commands import (
    Hold,
    Instruction,
    JoinQueue,
    KeepInQueue,
    Screen,
    Speak,
    TakeVoicemail,
)

ELLIPSIS = "…"

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPOKEN = Hold | KeepInQueue | Screen | Speak | TakeVoicemail
_COSTS = {"&": 5, "<": 4, ">": 4, '"': 2, "\\": 2, "\n": 2, "\r": 2, "\t": 2}
_CONTROL_COST, _PLANE_COST, _ASTRAL_COST = 6, 8, 12
"""What a character costs at most: as XML's reference (`&#233;`), or escaped in a task's JSON."""


def clean(text: str) -> str:
    """Return `text` with a space for each character that no XML document may hold."""
    return _NOT_XML.sub(" ", text)


def shortened(text: str, cost: int) -> str:
    """Return as much of `text` as costs at most `cost` characters of a document.

    It ends with a whole word and an ellipsis, or is empty where there is no room for a word.
    """
    if cost_of(text) <= cost:
        return text
    left = cost - _cost(ELLIPSIS) - _cost(text[0])
    end = 0
    while left >= 0:
        end += 1
        left -= _cost(text[end])
    kept = text[:end].rstrip()
    if len(kept) == end and not text[end].isspace():
        # In the middle of a word: back to the end of the one before. Writing without spaces, and
        # a single word that is too long, are cut where they are.
        kept = (kept.rpartition(" ")[0] or kept).rstrip()
    kept = kept.rstrip(" ,;:-(")
    return kept + ELLIPSIS if kept else ""


def cost_of(text: str) -> int:
    """Return the most characters that `text` takes in a document, escaped as it must be."""
    return sum(map(_cost, text))


def texts_of(instructions: Sequence[Instruction]) -> list[str]:
    """Return every text of free length in `instructions`, in order."""
    found: list[str] = []
    for instruction in instructions:
        if isinstance(instruction, _SPOKEN):
            found.append(instruction.text)
        elif isinstance(instruction, JoinQueue):
            found += instruction.attributes.values()
    return found


def with_texts(
    instructions: Sequence[Instruction], texts: Sequence[str]
) -> tuple[Instruction, ...]:
    """Return `instructions` with `texts` in place of those that `texts_of` gave."""
    left = iter(texts)
    changed: list[Instruction] = []
    for instruction in instructions:
        if isinstance(instruction, _SPOKEN):
            changed.append(msgspec.structs.replace(instruction, text=next(left)))
        elif isinstance(instruction, JoinQueue):
            attributes = {name: next(left) for name in instruction.attributes}
            changed.append(msgspec.structs.replace(instruction, attributes=attributes))
        else:
            changed.append(instruction)
    return tuple(changed)


def share(costs: Sequence[int], budget: int) -> list[int]:
    """Return how much of `budget` each may cost: what is short stays whole, the long share."""
    shares = [0] * len(costs)
    order = sorted(range(len(costs)), key=lambda number: costs[number])
    for place, number in enumerate(order):
        shares[number] = min(costs[number], budget // (len(costs) - place))
        budget -= shares[number]
    return shares


def _cost(character: str) -> int:
    if character in _COSTS:
        return _COSTS[character]
    if character < " ":
        return _CONTROL_COST
    if character <= "~":
        return 1
    return _PLANE_COST if character <= "\uffff" else _ASTRAL_COST
