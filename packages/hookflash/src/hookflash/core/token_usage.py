"""How many tokens a model has read and written, by its own report. No I/O."""

from __future__ import annotations

import msgspec


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of tokens. Cached tokens are not counted as read: they have a price of their own."""

    text_read: int = 0
    text_cached: int = 0
    sound_read: int = 0
    sound_cached: int = 0
    text_written: int = 0
    sound_written: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(**{name: getattr(self, name) + getattr(other, name) for name in COUNTS})

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in COUNTS)


COUNTS = Tokens.__struct_fields__
NONE = Tokens()
