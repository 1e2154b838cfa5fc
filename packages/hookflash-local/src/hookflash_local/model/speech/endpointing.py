"""When the caller speaks and when the caller has finished: a machine over probabilities. No I/O.

It takes one probability of speech for each 32 ms and knows no sound:

             p >= threshold          p >= threshold again
    QUIET -------------------> RISING ------------------> SPEAKING <---------------+
      ^ ^                        |                            | p < threshold - 0.15 |
      | +------------------------+                            v                      |
      |        p < threshold                               PAUSING ------------------+
      +-----------------------------------------------------+        p >= threshold
                    silence_duration_ms have passed

* Two frames in a row begin speech, so that a click of one frame does not.
* Two thresholds, so that a fading vowel does not flicker between speech and silence.
* An utterance begins `prefix_padding_ms` before its first frame, though never inside the one
  before it, and ends after the silence that ended it.
* After `LONGEST_MS` an utterance ends whatever is heard: nobody waits for a radio to stop.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec

FRAME_MS: Final = 32
"""How much sound one probability stands for."""

LONGEST_MS: Final = 60_000

_HYSTERESIS = 0.15

_EAGERNESS_MS: Final = {"low": 1000, "medium": 600, "auto": 600, "high": 400}
"""Silence that stands in for semantic turn detection, which needs a model of language."""


class Endpointing(msgspec.Struct, frozen=True, kw_only=True):
    """How speech is told from silence. Defaults are those of the Realtime API's server_vad."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500

    @classmethod
    def from_turn_detection(cls, turn_detection: Mapping[str, Any] | None) -> Endpointing:
        """Read a session's `turn_detection`; what it does not say, or says as null, is default.

        Raises `msgspec.ValidationError` for a value of the wrong type.
        """
        given = {key: value for key, value in (turn_detection or {}).items() if value is not None}
        if given.get("type") == "semantic_vad":
            eagerness = given.get("eagerness", "auto")
            return cls(silence_duration_ms=_EAGERNESS_MS.get(eagerness, _EAGERNESS_MS["auto"]))
        known = {name: given[name] for name in cls.__struct_fields__ if name in given}
        return msgspec.convert(known, cls)


class Began(msgspec.Struct, frozen=True):
    """Speech began; the utterance counts from `start_ms`, padding included."""

    start_ms: int


class Ended(msgspec.Struct, frozen=True):
    """Speech ended: the utterance is from `start_ms` to `end_ms`, the last silence included."""

    start_ms: int
    end_ms: int


class _State(enum.Enum):
    QUIET = enum.auto()
    RISING = enum.auto()
    SPEAKING = enum.auto()
    PAUSING = enum.auto()


class Endpointer:
    """The machine above, for one stream of probabilities. Times count from its first frame."""

    def __init__(self, options: Endpointing) -> None:
        self._options = options
        self._state = _State.QUIET
        self._now_ms = 0
        self._start_ms = 0
        self._pause_ms = 0
        self._floor_ms = 0

    @property
    def keep_from_ms(self) -> int:
        """The earliest sound that an utterance to come may still hold."""
        if self._state in (_State.SPEAKING, _State.PAUSING):
            return self._start_ms
        # While RISING, the frame before this one may turn out to have been the first.
        earliest = self._now_ms - FRAME_MS - self._options.prefix_padding_ms
        return max(self._floor_ms, earliest)

    def take(self, probability: float) -> Began | Ended | None:
        """Take the next frame's probability of speech; say what it decided, if anything."""
        begins_ms = self._now_ms
        self._now_ms += FRAME_MS
        loud = probability >= self._options.threshold
        match self._state:
            case _State.QUIET:
                if loud:
                    self._state = _State.RISING
                    padded = begins_ms - self._options.prefix_padding_ms
                    self._start_ms = max(self._floor_ms, padded)
                return None
            case _State.RISING:
                self._state = _State.SPEAKING if loud else _State.QUIET
                return Began(self._start_ms) if loud else None
            case _State.SPEAKING:
                if probability < self._options.threshold - _HYSTERESIS:
                    self._state = _State.PAUSING
                    self._pause_ms = begins_ms
            case _State.PAUSING:
                if loud:
                    self._state = _State.SPEAKING
        return self._end_if_due()

    def _end_if_due(self) -> Ended | None:
        silent_for = self._now_ms - self._pause_ms if self._state is _State.PAUSING else 0
        too_long = self._now_ms - self._start_ms >= LONGEST_MS
        if not too_long and not (silent_for and silent_for >= self._options.silence_duration_ms):
            return None
        self._state = _State.QUIET
        self._floor_ms = self._now_ms
        return Ended(self._start_ms, self._now_ms)
