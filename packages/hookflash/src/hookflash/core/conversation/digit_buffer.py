"""Digits that the caller types: collected until `#` or a pause, so a number stays whole."""

from __future__ import annotations

from hookflash.core.conversation.limits import KEYPAD_LIMITS
from hookflash.core.conversation.states import KeypadState
from hookflash.core.timers import Timer


class DigitBuffer:
    """The digits that the caller has typed and the model does not know yet."""

    def __init__(self) -> None:
        self._digits = ""
        self._timer = Timer(KEYPAD_LIMITS, KeypadState.QUIET)

    @property
    def deadline(self) -> float | None:
        return self._timer.due

    def press(self, digit: str, now: float) -> str:
        """Add a digit. Return the whole entry if `#` ends it, else an empty text."""
        self._digits += digit
        if digit == "#":
            return self.take(now)
        self._timer.enter(KeypadState.TYPING, now)
        return ""

    def expire(self, now: float) -> str:
        return self.take(now) if self._timer.expired(now) else ""

    def take(self, now: float) -> str:
        """Return what was typed so far, and begin a new entry."""
        self._timer.enter(KeypadState.QUIET, now)
        digits, self._digits = self._digits, ""
        return digits
