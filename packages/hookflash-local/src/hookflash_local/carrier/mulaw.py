"""What the carrier does with frames of mu-law: mixes them, tells sound from silence. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from hookflash.g711 import LINEAR, decode, encode

SILENCE = b"\xff"


def mix(parts: Sequence[bytes]) -> bytes:
    """Add pieces of equal length as the ear would; one piece is passed through untouched."""
    audible = [part for part in parts if part.count(0xFF) != len(part)]
    if not audible:
        return parts[0] if parts else b""
    if len(audible) == 1:
        return audible[0]
    return encode(map(sum, zip(*(decode(part) for part in audible), strict=True)))


_LOUD = bytes(1 if abs(sample) > 400 else 0 for sample in LINEAR)


def is_sound(payload: bytes) -> bool:
    """Tell speech and tones from silence and faint noise: a tenth of the samples is loud."""
    return payload.translate(_LOUD).count(1) * 10 >= len(payload) > 0
