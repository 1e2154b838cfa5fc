"""A media stream: the carrier's end of the media socket.

    connect -> connected, start -> media up every 20 ms; media, mark, clear down -> ended
                                                                     server closes |
                                             call moved or over: stop, then close -+
                                                        cut by a fault: no stop ---+

When the stream ends, what is still buffered is thrown away. A one-way stream (`tracks` given, from
`<Start>`) goes on beside the TwiML until it is stopped or the call is over, and plays nothing.

resource | acquired | released
task     | `run`    | when the socket is closed; `Tasks`
socket   | `_run`   | closed there
sides    | `_run`   | `_close_sides`
"""

from __future__ import annotations

import asyncio
from typing import Literal

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from hookflash_local.carrier import notices
from hookflash_local.carrier.bridge import first_of
from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.ids import iso8601
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.playout import Playout
from hookflash_local.carrier.signature import sign
from hookflash_local.carrier.stream_sides import Downlink, NoDownlink, Uplink
from hookflash_local.carrier.tunnel import road

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
            self._exchange.notice(code, f"media stream: {text}", self._leg)


class Stream:
    """`error` is Twilio's number if it failed; `playout` the truth about what was played."""

    def __init__(
        self,
        exchange: Exchange,
        leg: Leg,
        url: str,
        parameters: dict[str, str],
        *,
        name: str = "",
        report_to: tuple[str, str] | None = None,
        tracks: tuple[str, ...] = (),
    ) -> None:
        self.sid = exchange.new_sid("MZ")
        self.url = url
        self.tracks = tracks
        self.error: int | None = None
        self._exchange = exchange
        self._leg = leg
        self._about = (name or self.sid, parameters, report_to)
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

    def cut(self) -> None:
        """Break the socket, as a network does: no `stop`, no close."""
        if self._socket:
            self._socket.transport.abort()

    def fail(self, code: int, text: str) -> None:
        """Note an error of this stream, and tell it where the TwiML wants it told."""
        self.error = code
        self._exchange.notice(code, f"media stream: {text}", self._leg)
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
            self.fail(notices.STREAM_BROKEN, "the connection broke")
        elif socket.close_code not in (1000, 1005):
            self.fail(notices.STREAM_CLOSE, f"the server closed with {socket.close_code}")
        self._report("stream-stopped")

    async def _connect(self) -> ClientConnection | None:
        """Open the socket; None if it could not be, with the reason noted."""
        settings = self._exchange.settings
        way = road(self.url, self._exchange.webhooks.tunnel)
        headers = {**way.headers, "X-Twilio-Signature": sign(settings.auth_token, self.url)}
        try:
            return await _Once(
                way.url,
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
            self.fail(notices.STREAM_HANDSHAKE, f"the upgrade was answered with {status}")
        except (InvalidHandshake, InvalidMessage, EOFError) as error:
            self.fail(notices.STREAM_HANDSHAKE, f"the upgrade failed: {error}")
        except TimeoutError:
            self.fail(notices.STREAM_TIMEOUT, "no answer to the upgrade in time")
        except OSError as error:
            self.fail(notices.STREAM_REFUSED, f"cannot connect: {error}")
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
        name, _, report_to = self._about
        if report_to is None:
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
        self._exchange.webhooks.tell(*report_to, form, call_sid=self._leg.sid)
