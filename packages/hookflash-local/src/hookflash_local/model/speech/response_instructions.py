"""Find what a response's own instructions tell the receptionist to say. No I/O.

A language model would follow them in its own words. The receptionist says the sentence that the
instructions quote. Otherwise it follows a plain order such as "Tell the caller that ..." or "Ask
the caller whether ...". Other instructions are ignored.
"""

from __future__ import annotations

import re

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)+)"')
_TO_THE_END = re.compile(r':\s*"(.+)"\s*[.]?\s*$', re.DOTALL)
_TELL = re.compile(
    r"\b(?:tell|inform|let|remind) (?:the caller|the customer|them|him|her)(?: know)?"
    r"(?: that)? (.+)"
    r"|\b(?:say|explain|mention) that (.+)",
    re.IGNORECASE,
)
_ASK_WHETHER = re.compile(
    r"\bask (?:the caller|the customer|them|him|her)? ?(?:whether|if) (.+)", re.IGNORECASE
)
_ASK_WHAT = re.compile(
    r"\bask (?:(?:the caller|the customer|them|him|her) )?((?:what|who|where|when|how|which|why)"
    r" .+|for .+)",
    re.IGNORECASE,
)
_YOUR = (
    (r"\b(?:the caller is|the customer is|they are|they're)\b", "you are"),
    (r"\b(?:the caller's|the customer's|their)\b", "your"),
    (r"\b(?:the caller|the customer|they|them)\b", "you"),
)


def quoted_sentence(instructions: str) -> str | None:
    """Return the sentence that `instructions` quote in straight double quotes, or None.

    After a colon it ends at the last quote, so it may contain quotes. Elsewhere it is the first
    pair. A backslash before a quote (as in JSON) is removed.
    """
    match = _TO_THE_END.search(instructions) or _QUOTED.search(instructions)
    if match is None:
        return None
    return re.sub(r'\\(["\\])', r"\1", match[1]).strip() or None


def described_sentence(instructions: str) -> str | None:
    """Return the sentence that a plain order describes, or None."""
    first = re.split(r"(?<=[.!?])\s", instructions.strip(), maxsplit=1)[0].rstrip(".!? ")
    if match := _ASK_WHETHER.search(first):
        return f"May I ask whether {_addressed(match[1])}?"
    if match := _ASK_WHAT.search(first):
        what = _addressed(match[1])
        what = what.removeprefix("for ") if what.startswith("for ") else what
        return f"Could you please tell me {what}?"
    if match := _TELL.search(first):
        sentence = _addressed(match[1] or match[2])
        return f"{sentence[0].upper()}{sentence[1:]}."
    return None


def _addressed(text: str) -> str:
    for pattern, put in _YOUR:
        text = re.sub(pattern, put, text, flags=re.IGNORECASE)
    return text.strip()
