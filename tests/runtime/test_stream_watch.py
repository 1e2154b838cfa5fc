from __future__ import annotations

import asyncio

import pytest

from hookflash.runtime.clock import SystemClock
from hookflash.runtime.ports import CarrierStream
from hookflash.runtime.stream_watch import STALL_SECONDS, StreamWatch

from .conftest import Stream


@pytest.fixture(autouse=True)
def _streams_may_be_silent() -> None:
    """A stream must carry sound here, unlike in the other tests of the runtime."""


class Watched:
    """A watch with a stream; `stalled` has the SIDs that it reported."""

    def __init__(self, *, speed: float = 1.0) -> None:
        self.stalled: list[str] = []
        self.frames = 0
        self.watch = StreamWatch(SystemClock(speed), lambda: self.frames)

    def start(self, stream_sid: str = "MZ1") -> None:
        self.watch.start(Stream(stream_sid), self._report)

    def _report(self, stream: CarrierStream) -> None:
        self.stalled.append(stream.stream_sid)

    async def sound(self, seconds: float) -> None:
        for _ in range(round(seconds * 50)):
            self.frames += 1
            await asyncio.sleep(0.02)


async def test_a_stream_that_carries_nothing_any_more_is_reported_once() -> None:
    watched = Watched()
    watched.start("MZ1")
    await watched.sound(5.0)
    await asyncio.sleep(STALL_SECONDS - 0.1)
    assert watched.stalled == []
    await asyncio.sleep(STALL_SECONDS)
    assert watched.stalled == ["MZ1"]
    await asyncio.sleep(60)
    assert watched.stalled == ["MZ1"]


async def test_a_pause_that_is_shorter_counts_anew() -> None:
    watched = Watched()
    watched.start()
    for _ in range(10):
        await watched.sound(0.5)
        await asyncio.sleep(STALL_SECONDS - 0.1)
    assert watched.stalled == []


@pytest.mark.parametrize(("frames", "seconds"), [(0, 2.0), (4, 2.4)])
async def test_a_stream_that_has_hardly_begun_to_carry_sound_has_more_time(
    frames: int, seconds: float
) -> None:
    watched = Watched()
    watched.start()
    watched.frames += frames
    await asyncio.sleep(seconds - 0.1)
    assert watched.stalled == []
    await asyncio.sleep(0.2)
    assert watched.stalled == ["MZ1"]
    await asyncio.sleep(60)
    assert watched.stalled == ["MZ1"]


async def test_a_stream_that_is_over_is_not_watched() -> None:
    watched = Watched()
    watched.start()
    await watched.sound(1.0)
    watched.watch.stop()
    await asyncio.sleep(60)
    assert watched.stalled == []


async def test_the_newest_stream_is_watched() -> None:
    watched = Watched()
    watched.start("MZ1")
    await watched.sound(1.0)
    watched.start("MZ2")
    await asyncio.sleep(1.9)
    assert watched.stalled == [], "it has carried nothing yet, and the sound before was another's"
    await watched.sound(1.0)
    await asyncio.sleep(60)
    assert watched.stalled == ["MZ2"]


async def test_the_time_is_that_of_the_calls_clock() -> None:
    watched = Watched(speed=10.0)
    watched.start()
    await watched.sound(0.2)
    await asyncio.sleep(STALL_SECONDS / 10 + 0.1)
    assert watched.stalled == ["MZ1"]
