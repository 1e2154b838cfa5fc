"""Digits that the caller types, gathered until `#` or a pause, so that a number arrives whole."""

from __future__ import annotations

from hookflash.core.conversation.states import KEYPAD_LIMITS, KeypadState
from hookflash.core.timers import Timer


class Keypad:
    """The digits typed since the model was last told."""

    def __init__(self) -> None:
        self._digits = ""
        self._timer = Timer(KEYPAD_LIMITS, KeypadState.QUIET)

    @property
    def deadline(self) -> float | None:
        return self._timer.due

    def press(self, digit: str, now: float) -> str:
        """Return the whole entry when `#` ends it, else nothing yet."""
        self._digits += digit
        if digit == "#":
            return self.take(now)
        self._timer.enter(KeypadState.TYPING, now)
        return ""

    def expire(self, now: float) -> str:
        return self.take(now) if self._timer.expired(now) else ""

    def take(self, now: float) -> str:
        """Return what was typed so far, and begin anew."""
        self._timer.enter(KeypadState.QUIET, now)
        digits, self._digits = self._digits, ""
        return digits
