"""How to read and say a caller's number, or find out that it is withheld. No I/O.

A withheld number has many spellings: `Anonymous`, `RESTRICTED`, an empty text, or
`sip:anonymous@anonymous.invalid` (RFC 3323). It may also be the word typed on a telephone's keys
after a plus: `+266696687` is ANONYMOUS, and 7378742833 (or 7378742883) is RESTRICTED.
"""

from __future__ import annotations

import re

from hookflash.core.phrases import ENGLISH, Phrases, filled, spoken_digits

_TYPED_WORDS = ("anonymous", "blocked", "private", "restricted", "unavailable", "unknown")
_WORDS = frozenset({"", "hidden", "notavailable", "withheld", *_TYPED_WORDS})
_FILLERS = re.compile(r"\b(caller|id|name|no|number)\b")
"""Words beside such a word: `Private Number`, `No Caller ID`."""

_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
_TYPED = frozenset({"7378742883", *(word.translate(_KEYS) for word in _TYPED_WORDS)})
"""The words as digits, and RESTRICTED as some networks mistype it."""

_SCHEME = re.compile(r"(sips?|tel|client):", re.IGNORECASE)
_NUMBER = re.compile(r"\+?\d[\d ().-]{5,}\d")
_DIALLED = re.compile(r"\+\d{6,}|\d{7,}")


def is_withheld(caller: str) -> bool:
    """Return whether the caller withholds their number, so that `caller` is none."""
    user, host = _parts(caller)
    if host == "anonymous.invalid":
        return True
    words = _FILLERS.sub(" ", re.sub(r"[\W_]", " ", user.casefold()))
    word = "".join(words.split())
    return word in _WORDS or word in _TYPED


def spoken_caller(caller: str, phrases: Phrases = ENGLISH, language: str | None = None) -> str:
    """Return a caller as it is spoken: only the last digits of a number.

    `language` (ISO 639-1) says how the digits are said.
    """
    if is_withheld(caller):
        return phrases.caller
    user, _ = _parts(caller)
    number = re.sub(r"[ ().-]", "", user)
    if _DIALLED.fullmatch(number):
        return filled(phrases.caller_number, digits=spoken_digits(number[-4:], language))
    plain = "".join(c for c in user if c.isalnum() or c in " _.-").strip()
    return plain or phrases.caller


def masked(text: str) -> str:
    """Return `text` with all but the last two digits of every telephone number hidden."""
    return _NUMBER.sub(lambda match: "…" + re.sub(r"\D", "", match[0])[-2:], text)


def _parts(caller: str) -> tuple[str, str]:
    """Return (user or number, host) of an address: `"Anna" <sip:anna@example.com>`, or a text."""
    address = caller.strip()
    if address.endswith(">"):
        address = address.rpartition("<")[2].removesuffix(">")
    address = _SCHEME.sub("", address, count=1) if _SCHEME.match(address) else address
    user, _, host = address.partition("@")
    return user.partition(";")[0], re.split(r"[:;?]", host)[0].casefold()
