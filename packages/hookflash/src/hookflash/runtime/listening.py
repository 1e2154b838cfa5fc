"""Listening to live calls: frames of stereo sound for whoever is allowed to hear them.

    listening = Listening(switchboard.find)
    listener = listening.listen(call_sid)          None: no such call is live here
    async with contextlib.aclosing(listener.frames()) as frames:
        async for frame in frames: ...             320 bytes: 20 ms, left and right by turns

Each listener has a queue of its own. One that is too slow loses the oldest frames, and neither the
call nor the others notice. The frames end when the call does, or at `close`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from hookflash.core.phases import Phase
from hookflash.runtime.driver import Driver
from hookflash.runtime.tap import Tap
from hookflash.runtime.tracks import FRAME_SAMPLES, Block

FRAME_BYTES = 2 * FRAME_SAMPLES
"""20 ms of mu-law, 8,000 samples a second: left the caller, right what they heard, by turns."""

QUEUE_FRAMES = 250
"""Five seconds. Who is further behind does not listen live any more."""


class Listener:
    """Somebody who listens to one call: a `Sink`."""

    block_frames = 5

    def __init__(self, tap: Tap, *, queue_frames: int = QUEUE_FRAMES) -> None:
        self.lost = 0
        """Frames that were thrown away because they were not fetched in time."""
        self._tap = tap
        self._frames: deque[bytes] = deque()
        self._most = queue_frames
        self._rest = bytearray()
        self._next = -1
        self._over = False
        self._news = asyncio.Event()
        tap.add(self)

    def put(self, block: Block) -> None:
        if block.first != self._next:
            self._rest.clear()
        self._next = block.first + block.size
        self._rest += block.stereo()
        while len(self._rest) >= FRAME_BYTES:
            self._frames.append(bytes(self._rest[:FRAME_BYTES]))
            del self._rest[:FRAME_BYTES]
        while len(self._frames) > self._most:
            self._frames.popleft()
            self.lost += 1
        self._news.set()

    def end(self) -> None:
        self._over = True
        self._news.set()

    def close(self) -> None:
        """Listen no more."""
        self._tap.remove(self)
        self.end()

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Yield the frames as they come; closes the listener when it is left."""
        try:
            while True:
                while self._frames:
                    yield self._frames.popleft()
                if self._over:
                    return
                self._news.clear()
                await self._news.wait()
        finally:
            self.close()


class Listening:
    """Lets people listen to the live calls of this process."""

    def __init__(self, find: Callable[[str], Driver | None]) -> None:
        self._find = find

    def listen(self, call_sid: str) -> Listener | None:
        """Return a new listener of a call, or None if no such call is live here."""
        driver = self._find(call_sid)
        if driver is None or driver.call.phase is Phase.ENDED:
            return None
        return Listener(driver.tapped())
