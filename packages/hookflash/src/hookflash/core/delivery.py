"""What a call leaves for its owner: a voicemail, a wish to be called back, a message.

A delivery is made of what the caller left, and completed when more of it is known (a voicemail is
recorded first and written down later): the same `id` again means the same delivery.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is unique for good. `created_at` is seconds since 1970. `number` is where to call back,
    as the caller said it. `complete` is False while more is expected."""

    id: str
    kind: Literal["voicemail", "callback", "message"]
    call_sid: str
    agent: str
    destination: str
    created_at: float
    caller: str = ""
    called: str = ""
    reason: str = ""
    summary: str = ""
    number: str = ""
    wish: str = ""
    recording_url: str = ""
    recording_seconds: float = 0.0
    transcript: str = ""
    complete: bool = True
