"""A recording that the carrier makes of one leg, from its first sample to its last. No I/O.

    in-progress <-> paused -> processing -> completed | absent (nothing was recorded)

Nothing is copied while it runs: a leg's past is kept, so a tape is a list of spans of it.
Source: Twilio, Recordings resource and `<Record>` (status, channels, track, trim, PauseBehavior).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from hookflash_local.carrier import mulaw
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.playout import FRAME_SAMPLES, SAMPLES_PER_SECOND, SILENCE, sample_at

Status = Literal["in-progress", "paused", "processing", "completed", "absent"]
Track = Literal["inbound", "outbound", "both"]


@dataclass(frozen=True)
class TapeWish:
    """How to record. `report_to` is a URL and a method, `events` those that it is told."""

    source: str
    channels: int = 1
    track: Track = "both"
    trim: bool = False
    report_to: tuple[str, str] | None = None
    events: frozenset[str] = frozenset({"completed"})


def tape_wish(
    source: str,
    fields: Mapping[str, str],
    report_to: tuple[str, str] | None,
    events: frozenset[str],
    *,
    trim: str,
) -> TapeWish:
    """Read the REST names RecordingChannels, RecordingTrack and Trim (with its default)."""
    track = fields.get("RecordingTrack", "both")
    return TapeWish(
        source,
        2 if fields.get("RecordingChannels") == "dual" else 1,
        "inbound" if track == "inbound" else "outbound" if track == "outbound" else "both",
        fields.get("Trim", trim) == "trim-silence",
        report_to,
        events or frozenset({"completed"}),
    )


@dataclass
class _Span:
    first: int
    last: int | None = None
    silent: bool = False


@dataclass
class Tape:
    """`stopped` is set when nothing more is recorded; `text` is its transcription, if any."""

    leg: Leg
    wish: TapeWish
    sid: str
    status: Status = "in-progress"
    created: float = 0.0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    spans: list[_Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.created = self.leg.tools.clock.wall()
        self.spans.append(_Span(self._here()))

    @property
    def running(self) -> bool:
        return self.status in ("in-progress", "paused")

    def pause(self, *, silence: bool) -> None:
        """Record nothing, or silence, until `resume`."""
        if self.status == "in-progress":
            self._close()
            self.status = "paused"
            if silence:
                self.spans.append(_Span(self._here(), silent=True))

    def resume(self) -> None:
        if self.status == "paused":
            self._close()
            self.status = "in-progress"
            self.spans.append(_Span(self._here()))

    def stop(self, longest: float | None = None) -> None:
        """Record no more, and of a tape that was never paused keep at most `longest` seconds.

        Whoever made the tape goes on with it (`recorder.py`).
        """
        if self.running:
            self._close()
            span = self.spans[0]
            if longest is not None and span.last is not None:
                span.last = min(span.last, span.first + round(longest * SAMPLES_PER_SECOND))
            self.status = "processing"
            self.leg.note("recording-stopped", recording=self.sid)
            self.stopped.set()

    def channels(self) -> list[bytes]:
        """Return what was recorded, mu-law, one or two channels: the party's first."""
        inbound = b"".join(self._read(span, mouth=True) for span in self.spans)
        outbound = b"".join(self._read(span, mouth=False) for span in self.spans)
        tracks = {"inbound": [inbound], "outbound": [outbound], "both": [inbound, outbound]}
        found = tracks[self.wish.track]
        if self.wish.channels == 1:
            found = [mulaw.mix(found)]
        return _trimmed(found) if self.wish.trim else found

    @property
    def seconds(self) -> int:
        """The duration as Twilio gives it, whole seconds."""
        return round(len(self.channels()[0]) / SAMPLES_PER_SECOND)

    @property
    def is_empty(self) -> bool:
        """Nobody said anything."""
        return all(not _sounding(channel) for channel in self.channels())

    def _here(self) -> int:
        """Return the present sample, or the last one of a leg that is over."""
        ear = self.leg.ear
        if self.leg.live or ear.opened_at is None:
            return sample_at(self.leg.tools.clock.now())
        return sample_at(ear.opened_at) + len(ear.recording)

    def _close(self) -> None:
        if self.spans[-1].last is None:
            self.spans[-1].last = self._here()

    def _read(self, span: _Span, *, mouth: bool) -> bytes:
        last = span.last if span.last is not None else self._here()
        if span.silent:
            return SILENCE * (last - span.first)
        source = self.leg.mouth if mouth else self.leg.ear
        return source.read(span.first, last)


def _sounding(channel: bytes) -> list[int]:
    """Return the frames of a channel in which something is heard."""
    return [
        at
        for at in range(0, len(channel), FRAME_SAMPLES)
        if mulaw.is_sound(channel[at : at + FRAME_SAMPLES])
    ]


def _trimmed(channels: list[bytes]) -> list[bytes]:
    """Cut silence from both ends, the same from every channel."""
    heard = sorted(at for channel in channels for at in _sounding(channel))
    if not heard:
        return [b"" for _ in channels]
    return [channel[heard[0] : heard[-1] + FRAME_SAMPLES] for channel in channels]
