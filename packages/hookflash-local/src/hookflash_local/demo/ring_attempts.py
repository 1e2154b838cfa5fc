"""Describe the attempts to reach a human, from the lines of a journal. No I/O.

Each `RingHuman` command is one attempt and gets a number. Each step of it (ringing, busy, answered,
whisper, key pressed) becomes one sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

_OUTCOMES = {
    "busy": "is busy",
    "no-answer": "does not answer",
    "failed": "cannot be reached",
    "cancelled": "stops ringing",
    "machine": "is a mailbox",
}
_KEYS = {"1": "presses 1 and takes the call", "2": "presses 2 and declines"}


class Step(msgspec.Struct, frozen=True):
    """One step of an attempt. `at` is seconds since 1970; `text` says who does what."""

    at: float
    text: str


class RingAttempts:
    """Turns the decoded lines of a journal, in order, into steps."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, int], int] = {}
        self._answering: tuple[int, int] | None = None
        self._ended: set[int] = set()

    def feed(self, line: Mapping[str, Any]) -> list[Step]:
        """Take the next line and return the steps that it adds."""
        event, command = line.get("event", {}), line.get("command", {})
        match event.get("type"), command.get("type"):
            case "LegChanged", _ if event.get("leg") is not None:
                texts = self._leg(event)
            case "HumanAsked", _:
                self._answering = (event["wave"], event["leg"])
                texts = self._human(event)
            case _, "RingHuman":
                number = self._number(command["wave"], command["leg"])
                texts = [f"human {number} is called, while the agent stays with the caller"]
            case _, "AnswerCarrier" if self._answering is not None:
                texts = self._answer(command)
            case _, "OpenConsult":
                number = self._number(command["wave"], command["leg"])
                texts = [f"the agent tells human {number} what it is about"]
            case _:
                texts = []
        return [Step(float(line["at"]), text) for text in texts]

    def _leg(self, event: Mapping[str, Any]) -> list[str]:
        number = self._number(event["step"], event["leg"])
        if event["status"] != "completed" or number in self._ended:
            return []
        self._ended.add(number)
        return [f"human {number} {_OUTCOMES.get(event.get('outcome') or '', 'has hung up')}"]

    def _human(self, event: Mapping[str, Any]) -> list[str]:
        number = self._number(event["wave"], event["leg"])
        if event["point"] == "answered":
            return [f"human {number} picks up"]
        digit = event.get("digit", "")
        if event["point"] == "pressed" and digit in _KEYS:
            if digit == "2":
                self._ended.add(number)
            return [f"human {number} {_KEYS[digit]}"]
        if event["point"] == "left":
            return [f"human {number} presses * and is asked what becomes of the caller"]
        return []

    def _answer(self, command: Mapping[str, Any]) -> list[str]:
        assert self._answering is not None
        number = self._number(*self._answering)
        self._answering = None
        texts = [
            each["text"] for each in command["instructions"] if each["type"] in ("Screen", "Speak")
        ]
        return [f"human {number} hears: “{text}”" for text in texts]

    def _number(self, wave: int, leg: int) -> int:
        return self._numbers.setdefault((wave, leg), len(self._numbers) + 1)
