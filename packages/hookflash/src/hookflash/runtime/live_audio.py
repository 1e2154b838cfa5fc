"""Live audio of calls: frames of stereo sound for supervisors who listen.

    live_audio = LiveAudio(switchboard.find)
    listener = live_audio.listen(call_sid)         None: the call is not live in this process
    async with contextlib.aclosing(listener.frames()) as frames:
        async for frame in frames: ...             320 bytes: 20 ms, left and right interleaved

Each listener has its own queue. A slow listener loses the oldest frames; the call and the other
listeners are not affected. The frames end when the call ends, or at `close`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from hookflash.core.phases import Phase
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.driver import Driver
from hookflash.runtime.tracks import FRAME_SAMPLES, Block

FRAME_BYTES = 2 * FRAME_SAMPLES
"""20 ms of mu-law at 8 kHz, interleaved: left is the caller, right is what the caller hears."""

QUEUE_FRAMES = 250
"""Five seconds. A listener who is further behind is no longer listening live."""


class Listener:
    """One person who listens to one call: a `Sink`."""

    block_frames = 5

    def __init__(self, capture: AudioCapture, *, queue_frames: int = QUEUE_FRAMES) -> None:
        self.lost = 0
        """Frames that were dropped because they were not read in time."""
        self._capture = capture
        self._frames: deque[bytes] = deque()
        self._max = queue_frames
        self._rest = bytearray()
        self._next = -1
        self._over = False
        self._wake = asyncio.Event()
        capture.add(self)

    def put(self, block: Block) -> None:
        if block.first != self._next:
            self._rest.clear()
        self._next = block.first + block.size
        self._rest += block.stereo()
        while len(self._rest) >= FRAME_BYTES:
            self._frames.append(bytes(self._rest[:FRAME_BYTES]))
            del self._rest[:FRAME_BYTES]
        while len(self._frames) > self._max:
            self._frames.popleft()
            self.lost += 1
        self._wake.set()

    def end(self) -> None:
        self._over = True
        self._wake.set()

    def close(self) -> None:
        """Stop listening."""
        self._capture.remove(self)
        self.end()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield frames as they arrive. Leaving the generator closes the listener."""
        try:
            while True:
                while self._frames:
                    yield self._frames.popleft()
                if self._over:
                    return
                self._wake.clear()
                await self._wake.wait()
        finally:
            self.close()


class LiveAudio:
    """Creates listeners for the live calls of this process."""

    def __init__(self, find: Callable[[str], Driver | None]) -> None:
        self._find = find

    def listen(self, call_sid: str) -> Listener | None:
        """Return a new listener of a call, or None if the call is not live in this process."""
        driver = self._find(call_sid)
        if driver is None or driver.call.phase is Phase.ENDED:
            return None
        return Listener(driver.start_capture())
