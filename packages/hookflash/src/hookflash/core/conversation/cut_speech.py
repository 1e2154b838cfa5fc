"""The agent's speech that a barge-in has cut, until it is known whether the caller meant it."""

from __future__ import annotations

import msgspec


class CutSpeech(msgspec.Struct):
    """The unheard pieces of the agent's sound, as (payload, bytes), and their text."""

    began_at: float
    ended_at: float = 0.0
    item_id: str = ""
    """The item of the caller's turn."""
    pieces: list[tuple[str, int]] = []
    text: str = ""
