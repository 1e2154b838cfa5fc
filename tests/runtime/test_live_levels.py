"""How loud a live call is, measured while somebody has it open."""

from __future__ import annotations

import asyncio
import binascii
from types import SimpleNamespace
from typing import Any

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.setup import CallSetup
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.live_levels import IDLE_SECONDS, STEP_SAMPLES, Levels, LiveLevels
from hookflash.runtime.tracks import Block

LOUD, QUIET = b"\x00", b"\xff"


class Line:
    """One call with a capture, at a time that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.call = Call(CallSetup())
        self.call.receive(e.CallArrived("CA1", "", ""), self.now)
        self.unused = 0
        self.capture = AudioCapture(self.call, lambda: self.now, on_unused=self._unused)

    def _unused(self) -> None:
        self.unused += 1

    def find(self, call_sid: str) -> Any:
        if call_sid != "CA1":
            return None
        return SimpleNamespace(call=self.call, start_capture=lambda: self.capture)


def block(first: int, left: bytes, right: bytes) -> Block:
    def pieces(sound: bytes) -> tuple[Any, ...]:
        return ((first, binascii.b2a_base64(sound).decode(), 0, len(sound)),)

    return Block(first, len(left), pieces(left), pieces(right))


def test_each_step_has_the_loudest_of_its_samples_however_the_blocks_are_cut() -> None:
    line = Line()
    levels = Levels(line.capture, lambda: line.now)
    half = STEP_SAMPLES // 2
    levels.put(block(1600, QUIET * (STEP_SAMPLES + half), LOUD * (STEP_SAMPLES + half)))
    levels.put(block(1600 + STEP_SAMPLES + half, LOUD * half, QUIET * half))
    # Two steps later: what lies between is silence.
    levels.put(block(1600 + 4 * STEP_SAMPLES, LOUD * 10, LOUD * 10))
    assert list(levels.left) == [0, 255, 0, 0, 255]
    assert list(levels.right) == [255, 255, 0, 0, 255]
    assert levels.since == 1000.0 + 1600 / 8000


async def test_a_call_is_measured_until_nobody_asks_any_more() -> None:
    line = Line()
    live = LiveLevels(line.find, lambda: line.now)
    assert live.of("CA2") is None
    levels = live.of("CA1")
    assert levels is not None
    line.now += IDLE_SECONDS - 1
    assert live.of("CA1") is levels
    line.now += IDLE_SECONDS - 1
    levels.put(block(0, LOUD * 800, LOUD * 800))
    assert not levels.over and line.unused == 0
    line.now += 5
    levels.put(block(800, LOUD * 800, LOUD * 800))
    await asyncio.sleep(0)
    assert levels.over and line.unused == 1
    again = live.of("CA1")
    assert again is not None and again is not levels
    line.call.receive(e.CallCompleted(), line.now)
    again.end()
    assert live.of("CA1") is again, "what was measured is shown to the end"
