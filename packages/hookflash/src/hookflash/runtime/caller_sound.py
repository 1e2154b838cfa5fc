"""The caller's sound on its way to the model, while no rule has to decide about it.

    carrier --(base64, sound)--> take() --base64--> the model's session, at once
                                   |
                                   +-- every tenth of a second --> settle(): flood, level, counters

A frame is only sent on. The checks are made for several frames together, because frames are the
most frequent work of the process: fifty a second for each call.

A carrier that sends too fast is noticed at a `settle`. From then on each frame is checked before it
is sent, until the rate is within the limit again.
"""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable
from typing import Protocol

from hookflash.core.audio import BYTES_PER_MS
from hookflash.runtime.audio_rate_limit import FRAME_COST, AudioRateLimit
from hookflash.runtime.call_ports import Traffic
from hookflash.runtime.voice_level import VoiceLevel

SETTLE_FRAMES = 5
SETTLE_BYTES = 100 * BYTES_PER_MS
"""A `settle` follows after so many frames, or so much sound."""


class SoundEvents(Protocol):
    """What follows from the caller's sound."""

    def caller_quiet(self) -> None:
        """The caller has been silent for `voice_level.QUIET_SECONDS`."""
        ...

    def not_sent(self) -> None:
        """Sending a frame has raised; called in the exception's handler."""
        ...

    def flooded(self) -> None:
        """The carrier has sent much more than real time for long."""
        ...


class CallerSound:
    """The sound of one caller. Use it in the event loop's thread."""

    def __init__(
        self, limit: AudioRateLimit, voice: VoiceLevel, traffic: Traffic, events: SoundEvents
    ) -> None:
        self._limit = limit
        self._voice = voice
        self._traffic = traffic
        self._events: SoundEvents | None = events
        self._send: Callable[[bytes], None] | None = None
        self._limited = False
        """Whether each frame is checked before it is sent."""
        self._sounds: list[bytes] = []
        self._size = 0
        self._settled = 0

    @property
    def is_open(self) -> bool:
        """Return whether sound is sent to a model."""
        return self._send is not None

    @property
    def frames(self) -> int:
        """Return how many frames have come."""
        return self._settled + len(self._sounds)

    def open(self, send: Callable[[bytes], None]) -> None:
        """Send frames (base64) with `send` from now on."""
        self._send = send

    def close(self) -> None:
        """Send no more frames."""
        self.settle()
        self._send = None

    def end(self) -> None:
        """Take no more frames: the call is over. This lets go of who gets the events."""
        self.close()
        self._events = None

    def take(self, payload: bytes, sound: bytes) -> bool:
        """Send a frame to the model. `payload` is the base64 of `sound`, mu-law at 8 kHz.

        Return False if it was dropped, because the carrier sends too fast.
        """
        events = self._events
        if events is None or (self._limited and not self._within_limit(len(sound), events)):
            return False
        send = self._send
        if send is not None:
            try:
                send(payload)
            except Exception:  # an error in the session ends that session only
                events.not_sent()
        self._sounds.append(sound)
        self._size += len(sound)
        if len(self._sounds) >= SETTLE_FRAMES or self._size >= SETTLE_BYTES:
            self.settle()
        return True

    def settle(self) -> None:
        """Find out what follows from the frames since the last `settle`."""
        sounds, size, events = self._sounds, self._size, self._events
        if not sounds or events is None:
            return
        self._sounds, self._size = [], 0
        count = len(sounds)
        if self._send is not None:
            self._traffic.up += count
        self._settled += count
        if not self._limited:
            limit = self._limit
            limit.left -= size + count * FRAME_COST
            if limit.left < 0 and limit.over_limit(size + (count - 1) * FRAME_COST):
                self._limited = True
        if self._voice.take(b"".join(sounds)):
            events.caller_quiet()

    def _within_limit(self, size: int, events: SoundEvents) -> bool:
        """Count a frame of `size` bytes. Return whether it may be sent."""
        limit = self._limit
        limit.left -= size + FRAME_COST
        if limit.left >= 0:
            self._limited = False
            return True
        if not limit.over_limit(size):
            return True
        self._settled += 1
        if limit.exceeded:
            events.flooded()
        return False


def sound_of(payload: str) -> bytes:
    """Return the sound of a payload; one that is not base64 has none."""
    try:
        return a2b_base64(payload)
    except ValueError:
        return b""
