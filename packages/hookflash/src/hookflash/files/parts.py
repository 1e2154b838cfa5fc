"""Join the parts of one file: what several nodes wrote of one call. No I/O.

If a node stops, another one continues its call, and each has a part of the journal and of the
recording. Recordings are laid on one sample clock (`runtime.recorder`), so a part is silent where
its node did not have the call. Journals are lines in the order of time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hookflash.core.audio import SILENCE
from hookflash.files.stored_files import Kind
from hookflash.runtime.wav import HEADER_BYTES, header, samples_in

_BLOCK_BYTES = 320
"""20 ms of stereo: the length of a media message."""

_QUIET = bytes([SILENCE]) * _BLOCK_BYTES
_AT = re.compile(rb'"at":([0-9.]+)')


def join_recordings(parts: Sequence[bytes]) -> bytes:
    """Return one recording: where the longest part is silent, what another part has."""
    longest, *others = sorted((part[HEADER_BYTES:] for part in parts), key=len, reverse=True)
    sound = bytearray(longest)
    for other in others:
        for start in range(0, len(other), _BLOCK_BYTES):
            end = min(start + _BLOCK_BYTES, len(other))
            if sound[start:end] == _QUIET[: end - start]:
                sound[start:end] = other[start:end]
    samples = samples_in(HEADER_BYTES + len(sound))
    return header(samples) + bytes(sound)


def join_journals(parts: Sequence[bytes]) -> bytes:
    """Return one journal: the part that begins it, then the lines that only later parts have."""
    ordered = sorted(parts, key=lambda part: (_begins(part), -len(part)))
    lines = ordered[0].splitlines()
    for part in ordered[1:]:
        # The next node may have written the beginning of the journal, too.
        have = set(lines)
        lines += [line for line in part.splitlines() if line and line not in have]
    return b"".join(line + b"\n" for line in lines if line)


JOIN: dict[Kind, Callable[[Sequence[bytes]], bytes]] = {
    "recordings": join_recordings,
    "journals": join_journals,
}


def _begins(part: bytes) -> float:
    """Return when a part begins; before everything if it has the journal's first line."""
    first = part.split(b"\n", 1)[0]
    if first.startswith(b'{"journal"'):
        return 0.0
    found = _AT.search(first)
    return float(found[1]) if found is not None else float("inf")
