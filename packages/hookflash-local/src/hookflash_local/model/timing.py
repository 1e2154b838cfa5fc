"""How time passes in a stand-in, and what is made to go wrong in it."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """All times are told in the call's own milliseconds; `speed` compresses them.

    `speed` 10 lets ten seconds of a call pass in one. `network_ms` is the delay of the road, each
    way. `session_seconds` is how long a session lives (the real one: 60 minutes).
    """

    speed: float = 1.0
    network_ms: float = 0.0
    session_seconds: float = 3600.0

    def seconds(self, ms: float) -> float:
        """Return the wall-clock seconds that `ms` of the call take."""
        return ms / 1000 / self.speed

    async def wait(self, ms: float) -> None:
        await asyncio.sleep(self.seconds(ms))


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast the model speaks: `factor` times real time (None: as fast as it can), in deltas
    of `chunk_ms` of sound. The real one was seen at 2 to 10 times real time.
    """

    factor: float | None = None
    chunk_ms: int = 100

    @property
    def chunk_bytes(self) -> int:
        return self.chunk_ms * 8

    def chunk_takes_ms(self) -> float:
        return self.chunk_ms / self.factor if self.factor else 0.0


class Faults(msgspec.Struct, kw_only=True):
    """What goes wrong, settable at any time; it applies from then on.

    `refuse_upgrade` answers the upgrade with this HTTP status (401, 403, 404, 429, 500 ...).
    `silent` accepts the TCP connection but never answers the upgrade (`upgrade`), or accepts the
    socket and never says a word (`session`; sessions that began before go on).
    `session_created_delay_ms` holds back the first event.
    `session_format` answers `session.updated` with this audio format, whatever was asked for.
    `drop_on` breaks the connection, without a close frame, when a client or server event of this
    type passes. `fail_response` ends each response at once with this error code, for example
    `rate_limit_exceeded` or `insufficient_quota`.

    Of the speech API: `speech_status` answers with this HTTP status, `speech_delay_ms` holds the
    answer back, and `speech_garbage` sends a proxy's page as if it were sound.
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
