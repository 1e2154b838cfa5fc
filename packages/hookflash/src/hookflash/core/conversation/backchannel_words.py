"""Backchannels: words such as "mm-hm" that only show that the caller listens."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")

_BACKCHANNEL = frozenset(
    # English
    "ah aha alright good great hm hmm huh mhm mm mmhm mmm oh ok okay right sure uh uhuh um yeah yep"
    " yes yup hum mh uhhuh mmhmm mhmm"
    # German
    " ach aha gut genau ja jaja klar mhm nun schoen sch\u00f6n so soso verstehe"
    # French
    " bien bon ben d accord euh hein oui ouais voil\u00e0"
    # Spanish
    " aj\u00e1 bueno claro eh est\u00e1 s\u00ed vale ya"
    # Italian, Portuguese, Dutch
    " certo s\u00ec va bene isso sim t\u00e1 ja goed oke ok\u00e9".split()
)


def words(text: str) -> list[str]:
    """Return the words of a turn in lower case, without punctuation."""
    return _WORD.findall(text.lower().replace("-", ""))


def is_backchannel(text: str) -> bool:
    """Return whether a turn consists of backchannels only, or is empty."""
    return all(word in _BACKCHANNEL for word in words(text))
