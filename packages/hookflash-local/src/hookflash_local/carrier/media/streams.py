"""Media streams: the carrier's end of the media WebSocket.

    connect -> connected, start -> media up every 20 ms; media, mark, clear down -> ended
                                                                     server closes |
                                             call moved or over: stop, then close -+
                                             broken by `cut_streams_after`: no stop+

When a stream ends, the audio still buffered is dropped. A one-way stream (`tracks` given, from
`<Start>` or REST) runs beside the TwiML until it is stopped or the call is over; it plays nothing.
A leg has at most four tracks in one-way streams at once, and each stream name only once.

Both directions are delayed by the network latency (`DelayQueue`). Up: a message for each tick of
the frame clock (every 20 ms by default), keys and marks; a one-way stream also sends what the leg
hears, and no keys. Down: audio goes into a `Playout`, which the leg hears; a mark returns on a
timer set to its sample. A stream URL is `wss://` (or, where allowed, `ws://` on loopback), without
query and fragment.
Source: Twilio, `<Stream>`, Streams resource; error dictionary 31904, 31920, 31922, 31923.

resource              | acquired               | released
task                  | `run`                  | when the socket is closed; `Tasks`
one-way task          | `start_one_way_stream` | when stopped, or the call is over; `Tasks`
socket                | `_run`                 | closed there
frame clock listener  | `Uplink.open`          | `Uplink.close`
mark timer            | `Downlink`             | `Downlink.close`
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from hookflash_local.carrier import alerts
from hookflash_local.carrier.clock import Clock
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import iso8601
from hookflash_local.carrier.legs.leg import Leg
from hookflash_local.carrier.media import stream_messages
from hookflash_local.carrier.media.frame_clock import FRAME_MS, FRAME_SECONDS
from hookflash_local.carrier.media.playout import FRAME_SAMPLES, Playout
from hookflash_local.carrier.media.stream_messages import BadMessage, Mark, Media, Upward
from hookflash_local.carrier.tasks import first_of
from hookflash_local.carrier.webhooks import NotReachable, is_loopback, sign, tunnel_route

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 2.0

StreamEvent = Literal["stream-started", "stream-stopped", "stream-error"]


class _Once(connect):
    """A connection that follows no redirects: to Twilio anything but 101 is an error."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Warnings:
    """Twilio reports each kind once for a stream."""

    def __init__(self, exchange: Exchange, leg: Leg) -> None:
        self._exchange = exchange
        self._leg = leg
        self._given: set[int] = set()

    def __call__(self, code: int, text: str) -> None:
        if code not in self._given:
            self._given.add(code)
            self._exchange.alert(code, f"media stream: {text}", self._leg)


