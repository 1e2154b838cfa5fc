"""What a call leaves for its owner: a voicemail, a wish to be called back, a message.

A delivery may come in parts: a voicemail is recorded first and transcribed later. Each part has the
same `id`.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A voicemail, callback or message for the owner.

    `id` is unique across all calls. `created_at` is seconds since 1970. `number` is where to call
    back, as the caller said it. `complete` is False while another part is expected.
    """

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
