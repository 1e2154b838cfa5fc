from __future__ import annotations

import asyncio
from typing import Any

from hookflash.core import events as e
from hookflash.core.call import Call
from hookflash.core.setup import CallSetup
from hookflash.runtime.audio_capture import AudioCapture
from hookflash.runtime.live_audio import FRAME_BYTES, Listener
from hookflash.runtime.tracks import Block
from hookflash.server.listen_socket import listen_with


class Page:
    """A socket of the console's, as Starlette has it."""

    def __init__(self, *, reads: bool = True) -> None:
        self.told: list[Any] = []
        self.gone = asyncio.Event()
        self.news = asyncio.Event()
        self._reads = reads

    async def accept(self) -> None:
        self.told.append("accepted")

    async def send_bytes(self, data: bytes) -> None:
        if not self._reads:
            await asyncio.Event().wait()
        self.told.append(len(data))
        self.news.set()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "websocket.disconnect"}

    async def close(self, code: int, reason: str = "") -> None:
        self.told.append(code)
        self.reason = reason


class Calls:
    """One live call, CA1."""

    def __init__(self) -> None:
        call = Call(CallSetup())
        call.receive(e.CallArrived("CA1", "", ""), 1000.0)
        self.unused = 0
        self.capture = AudioCapture(call, lambda: 1000.0, on_unused=self._left)

    def _left(self) -> None:
        self.unused += 1

    def listen(self, call_sid: str) -> Listener | None:
        return Listener(self.capture) if call_sid == "CA1" else None


def listening(calls: Calls, page: Page, call_sid: str = "CA1", **more: Any) -> asyncio.Task[None]:
    listen: Any = listen_with(calls, **more)  # type: ignore[arg-type]
    return asyncio.create_task(listen(call_sid, page))


async def test_frames_go_to_the_page_until_the_call_is_over() -> None:
    calls, page = Calls(), Page()
    task = listening(calls, page)
    await asyncio.sleep(0)
    for sink in calls.capture._sinks:
        sink.put(Block(0, 320, (), ()))
    await page.news.wait()
    calls.capture.close()
    await asyncio.wait_for(task, 10)
    assert page.told == ["accepted", FRAME_BYTES, FRAME_BYTES, 1000]


async def test_a_page_that_has_gone_listens_no_more() -> None:
    calls, page = Calls(), Page()
    task = listening(calls, page)
    await asyncio.sleep(0)
    page.gone.set()
    await asyncio.wait_for(task, 10)
    assert calls.unused == 1
    assert page.told == ["accepted", 1000]


async def test_a_page_that_reads_nothing_is_disconnected() -> None:
    calls, page = Calls(), Page(reads=False)
    task = listening(calls, page, stall_seconds=0.01)
    await asyncio.sleep(0)
    for sink in calls.capture._sinks:
        sink.put(Block(0, 320, (), ()))
    await asyncio.wait_for(task, 10)
    assert calls.unused == 1


async def test_a_call_that_is_not_here_cannot_be_heard() -> None:
    page = Page()
    await listening(Calls(), page, "CA2")
    assert (page.told, page.reason) == ([1011], "no call"), "the reason is for the log"
