"""Measure in the audio itself whether the caller speaks. No I/O."""

from __future__ import annotations

QUIET_SECONDS = 2.0
"""A caller counts as silent this long after their last sound, whatever the model detects."""

UNHEARD_SECONDS = 0.4
"""This much sound without a detection by the model counts as speech that it missed."""

_BYTES_A_SECOND = 8000
_SHARE = 0.02
"""The smallest share of loud samples in a voice. One or two clicks in a message are less."""

_LOUD = bytes(byte for byte in range(256) if (~byte >> 4) & 7 > 1)
"""The mu-law bytes of samples above -38 dBFS: of the eight segments, all but the two quietest."""

_QUIET = bytes(byte for byte in range(256) if byte not in _LOUD)


class VoiceLevel:
    """The caller's sound since the model last detected the start or end of speech."""

    def __init__(self) -> None:
        self._loud = 0
        self._quiet = 0

    def take(self, sound: bytes) -> bool:
        """Take the next piece of mu-law. Return True once after `QUIET_SECONDS` of silence."""
        size = len(sound)
        if len(sound.translate(None, _QUIET)) > size * _SHARE:
            self._loud += size
            self._quiet = 0
            return False
        before, self._quiet = self._quiet, self._quiet + size
        return before < QUIET_SECONDS * _BYTES_A_SECOND <= self._quiet

    def detected(self) -> None:
        """Reset: the model has detected the start or the end of speech."""
        self._loud = self._quiet = 0

    @property
    def unheard(self) -> bool:
        """Return whether the caller has spoken and the model has not detected it."""
        return self._loud >= UNHEARD_SECONDS * _BYTES_A_SECOND
