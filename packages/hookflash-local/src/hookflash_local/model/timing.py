"""Timing options and injected faults of the stand-in model."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """How time passes. All times are in the call's own time, which runs `speed` times real time.

    `network_ms` is the network delay, each way. `session_seconds` is the longest duration of a
    session (OpenAI: 60 minutes).
    """

    speed: float = 1.0
    network_ms: float = 0.0
    session_seconds: float = 3600.0

    def seconds(self, ms: float) -> float:
        """Return the seconds of real time that `ms` of the call's time take."""
        return ms / 1000 / self.speed

    async def wait(self, ms: float) -> None:
        """Wait for `ms` of the call's time."""
        await asyncio.sleep(self.seconds(ms))


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the model sends audio: at `factor` times real time (None: without waiting).

    A delta has `chunk_ms` of audio. OpenAI was measured at 2 to 10 times real time.
    """

    factor: float | None = None
    chunk_ms: int = 100

    @property
    def chunk_bytes(self) -> int:
        """Bytes of mu-law in a delta."""
        return self.chunk_ms * 8

    def chunk_takes_ms(self) -> float:
        """Return the pause after each delta, in ms of the call's time."""
        return self.chunk_ms / self.factor if self.factor else 0.0


class Faults(msgspec.Struct, kw_only=True):
    """Injected faults. A field can be set at any time and applies from then on.

    `refuse_upgrade` answers the upgrade with this HTTP status (401, 403, 404, 429, 500 ...).
    `silent` accepts the TCP connection but does not answer the upgrade (`upgrade`), or accepts the
    socket but sends nothing (`session`; earlier sessions continue).
    `session_created_delay_ms` delays the first event.
    `session_format` puts this audio format into `session.updated`, whatever was requested.
    `drop_on` breaks the connection, without a close frame, at a client or server event of this
    type. `fail_response` ends each response at once with this error code, such as
    `rate_limit_exceeded` or `insufficient_quota`.

    Of the speech API: `speech_status` answers with this HTTP status, `speech_delay_ms` delays the
    answer, and `speech_garbage` sends an HTML error page as if it were audio.
    """

    refuse_upgrade: int | None = None
    silent: Literal["upgrade", "session"] | None = None
    session_created_delay_ms: float = 0.0
    session_format: str | None = None
    drop_on: str | None = None
    fail_response: str | None = None
    speech_status: int | None = None
    speech_delay_ms: float = 0.0
    speech_garbage: bool = False
