"""How long a caller has made no sound, measured on the telephone's own samples. No I/O."""

from __future__ import annotations

from base64 import b64decode

QUIET_SECONDS = 2.0

_BYTES_A_SECOND = 8000
_SHARE = 0.02
"""A click or two in a message is no voice."""

_LOUD = bytes(byte for byte in range(256) if (~byte >> 4) & 7 > 1)
"""The mu-law bytes of samples above -38 dBFS: of the eight segments, all but the two quietest."""

_QUIET = bytes(byte for byte in range(256) if byte not in _LOUD)


class Quiet:
    """The silence of one caller, since their last sound."""

    def __init__(self) -> None:
        self._bytes = 0

    def lasts(self, payload: str, size: int) -> bool:
        """Take the next piece of sound (base64 mu-law, `size` bytes). Return whether the caller has
        been silent for `QUIET_SECONDS`."""
        loud = len(b64decode(payload).translate(None, _QUIET))
        self._bytes = 0 if loud > size * _SHARE else self._bytes + size
        return self._bytes >= QUIET_SECONDS * _BYTES_A_SECOND
