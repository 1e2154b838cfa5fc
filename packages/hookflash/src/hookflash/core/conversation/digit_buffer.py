"""Collect the keys that the caller presses into one entry, until `#` or a pause."""

from __future__ import annotations

import msgspec

from hookflash.core.conversation.limits import KEYPAD_LIMITS
from hookflash.core.conversation.states import KeypadState
from hookflash.core.events import DigitPressed
from hookflash.core.timers import Timer


class Entry(msgspec.Struct, frozen=True):
    """What the caller has typed. `digits` is empty if they are hidden.

    `to_human`: it is a single key, the one that brings a human.
    """

    keys: int
    digits: str = ""
    to_human: bool = False


class DigitBuffer:
    """The keys that the caller has pressed and that the model has not been told of yet."""

    def __init__(self) -> None:
        self._entry = Entry(0)
        self._timer = Timer(KEYPAD_LIMITS, KeypadState.QUIET)

    @property
    def deadline(self) -> float | None:
        return self._timer.due

    def press(self, event: DigitPressed, now: float) -> Entry | None:
        """Add a key. Return the whole entry if this key ends it."""
        before = self._entry
        self._entry = Entry(
            before.keys + 1, before.digits + event.digit, event.to_human and not before.keys
        )
        if event.ends:
            return self.take(now)
        self._timer.enter(KeypadState.TYPING, now)
        return None

    def expire(self, now: float) -> Entry | None:
        return self.take(now) if self._timer.expired(now) else None

    def take(self, now: float) -> Entry:
        """Return what was typed so far, and begin a new entry."""
        self._timer.enter(KeypadState.QUIET, now)
        entry, self._entry = self._entry, Entry(0)
        return entry
