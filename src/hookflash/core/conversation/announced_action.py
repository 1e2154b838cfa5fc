"""The say-do guard: an agent that says it transfers has to do it.

    QUIET --says it--> OWED --calls the tool--> QUIET
                        |
                        +-- the response ends without the call --> it is asked for the call, once

Only a plain announcement counts ("I am connecting you", "let me transfer you"), not an offer, a
question or a condition.
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"[^.!?;\n]*[.!?;\n]?")
_ANNOUNCES = re.compile(
    r"\b(i am|i'm|i will|i'll|let me|we are|we're|going to|now)\b[^.!?;]*"
    r"\b(connect(ing)?|transfer(ring)?|put(ting)?|pass(ing)?|forward(ing)?)\b[^.!?;]*"
    r"\b(you|the call|your call)\b"
    r"|\bich (verbinde|stelle|leite)\b[^.!?;]*\b(sie|durch|weiter)\b"
    r"|\bje vous (mets en relation|transf\u00e8re|passe)\b"
    r"|\b(le|lo|la) (comunico|transfiero|paso)\b",
    re.IGNORECASE,
)
_ONLY_OFFERS = re.compile(
    r"\?$|\b(can|could|would|should|may|might|if|shall|unless|cannot|can't|not|unable|tried)\b",
    re.IGNORECASE,
)


def announces(text: str) -> bool:
    """Return whether `text` says that the caller is being connected with somebody."""
    return any(
        _ANNOUNCES.search(sentence) and not _ONLY_OFFERS.search(sentence.strip())
        for sentence in _SENTENCE.findall(text.replace("\u2019", "'"))
    )


class AnnouncedAction:
    """What the running response has said and done, as far as transfers go."""

    def __init__(self) -> None:
        self._text = ""
        self._done = False
        self._asked = False

    def response_started(self) -> None:
        self._text = ""
        self._done = False

    def said(self, text: str) -> None:
        self._text += text

    def did(self) -> None:
        """The response called a tool."""
        self._done = True
        self._asked = False

    def owed(self) -> bool:
        """The response has ended. Return whether the agent is to be asked for the call it owes.

        It is asked once: a model that will not do it is not asked in a circle.
        """
        if self._done or self._asked or not announces(self._text):
            self._asked = False
            return False
        self._asked = True
        return True
