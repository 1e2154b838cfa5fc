"""What a call leaves for its owner: a voicemail, a wish to be called back, a message.

A delivery may come in parts: a voicemail is recorded first and transcribed later. Each part has the
same `id`.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What a call has left for you: a voicemail, a wish to be called back, or a message.

    It goes to `@agent.on_delivery` and to `HOOKFLASH_DELIVERY_URL`, each of them at least once.
    """

    id: str
    """The same at every attempt and for every revision; no other delivery has it."""
    kind: Literal["voicemail", "callback", "message"]
    """`"message"` is a question of the agent's that nobody has answered."""
    call_sid: str
    """The carrier's identifier of the call."""
    agent: str
    """The agent's name."""
    destination: str
    """The key of the hand-off that reached nobody; empty if there was none."""
    created_at: float
    """When the caller left it, in seconds since 1970 (UTC)."""
    caller: str = ""
    """Who called: a number in E.164 form, a `sip:` or `client:` address, or `anonymous`."""
    called: str = ""
    """What the caller dialled."""
    reason: str = ""
    """Why the caller wanted a human."""
    summary: str = ""
    """What was said before; of a message, the question."""
    number: str = ""
    """Of a callback: the number to call, as the caller said it."""
    wish: str = ""
    """Of a callback: when to call, and about what, as the caller said it."""
    recording_url: str = ""
    """Of a voicemail: the recording at Twilio, which asks for your account's SID and token."""
    recording_seconds: float = 0.0
    """Of a voicemail: its length in seconds."""
    transcript: str = ""
    """Of a voicemail: its text."""
    complete: bool = True
    """False while more is expected, such as the text of a voicemail."""
