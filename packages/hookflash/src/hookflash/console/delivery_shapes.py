"""The JSON of deliveries: what `shapes.py` is for the rest of the console. No I/O."""

from __future__ import annotations

from typing import Literal

from hookflash.console.shapes import Shape


class DeliveryEntry(Shape, frozen=True, kw_only=True):
    """A voicemail, a wish to be called back or a message. `state` is `waiting` (the next attempt is
    at `due_at`), `delivered`, `dead` (given up) or `kept` (nobody takes it); `error` says why the
    last attempt failed. `said` is in the caller's words where there are some; `recording_url` is at
    the carrier."""

    id: str
    kind: Literal["voicemail", "callback", "message"]
    state: Literal["waiting", "delivered", "dead", "kept"]
    call_sid: str
    agent: str
    destination: str
    created_at: float
    caller: str
    number: str = ""
    reason: str = ""
    said: str = ""
    recording_url: str = ""
    recording_seconds: float = 0.0
    attempts: int = 0
    due_at: float | None = None
    delivered_at: float | None = None
    accepted: tuple[str, ...] = ()
    error: str = ""


class DeliveryPage(Shape, frozen=True, kw_only=True):
    """The newest first; `next` as in `PastPage`. `counts` are how many there are in each state."""

    deliveries: tuple[DeliveryEntry, ...]
    counts: dict[str, int]
    next: str | None = None
