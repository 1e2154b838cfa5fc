"""How many tokens a model has read and written, as it reports them itself. No I/O."""

from __future__ import annotations

import msgspec


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """Counts. What was `cached` is no part of what was read: it has a price of its own."""

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
