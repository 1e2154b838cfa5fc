"""Digits that the caller types, gathered until `#` or a pause, so that a number arrives whole."""

from __future__ import annotations

_PAUSE_SECONDS = 1.5


class Keypad:
    """The digits typed since the model was last told."""

    def __init__(self) -> None:
        self._digits = ""
        self.deadline: float | None = None

    def press(self, digit: str, now: float) -> str:
        """Return the whole entry when `#` ends it, else nothing yet."""
        self._digits += digit
        if digit == "#":
            return self.take()
        self.deadline = now + _PAUSE_SECONDS
        return ""

    def expire(self, now: float) -> str:
        return self.take() if self.deadline is not None and now >= self.deadline else ""

    def take(self) -> str:
        digits, self._digits, self.deadline = self._digits, "", None
        return digits
