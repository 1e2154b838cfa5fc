"""Prepare texts for a TwiML document: remove invalid characters and shorten them to fit. No I/O.

A document over REST may have 4,000 characters, and a model's summary has no fixed length. So spoken
texts are shortened at a word until the document fits. Hearing most of a summary is better than a
phone that never rings.
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
"""The most that a character costs: as an XML reference (`&#233;`), or escaped in a task's JSON."""


def clean(text: str) -> str:
    """Return `text` with a space for each character that is invalid in XML."""
    return _NOT_XML.sub(" ", text)


def shortened(text: str, cost: int) -> str:
    """Return as much of `text` as costs at most `cost` characters of a document.

    It ends with a whole word and an ellipsis, or is empty if no word fits.
    """
    if cost_of(text) <= cost:
        return text
    left = cost - _cost(ELLIPSIS) - _cost(text[0])
    end = 0
    while left >= 0:
        end += 1
        left -= _cost(text[end])
    short = text[:end].rstrip()
    if len(short) == end and not text[end].isspace():
        # Within a word: go back to the end of the one before. Text without spaces, and a single
        # word that is too long, are cut here.
        short = (short.rpartition(" ")[0] or short).rstrip()
    short = short.rstrip(" ,;:-(")
    return short + ELLIPSIS if short else ""


def cost_of(text: str) -> int:
    """Return the most characters that `text` takes in a document, including escapes."""
    return sum(map(_cost, text))


def texts_of(instructions: Sequence[Instruction]) -> list[str]:
    """Return all texts of variable length in `instructions`, in order."""
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
    """Return `instructions` with `texts` in place of those from `texts_of`."""
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
    """Return each text's share of `budget`: short texts get all they need, long ones share the
    rest."""
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