class Stream:
    """`error` is Twilio's number if it failed; `playout` what was played."""

    def __init__(
        self,
        exchange: Exchange,
        leg: Leg,
        url: str,
        parameters: dict[str, str],
        *,
        name: str = "",
        callback: tuple[str, str] | None = None,
        tracks: tuple[str, ...] = (),
    ) -> None:
        self.sid = exchange.new_sid("MZ")
        self.url = url
        self.tracks = tracks
        self.error: int | None = None
        self._exchange = exchange
        self._leg = leg
        self._about = (name or self.sid, parameters, callback)
        warn = _Warnings(exchange, leg)
        self._up = Uplink(
            exchange,
            leg,
            self.sid,
            warn=warn,
            cut=self.cut,
            tracks=tracks or ("inbound",),
            keys=not tracks,
        )
        self._down: Downlink | NoDownlink = NoDownlink(exchange, warn=warn)
        if not tracks:
            self._down = Downlink(exchange, leg, self.sid, warn=warn, return_marks=self._up.marks)
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = asyncio.Event()
        leg.streams.append(self)

    @property
    def name(self) -> str:
        return self._about[0]

    @property
    def playout(self) -> Playout:
        return self._down.playout

    @property
    def open(self) -> bool:
        """The socket is being opened, or not closed yet."""
        return self._task is not None and not self._task.done()

    @property
    def over(self) -> bool:
        """It ended, or could not be begun."""
        return self._task.done() if self._task is not None else self.error is not None

    async def run(self) -> None:
        """Live until the stream is over. Cancelled: the call was moved or is over."""
        self._task = self._exchange.tasks.start(self._run(), f"stream {self.sid}")
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            self._leave()
            raise

    async def run_beside(self) -> None:
        """Live beside the TwiML until `stop`, or until the call is over."""
        await first_of(self.run(), self._leg.ended(), self._stopped.wait())

    def stop(self) -> None:
        """End a one-way stream: tell the server, then close."""
        self._stopped.set()

    @property
    def transport(self) -> asyncio.BaseTransport | None:
        """The transport of the socket; None before the server has accepted it."""
        return self._socket.transport if self._socket else None

    def cut(self) -> None:
        """Break the socket, as a network does: no `stop`, no close."""
        if self._socket:
            self._socket.transport.abort()

    def fail(self, code: int, text: str) -> None:
        """Record an error of this stream and send it to the status callback."""
        self.error = code
        self._exchange.alert(code, f"media stream: {text}", self._leg)
        self._report("stream-error", f"{code}: {text}")

    async def _run(self) -> None:
        socket = await self._connect()
        if socket is None:
            return
        self._socket = socket
        self._down.open()
        self._up.open(self._about[1])
        self._leg.note("stream-started", stream=self.sid)
        self._report("stream-started")
        works = [self._read(socket), self._send(socket), self._down.obey()]
        tasks = [asyncio.create_task(work, name=f"stream part {self.sid}") for work in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._close_sides()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._close(socket)
        self._leg.note("stream-stopped", stream=self.sid, close_code=socket.close_code)
        if socket.close_code == 1006:
            self.fail(alerts.STREAM_BROKEN, "the connection broke")
        elif socket.close_code not in (1000, 1005):
            self.fail(alerts.STREAM_CLOSE, f"the server closed with {socket.close_code}")
        self._report("stream-stopped")

    async def _connect(self) -> ClientConnection | None:
        """Open the socket; None if it could not be, with the reason noted."""
        settings = self._exchange.settings
        route = tunnel_route(self.url, self._exchange.webhooks.tunnel)
        headers = {**route.headers, "X-Twilio-Signature": sign(settings.auth_token, self.url)}
        try:
            return await _Once(
                route.url,
                additional_headers=headers,
                user_agent_header="Twilio.TmeWs/1.0",
                compression=None,
                open_timeout=self._exchange.clock.real(CONNECT_SECONDS),
                ping_interval=None,
                close_timeout=1,
                max_size=None,
                proxy=None,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            self.fail(alerts.STREAM_HANDSHAKE, f"the upgrade was answered with {status}")
        except (InvalidHandshake, InvalidMessage, EOFError) as error:
            self.fail(alerts.STREAM_HANDSHAKE, f"the upgrade failed: {error}")
        except TimeoutError:
            self.fail(alerts.STREAM_TIMEOUT, "no answer to the upgrade in time")
        except OSError as error:
            self.fail(alerts.STREAM_REFUSED, f"cannot connect: {error}")
        return None

    async def _close(self, socket: ClientConnection) -> None:
        """Close the socket, or break it off if the network carries nothing any more."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await socket.close()
        except TimeoutError:
            socket.transport.abort()

    def _leave(self) -> None:
        """The call goes elsewhere: tell the server, then close; nothing is played any more."""
        if self._socket:
            self._close_sides()
            self._up.stop()
        elif self._task:
            self._task.cancel()

    def _close_sides(self) -> None:
        self._up.close()
        self._down.close()

    async def _send(self, socket: ClientConnection) -> None:
        while (message := await self._up.get()) is not None:
            try:
                await socket.send(message)
            except ConnectionClosed:
                return
        await socket.close()

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                self._down.put(await socket.recv())
        except ConnectionClosed:
            return

    def _report(self, event: StreamEvent, error: str = "") -> None:
        name, _, callback = self._about
        if callback is None:
            return
        form = {
            "AccountSid": self._leg.about.account_sid,
            "CallSid": self._leg.sid,
            "StreamSid": self.sid,
            "StreamName": name,
            "StreamEvent": event,
            "Timestamp": iso8601(self._exchange.clock.wall()),
        }
        if error:
            form["StreamError"] = error
        self._exchange.webhooks.notify(*callback, form, call_sid=self._leg.sid)


OVERFLOW_MESSAGES = 3000
"""A minute of sound that the server did not read: what comes now is dropped."""

Warn = Callable[[int, str], None]
"""Called with Twilio's error number and a text, if an error does not end the stream."""


def _delay_queue(exchange: Exchange) -> DelayQueue[Any]:
    settings = exchange.settings
    return DelayQueue(
        exchange.clock,
        settings.network_seconds,
        exchange.faults.jitter_ms / 1000,
        entropy=settings.random.jitter(),
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
        self._queue: DelayQueue[str | None] = _delay_queue(exchange)
        self._write = Upward(leg.about.account_sid, leg.sid, stream_sid, tracks)
        self._keys = keys
        self._first_frame = 0
        self._next_frame = 0
        """The first frame that no message has carried yet."""

    def open(self, parameters: dict[str, str]) -> None:
        self._queue.put(stream_messages.connected())
        self._queue.put(self._write.start(parameters))
        self._first_frame = self._exchange.frame_clock.frame_at(self._exchange.clock.now())
        self._next_frame = self._first_frame
        self._exchange.frame_clock.add(self._frame_is_over)
        if self._keys:
            self._leg.on_key = self._key

    def close(self) -> None:
        """Stop reading audio and keys from the leg."""
        self._exchange.frame_clock.remove(self._frame_is_over)
        if self._leg.on_key == self._key:
            self._leg.on_key = None

    def stop(self) -> None:
        """The call left: say so, then close."""
        self._queue.put(self._write.stop())
        self._queue.put(None)

    def marks(self, names: list[str]) -> None:
        for name in names:
            self._queue.put(self._write.mark(name))

    async def get(self) -> str | None:
        return await self._queue.get()

    def _key(self, digit: str) -> None:
        self._queue.put(self._write.dtmf(digit))

    def _frame_is_over(self, frame: int) -> None:
        first, end = self._next_frame, frame + 1
        if end <= first:
            return
        self._next_frame = end
        cut_after = self._exchange.faults.cut_streams_after
        if cut_after is not None and (frame - self._first_frame) * FRAME_SECONDS >= cut_after:
            self._cut()
        if len(self._queue) >= OVERFLOW_MESSAGES:
            self._warn(alerts.STREAM_UNREAD, "the server does not read: sound for it is dropped")
            return
        for track in self._write.tracks:
            source = self._leg.inbound_audio if track == "inbound" else self._leg.outbound_audio
            payload = source.read(first * FRAME_SAMPLES, end * FRAME_SAMPLES)
            since_ms = (first - self._first_frame) * FRAME_MS
            self._queue.put(self._write.media(payload, since_ms, track))


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
        self._warn(alerts.STREAM_MESSAGE, "a one-way stream takes no messages")

    async def obey(self) -> None:
        await asyncio.Event().wait()


class Downlink:
    """From the server. `playout` is what the leg heard of it."""

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
        self._queue: DelayQueue[str | bytes] = _delay_queue(exchange)
        self._timer: asyncio.TimerHandle | None = None

    def open(self) -> None:
        self.playout = Playout(self._exchange.clock.now())
        self._leg.listen_to(self.playout)

    def close(self) -> None:
        """Stop playing; buffered audio is dropped."""
        if self._timer:
            self._timer.cancel()
        self.playout.clear(self._exchange.clock.now())
        if self._leg.outbound_audio.source is self.playout:
            self._leg.listen_to(None)

    def put(self, message: str | bytes) -> None:
        self._queue.put(message)

    async def obey(self) -> None:
        """Carry out every message, until cancelled."""
        while True:
            self._carry_out(await self._queue.get())

    def _carry_out(self, message: str | bytes) -> None:
        now = self._exchange.clock.now()
        if self._leg.outbound_audio.source is not self.playout:
            return  # The leg is over or hears something else: this comes too late.
        try:
            order = stream_messages.read(message, self._sid)
        except BadMessage as error:
            self._warn(error.code, error.text)
            return
        if isinstance(order, Media):
            if self.playout.play(order.payload, now) < len(order.payload):
                self._warn(alerts.STREAM_OVERFLOW, "more than ten minutes are buffered: dropped")
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


T = TypeVar("T")


class DelayQueue(Generic[T]):
    """`seconds` for everything, plus up to `jitter` at random for each."""

    def __init__(
        self, clock: Clock, seconds: float, jitter: float = 0.0, *, entropy: Random
    ) -> None:
        self._clock = clock
        self._seconds = seconds
        self._jitter = jitter
        self._random = entropy
        self._last = 0.0
        self._items: asyncio.Queue[tuple[float, T]] = asyncio.Queue()

    def put(self, item: T) -> None:
        due = self._clock.now() + self._seconds + self._random.uniform(0, self._jitter)
        self._last = max(self._last, due)
        self._items.put_nowait((self._last, item))

    async def get(self) -> T:
        due, item = await self._items.get()
        if due > self._clock.now():
            await self._clock.sleep_until(due)
        return item

    def __len__(self) -> int:
        return self._items.qsize()


def stream_url_problem(exchange: Exchange, url: str) -> tuple[int, str] | None:
    """Say why a stream to `url` cannot be opened, as Twilio's number and a text."""
    parts = urlsplit(url)
    insecure = exchange.settings.allow_insecure and is_loopback(url)
    if parts.scheme != "wss" and not (parts.scheme == "ws" and insecure):
        return alerts.STREAM_SCHEME, f"expected a wss:// URL, got {parts.scheme}://"
    if not parts.hostname or parts.fragment:
        return alerts.STREAM_URL, f"malformed URL {url!r}"
    if parts.query:
        return alerts.STREAM_HANDSHAKE, "a query string in the URL is not supported"
    try:
        tunnel_route(url, exchange.webhooks.tunnel)
    except NotReachable as error:
        return alerts.STREAM_HOST, str(error)
    return None


MOST_TRACKS = 4

TRACKS: dict[str, tuple[str, ...]] = {
    "inbound_track": ("inbound",),
    "outbound_track": ("outbound",),
    "both_tracks": ("inbound", "outbound"),
}


def start_one_way_stream(
    exchange: Exchange,
    leg: Leg,
    url: str,
    parameters: dict[str, str],
    *,
    track: str = "inbound_track",
    name: str = "",
    callback: tuple[str, str] | None = None,
) -> Stream:
    """Open a one-way stream; its status callback says whether that worked."""
    running = [each for each in leg.streams if each.tracks and not each.over]
    tracks = TRACKS.get(track, ())
    stream = Stream(
        exchange,
        leg,
        url,
        parameters,
        name=name,
        callback=callback,
        tracks=tracks or ("inbound",),
    )
    problem = stream_url_problem(exchange, url)
    if not tracks:
        problem = alerts.STREAM_TRACK, f"unknown track {track!r}"
    elif problem is None and name and any(each.name == name for each in running):
        problem = alerts.STREAM_FAILED, f"a stream named {name!r} runs already"
    elif problem is None and sum(len(each.tracks) for each in running) + len(tracks) > MOST_TRACKS:
        problem = alerts.STREAM_FAILED, f"more than {MOST_TRACKS} tracks of one call"
    if problem:
        stream.fail(*problem)
    else:
        exchange.tasks.start(stream.run_beside(), f"start_one_way_stream {stream.sid}")
    return stream


def find(leg: Leg, name: str) -> Stream | None:
    """Find a running one-way stream by SID or name."""
    running = (each for each in leg.streams if each.tracks and not each.over)
    return next((each for each in running if name in (each.sid, each.name)), None)
