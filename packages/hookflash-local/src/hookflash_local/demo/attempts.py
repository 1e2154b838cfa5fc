"""The attempts to reach a human, step by step, read from a journal's lines. No I/O.

Each order to ring somebody is an attempt with a number of its own; what becomes of it (it rings, is
busy, somebody picks up, hears the whisper, presses a key) is a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_OUTCOMES = {
    "busy": "is busy",
    "no-answer": "does not answer",
    "failed": "cannot be reached",
    "canceled": "stops ringing",
    "machine": "is a mailbox",
}
_KEYS = {"1": "presses 1 and takes the call", "2": "presses 2 and declines"}


class Step(msgspec.Struct, frozen=True):
    """`at` is seconds since 1970; `text` says who does what."""

    at: float
    text: str


class Attempts:
    """Takes a journal's lines, decoded, in order."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        self._asked: tuple[int, int] | None = None
        self._over: set[int] = set()

    def feed(self, line: Mapping[str, Any]) -> list[Step]:
        """Return what the line adds."""
        event, command = line.get("event", {}), line.get("command", {})
        match event.get("type"), command.get("type"):
            case "LegChanged", _ if event.get("leg") is not None:
                texts = self._leg(event)
            case "HumanAsked", _:
                self._asked = (event["wave"], event["leg"])
                texts = self._human(event)
            case _, "RingHuman":
                number = self._number(command["wave"], command["leg"])
                texts = [f"human {number} is called, while the agent stays with the caller"]
            case _, "AnswerCarrier" if self._asked is not None:
                texts = self._answer(command)
            case _, "OpenConsult":
                number = self._number(command["wave"], command["leg"])
                texts = [f"the agent tells human {number} what it is about"]
            case _:
                texts = []
        return [Step(float(line["at"]), text) for text in texts]

    def _leg(self, event: Mapping[str, Any]) -> list[str]:
        number = self._number(event["step"], event["leg"])
        if event["status"] != "completed" or number in self._over:
            return []
        self._over.add(number)
        return [f"human {number} {_OUTCOMES.get(event.get('outcome') or '', 'has hung up')}"]

    def _human(self, event: Mapping[str, Any]) -> list[str]:
        number = self._number(event["wave"], event["leg"])
        if event["point"] == "answered":
            return [f"human {number} picks up"]
        digit = event.get("digit", "")
        if event["point"] == "pressed" and digit in _KEYS:
            if digit == "2":
                self._over.add(number)
            return [f"human {number} {_KEYS[digit]}"]
        if event["point"] == "left":
            return [f"human {number} presses * and is asked what becomes of the caller"]
        return []

    def _answer(self, command: Mapping[str, Any]) -> list[str]:
        assert self._asked is not None
        number = self._number(*self._asked)
        self._asked = None
        texts = [
            each["text"] for each in command["instructions"] if each["type"] in ("Screen", "Speak")
        ]
        return [f"human {number} hears: “{text}”" for text in texts]

    def _number(self, wave: int, leg: int) -> int:
        return self._numbers.setdefault((wave, leg), len(self._numbers) + 1)
