"""Decide from speech probabilities when an utterance begins and ends. No I/O.

The state machine takes one probability of speech per 32 ms:

             p >= threshold          p >= threshold again
    QUIET -------------------> RISING ------------------> SPEAKING <---------------+
      ^ ^                        |                            | p < threshold - 0.15 |
      | +------------------------+                            v                      |
      |        p < threshold                               PAUSING ------------------+
      +-----------------------------------------------------+        p >= threshold
                    silence_duration_ms have passed

* Speech begins after two frames in a row, so a click of one frame does not count.
* There are two thresholds, so a fading vowel does not alternate between speech and silence.
* An utterance begins `prefix_padding_ms` before its first frame, but not before the end of the
  previous one. It ends with the silence that ended it.
* After `LONGEST_MS` an utterance ends in any case, such as with a radio in the background.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final

import msgspec

FRAME_MS: Final = 32
"""The length of audio for one probability."""

LONGEST_MS: Final = 60_000

_HYSTERESIS = 0.15

_EAGERNESS_MS: Final = {"low": 1000, "medium": 600, "auto": 600, "high": 400}
"""Silence that replaces semantic turn detection, which needs a language model."""


class Endpointing(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of turn detection. The defaults are those of the Realtime API's `server_vad`."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500

    @classmethod
    def from_turn_detection(cls, turn_detection: Mapping[str, Any] | None) -> Endpointing:
        """Read a session's `turn_detection`; missing and null fields have their default.

        Raises `msgspec.ValidationError` for a value of the wrong type.
        """
        given = {key: value for key, value in (turn_detection or {}).items() if value is not None}
        if given.get("type") == "semantic_vad":
            eagerness = given.get("eagerness", "auto")
            return cls(silence_duration_ms=_EAGERNESS_MS.get(eagerness, _EAGERNESS_MS["auto"]))
        known = {name: given[name] for name in cls.__struct_fields__ if name in given}
        return msgspec.convert(known, cls)


class SpeechStart(msgspec.Struct, frozen=True):
    """An utterance began at `start_ms`, padding included."""

    start_ms: int


class SpeechEnd(msgspec.Struct, frozen=True):
    """An utterance ended: it is from `start_ms` to `end_ms`, its last silence included."""

    start_ms: int
    end_ms: int


class _SpeechState(enum.Enum):
    QUIET = enum.auto()
    RISING = enum.auto()
    SPEAKING = enum.auto()
    PAUSING = enum.auto()


class Endpointer:
    """The state machine for one stream of probabilities. Times count from its first frame."""

    def __init__(self, options: Endpointing) -> None:
        self._options = options
        self._state = _SpeechState.QUIET
        self._now_ms = 0
        self._start_ms = 0
        self._pause_ms = 0
        self._floor_ms = 0

    @property
    def retain_from_ms(self) -> int:
        """The earliest audio that a future utterance may contain."""
        if self._state in (_SpeechState.SPEAKING, _SpeechState.PAUSING):
            return self._start_ms
        # In RISING, the previous frame may be the first of an utterance.
        earliest = self._now_ms - FRAME_MS - self._options.prefix_padding_ms
        return max(self._floor_ms, earliest)

    def take(self, probability: float) -> SpeechStart | SpeechEnd | None:
        """Take the next frame's probability of speech; return a decision, if there is one."""
        begins_ms = self._now_ms
        self._now_ms += FRAME_MS
        loud = probability >= self._options.threshold
        match self._state:
            case _SpeechState.QUIET:
                if loud:
                    self._state = _SpeechState.RISING
                    padded = begins_ms - self._options.prefix_padding_ms
                    self._start_ms = max(self._floor_ms, padded)
                return None
            case _SpeechState.RISING:
                self._state = _SpeechState.SPEAKING if loud else _SpeechState.QUIET
                return SpeechStart(self._start_ms) if loud else None
            case _SpeechState.SPEAKING:
                if probability < self._options.threshold - _HYSTERESIS:
                    self._state = _SpeechState.PAUSING
                    self._pause_ms = begins_ms
            case _SpeechState.PAUSING:
                if loud:
                    self._state = _SpeechState.SPEAKING
        return self._end_if_due()

    def _end_if_due(self) -> SpeechEnd | None:
        silent_for = self._now_ms - self._pause_ms if self._state is _SpeechState.PAUSING else 0
        too_long = self._now_ms - self._start_ms >= LONGEST_MS
        if not too_long and not (silent_for and silent_for >= self._options.silence_duration_ms):
            return None
        self._state = _SpeechState.QUIET
        self._floor_ms = self._now_ms
        return SpeechEnd(self._start_ms, self._now_ms)
