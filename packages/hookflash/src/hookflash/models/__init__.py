"""Speech models: one package per adapter, each behind the model port of `runtime.ports`.

A model's capabilities are data, so that the call and the hand-off never depend on which model it
is.
"""

from __future__ import annotations

import msgspec

__all__ = ["Capabilities"]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a model can do.

    `truncates`: the model can be told how much of an item was heard, and unheard items can be
    removed from its conversation. `audio_formats` are media types that pass through unchanged.
    `max_session_seconds` is the lifetime of one session (None: no limit).
    """

    truncates: bool
    audio_formats: tuple[str, ...]
    max_session_seconds: int | None
