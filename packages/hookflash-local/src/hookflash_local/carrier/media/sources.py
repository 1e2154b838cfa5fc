"""Audio sources that a leg hears, and the exact record of what it heard. No I/O.

A source can be read by sample range, for the past only. The party's audio, a media stream and an
announcement are all `Playout`s on one sample clock. Bridging two legs means that each reads the
other's inbound audio: aligned to the sample, without added delay.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from hookflash_local.carrier.media import sounds
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, SILENCE, sample_at, seconds_at


class Source(Protocol):
    def read(self, first: int, last: int) -> bytes: ...


class Quiet:
    """Silence."""

    def read(self, first: int, last: int) -> bytes:
        return SILENCE * (last - first)


QUIET = Quiet()


class Loop:
    """One piece of sound again and again, from `start` (seconds) on."""

    def __init__(self, cycle: bytes, start: float) -> None:
        self._cycle = cycle
        self._start = sample_at(start)

    def read(self, first: int, last: int) -> bytes:
        position = (first - self._start) % len(self._cycle)
        wanted = last - first
        turns = (position + wanted) // len(self._cycle) + 1
        return (self._cycle * turns)[position : position + wanted]


class Mix:
    """The sum of whatever `sources` names at the moment of reading."""

    def __init__(self, sources: Callable[[], Iterable[Source]]) -> None:
        self._sources = sources

    def read(self, first: int, last: int) -> bytes:
        parts = [source.read(first, last) for source in self._sources()]
        return sounds.mix(parts) if parts else SILENCE * (last - first)


class OutboundAudio:
    """What one leg heard, sample by sample, since it was opened.

    A change of source takes effect at its very sample: the old source is read up to there first.
    """

    def __init__(self) -> None:
        self.recording = bytearray()
        self.source: Source = QUIET
        self.opened_at: float | None = None
        self._until: int | None = None
        self._moved = asyncio.Event()

    def open(self, now: float) -> None:
        self._until = sample_at(now)
        self.opened_at = seconds_at(self._until)

    def switch(self, source: Source, now: float) -> None:
        self.advance(sample_at(now))
        self.source = source

    def advance(self, sample: int) -> None:
        """Write everything up to `sample`."""
        if self._until is None or sample <= self._until:
            return
        self.recording += self.source.read(self._until, sample)
        self._until = sample
        self._moved.set()
        self._moved = asyncio.Event()

    def read(self, first: int, last: int) -> bytes:
        """Return what was heard of the samples `first` to `last`; silence where it was closed."""
        opened = sample_at(self.opened_at or 0.0)
        before = max(0, min(last, opened) - first)
        heard = self.recording[max(0, first - opened) : max(0, last - opened)]
        after = last - first - before - len(heard)
        return SILENCE * before + bytes(heard) + SILENCE * after

    def close(self, now: float) -> None:
        self.advance(sample_at(now))
        self._until = None
        self.source = QUIET
        self._moved.set()

    @property
    def is_open(self) -> bool:
        return self._until is not None

    async def frame(self, index: int) -> bytes:
        """Wait until the 20 ms numbered `index` (from 0) were heard, and return them.

        Returns what there is, perhaps nothing, once it is closed.
        """
        first, last = index * FRAME_SAMPLES, (index + 1) * FRAME_SAMPLES
        while len(self.recording) < last and self.is_open:
            await self._moved.wait()
        return bytes(self.recording[first:last])
