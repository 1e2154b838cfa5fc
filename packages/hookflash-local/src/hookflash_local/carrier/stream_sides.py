"""The two sides of a media stream: what goes up to the server, and what comes down from it.

Both have the length of the network (`Delay`). Up: the leg's mouth, a message each time that the
pump calls (every 20 ms, if the carrier is not set otherwise), keys and marks; from a one-way stream
what the leg hears too, and no keys. Down: sound into a `Playout`, which is what the leg hears; its
marks come back on a timer set to the very sample. A one-way stream takes nothing down.

resource      | acquired         | released
pump listener | `Uplink.open`    | `Uplink.close`
timer         | `Downlink` marks | `Downlink.close`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hookflash_local.carrier import notices, stream_messages
from hookflash_local.carrier.delay import Delay
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.playout import FRAME_SAMPLES, Playout
from hookflash_local.carrier.pump import FRAME_MS, FRAME_SECONDS
from hookflash_local.carrier.stream_messages import BadMessage, Mark, Media, Upward

OVERFLOW_MESSAGES = 3000
"""A minute of sound that the server did not read: what comes now is dropped."""

Warn = Callable[[int, str], None]
"""Called with Twilio's number and a text, for what is wrong but not the end of the stream."""


def _road(exchange: Exchange) -> Delay[Any]:
    settings = exchange.settings
    return Delay(
        exchange.clock,
        settings.network_seconds,
        exchange.faults.jitter_ms / 1000,
        entropy=settings.entropy.road(),
    )


class Uplink:
    """Towards the server. `get` yields texts to send; None is the order to close."""

    def __init__(
        self,
        exchange: Exchange,
        leg: Leg,
        stream_sid: str,
        *,
        warn: Warn,
        cut: Callable[[], None],
        tracks: tuple[str, ...] = ("inbound",),
        keys: bool = True,
    ) -> None:
        self._exchange = exchange
        self._leg = leg
        self._warn = warn
        self._cut = cut
        self._road: Delay[str | None] = _road(exchange)
        self._write = Upward(leg.about.account_sid, leg.sid, stream_sid, tracks)
        self._keys = keys
        self._first_frame = 0
        self._next_frame = 0
        """The first frame that no message has carried yet."""

    def open(self, parameters: dict[str, str]) -> None:
        self._road.put(stream_messages.connected())
        self._road.put(self._write.start(parameters))
        self._first_frame = self._exchange.pump.frame_at(self._exchange.clock.now())
        self._next_frame = self._first_frame
        self._exchange.pump.add(self._frame_is_over)
        if self._keys:
            self._leg.on_key = self._key

    def close(self) -> None:
        """Take nothing more from the leg."""
        self._exchange.pump.remove(self._frame_is_over)
        if self._leg.on_key == self._key:
            self._leg.on_key = None

    def stop(self) -> None:
        """The call left: say so, then close."""
        self._road.put(self._write.stop())
        self._road.put(None)

    def marks(self, names: list[str]) -> None:
        for name in names:
            self._road.put(self._write.mark(name))

    async def get(self) -> str | None:
        return await self._road.get()

    def _key(self, digit: str) -> None:
        self._road.put(self._write.dtmf(digit))

    def _frame_is_over(self, frame: int) -> None:
        first, end = self._next_frame, frame + 1
        if end <= first:
            return
        self._next_frame = end
        cut_after = self._exchange.faults.cut_streams_after
        if cut_after is not None and (frame - self._first_frame) * FRAME_SECONDS >= cut_after:
            self._cut()
        if len(self._road) >= OVERFLOW_MESSAGES:
            self._warn(notices.STREAM_UNREAD, "the server does not read: sound for it is dropped")
            return
        for track in self._write.tracks:
            source = self._leg.mouth if track == "inbound" else self._leg.ear
            payload = source.read(first * FRAME_SAMPLES, end * FRAME_SAMPLES)
            since_ms = (first - self._first_frame) * FRAME_MS
            self._road.put(self._write.media(payload, since_ms, track))


class NoDownlink:
    """A one-way stream plays nothing: whatever comes from the server is a mistake."""

    def __init__(self, exchange: Exchange, *, warn: Warn) -> None:
        self.playout = Playout(exchange.clock.now())
        self._warn = warn

    def open(self) -> None:
        """Nothing is heard of it."""

    def close(self) -> None:
        """Nothing was heard of it."""

    def put(self, message: str | bytes) -> None:
        self._warn(notices.STREAM_MESSAGE, "a one-way stream takes no messages")

    async def obey(self) -> None:
        await asyncio.Event().wait()


class Downlink:
    """From the server. `playout` is the truth about what the leg heard of it."""

    def __init__(
        self,
        exchange: Exchange,
        leg: Leg,
        stream_sid: str,
        *,
        warn: Warn,
        return_marks: Callable[[list[str]], None],
    ) -> None:
        self.playout = Playout(exchange.clock.now())
        self._exchange = exchange
        self._leg = leg
        self._sid = stream_sid
        self._warn = warn
        self._return_marks = return_marks
        self._road: Delay[str | bytes] = _road(exchange)
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self.playout = Playout(self._exchange.clock.now())
        self._leg.listen_to(self.playout)

    def close(self) -> None:
        """Play no more: what is buffered is lost."""
        if self._timer:
            self._timer.cancel()
        self.playout.clear(self._exchange.clock.now())
        if self._leg.ear.source is self.playout:
            self._leg.listen_to(None)

    def put(self, message: str | bytes) -> None:
        self._road.put(message)

    async def obey(self) -> None:
        """Carry out what comes, for ever."""
        while True:
            self._carry_out(await self._road.get())

    def _carry_out(self, message: str | bytes) -> None:
        now = self._exchange.clock.now()
        if self._leg.ear.source is not self.playout:
            return  # The leg is over or hears something else: this comes too late.
        try:
            order = stream_messages.read(message, self._sid)
        except BadMessage as error:
            self._warn(error.code, error.text)
            return
        if isinstance(order, Media):
            if self.playout.play(order.payload, now) < len(order.payload):
                self._warn(notices.STREAM_OVERFLOW, "more than ten minutes are buffered: dropped")
        elif isinstance(order, Mark):
            self._return_marks(self.playout.mark(order.name, now))
        else:
            reached = [name for _, name in self.playout.due(now)]
            cleared = self.playout.clear(now)
            self._leg.note("clear", stream=self._sid)
            self._return_marks(reached)
            if self._exchange.faults.returns_cleared_marks:
                self._return_marks(cleared)
        self._rearm()

    def _rearm(self) -> None:
        """Wake up when the next mark is reached."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        deadline = self.playout.next_deadline
        if deadline is not None:
            self._timer = self._exchange.clock.call_at(deadline, self._marks_are_due)

    def _marks_are_due(self) -> None:
        reached = self.playout.due(self._exchange.clock.now())
        self._return_marks([name for _, name in reached])
        self._rearm()
