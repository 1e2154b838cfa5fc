"""What a sound of the caller has cut, until it is known whether that was an interruption."""

from __future__ import annotations

import msgspec


class Cut(msgspec.Struct):
    """What was cut by a sound of the caller: pieces of sound (payload, bytes) and their text."""

    began_at: float
    ended_at: float = 0.0
    item_id: str = ""
    """The caller's turn."""
    pieces: list[tuple[str, int]] = []
    text: str = ""
