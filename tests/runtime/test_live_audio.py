from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.setup import CallSetup
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.live_audio import FRAME_BYTES, Listener
from hookflash.runtime.tracks import Block


def capture() -> AudioCapture:
    call = Call(CallSetup())
    call.receive(e.CallArrived("CA1", "", ""), 1000.0)
    return AudioCapture(call, lambda: 1000.0, on_unused=lambda: None)


def block(first: int, frames: float) -> Block:
    return Block(first, int(frames * 160), (), ())


async def test_a_listener_gets_whole_frames_and_the_end() -> None:
    wire = capture()
    listener = Listener(wire)
    listener.put(block(0, 1.5))
    listener.put(block(240, 1.5))
    wire.close()
    frames = [frame async for frame in listener.frames()]
    assert [len(frame) for frame in frames] == [FRAME_BYTES] * 3
    assert [frame async for frame in listener.frames()] == []


async def test_a_listener_that_is_slow_loses_the_oldest_frames() -> None:
    listener = Listener(capture(), queue_frames=3)
    for number in range(5):
        listener.put(block(160 * number, 1))
    listener.end()
    assert len([frame async for frame in listener.frames()]) == 3
    assert listener.lost == 2


async def test_half_a_frame_before_a_gap_is_left_out() -> None:
    listener = Listener(capture())
    listener.put(block(0, 1.5))
    listener.put(block(16_000, 1.5))
    listener.end()
    assert len([frame async for frame in listener.frames()]) == 2


async def test_a_listener_waits_for_changes_and_is_removed_when_nobody_fetches() -> None:
    wire = capture()
    left: list[bool] = []
    wire._on_unused = lambda: left.append(True)
    listener = Listener(wire)
    fetched: list[bytes] = []

    async def fetch() -> None:
        async with contextlib.aclosing(listener.frames()) as frames:
            async for frame in frames:
                fetched.append(frame)
                return

    task: asyncio.Task[Any] = asyncio.create_task(fetch())
    await asyncio.sleep(0)
    assert not task.done()
    listener.put(block(0, 1))
    await task
    assert len(fetched) == 1 and left == [True]
