"""Whether a caller makes a sound, measured on the telephone's own samples. No I/O."""

from __future__ import annotations

from binascii import a2b_base64

QUIET_SECONDS = 2.0
"""So long after their last sound a caller is silent, whatever the model has detected."""

UNHEARD_SECONDS = 0.4
"""So much sound of which the model has detected nothing was a word at least."""

_BYTES_A_SECOND = 8000
_SHARE = 0.02
"""A click or two in a message is no voice."""

_LOUD = bytes(byte for byte in range(256) if (~byte >> 4) & 7 > 1)
"""The mu-law bytes of samples above -38 dBFS: of the eight segments, all but the two quietest."""

_QUIET = bytes(byte for byte in range(256) if byte not in _LOUD)


class VoiceLevel:
    """The sound of one caller since the model last detected speech or its end."""

    def __init__(self) -> None:
        self._loud = 0
        self._quiet = 0

    def take(self, payload: str, size: int) -> bool:
        """Take the next piece of sound (base64 mu-law, `size` bytes). Return whether the caller has
        just become silent, for `QUIET_SECONDS`."""
        try:
            loud = len(a2b_base64(payload).translate(None, _QUIET))
        except ValueError:
            # A broken payload is no sound; what else becomes of it is for those who play it.
            loud = 0
        if loud > size * _SHARE:
            self._loud += size
            self._quiet = 0
            return False
        before, self._quiet = self._quiet, self._quiet + size
        return before < QUIET_SECONDS * _BYTES_A_SECOND <= self._quiet

    def detected(self) -> None:
        """The model has detected that the caller speaks, or has spoken."""
        self._loud = self._quiet = 0

    @property
    def unheard(self) -> bool:
        """Whether the caller has spoken and the model has not detected it."""
        return self._loud >= UNHEARD_SECONDS * _BYTES_A_SECOND
