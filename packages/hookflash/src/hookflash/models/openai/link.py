"""The shell of a Realtime session: sockets and tasks. It reads no message.

| resource          | acquired                       | released                                 |
|-------------------|--------------------------------|------------------------------------------|
| task of a link    | `OpenAIConnector.open`         | ends with its socket; `aclose` waits     |
| socket of a link  | in that task, by `ws_connect`  | in that task, closed or aborted          |

Rules:

* Everything runs in the event loop's thread. `open` returns at once and posts nothing before it has
  returned. `carry_out` and `close` never wait, and never raise if the peer is gone.
* `ModelLost` is posted at most once and last. After `close` nothing is posted.
* picows delivers frames, so fragments are joined, up to a limit. Its listener must answer a CLOSE
  and must not raise.
* A model that stops reading is detected by the unsent bytes (`max_unsent_bytes`), by their age
  (`stall_seconds`), and by an unanswered ping. Each is `ModelLost`, without unbounded memory and
  without delaying other calls.
* Audio takes a fast path of one or two function calls; everything else goes through the session's
  lists. Unsent bytes are checked only after the socket has reported that it is full.
* Redirects are not followed, because they would send the key elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Mapping

from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSError,
    WSHandshakeError,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from hookflash.core.audio import payload_size
from hookflash.core.commands import AnyCommand, SendCallerAudio
from hookflash.core.events import AnyEvent, ModelLost
from hookflash.core.setup import ModelSetup
from hookflash.errors import ConfigError
from hookflash.models.openai.error_mapping import on_refused_upgrade
from hookflash.models.openai.frames import MAX_MESSAGE_BYTES, Frames
from hookflash.models.openai.messages import SOUND_END, SOUND_HEAD, AudioDelta, decode
from hookflash.models.openai.options import (
    CAPABILITIES,
    DEFAULT_URL,
    RealtimeOptions,
    is_loopback_url,
    realtime_url,
)
from hookflash.models.openai.session import RealtimeSession, SessionState
from hookflash.models.openai.turn_timing import TurnTiming

logger = logging.getLogger("hookflash.model")

_READ_BYTES = 4096
"""The initial read buffer; it grows if the model sends more at once."""

_TEXT = WSMsgType.TEXT

_socket_logger = logging.getLogger("hookflash.model.socket")
# At DEBUG level picows logs the whole upgrade request, including the key.
_socket_logger.setLevel(logging.WARNING)

EventSink = Callable[[AnyEvent], object]


class OpenAILink:
    """One session with the model: `runtime.ports.ModelLink`."""

    def __init__(
        self,
        session: RealtimeSession,
        on_event: EventSink,
        *,
        max_unsent_bytes: int,
        stall_seconds: float = 10.0,
        timed: bool,
    ) -> None:
        self.settled = asyncio.Event()
        """Set once it is known whether the session is usable."""
        self.finished = asyncio.Event()
        """Set once the socket is no longer needed."""
        self._session = session
        self._on_event: EventSink | None = on_event
        self._max_unsent_bytes = max_unsent_bytes
        self._stall_seconds = stall_seconds
        self._transport: WSTransport | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._now = asyncio.get_running_loop().time
        self._timing = TurnTiming(self._now()) if timed else None

    # --- called by the call -------------------------------------------------------------------

    def carry_out(self, command: AnyCommand) -> None:
        """Send a command to the model, or queue it until the session is ready."""
        if self._timing is not None:
            self._log_time(self._timing.command(command, self._now()))
        self._session.carry_out(command)
        self._flush()

    def send_sound(self, payload: bytes) -> None:
        """Send caller audio (base64). It comes fifty times a second."""
        transport = self._transport
        if self._session.takes_sound and transport is not None:
            transport.send(_TEXT, SOUND_HEAD + payload + SOUND_END)
            if self._stalled is not None:
                self._check_unsent()
        else:
            text = payload.decode()
            self.carry_out(SendCallerAudio(text, payload_size(text)))

    def close(self) -> None:
        """End the session; nothing is posted from now on."""
        self._on_event = None
        self._session.close()
        self._update_waiters()

    # --- called by the socket -----------------------------------------------------------------

    def opened(self, transport: WSTransport) -> None:
        self._transport = transport
        self._session.opened()
        self._flush()

    def message(self, data: bytes) -> None:
        message = decode(data)
        if type(message) is AudioDelta and self._session.takes_sound and self._timing is None:
            audio = self._session.audio(message)
            if audio is not None and self._on_event is not None:
                self._on_event(audio)
            return
        found = self._session.read(message)
        self._flush()
        self._report(found)

    def full(self) -> None:
        """Handle a full socket: messages are now buffered in this process."""
        if self._stalled is None:
            loop = asyncio.get_running_loop()
            self._stalled = loop.call_later(self._stall_seconds, self._lose_stalled)

    def drained(self) -> None:
        """Handle a socket that accepts data again."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def disconnected(self, code: int, reason: str) -> None:
        self._transport = None
        self.drained()
        self._report(self._session.disconnected(code, reason))

    def fail(self, fault: ModelLost) -> None:
        """Report `fault`: the session cannot continue, for a reason on this side."""
        self._report(self._session.lost(fault))

    def _flush(self) -> None:
        frames = self._session.frames()
        transport = self._transport
        if transport is None or not frames:
            return
        for frame in frames:
            transport.send(_TEXT, frame)
        if self._stalled is not None:
            self._check_unsent()

    def _check_unsent(self) -> None:
        transport = self._transport
        if transport is None:
            return
        unsent = transport.underlying_transport.get_write_buffer_size()
        if unsent > self._max_unsent_bytes:
            self.fail(ModelLost(f"the model has stopped reading: {unsent} bytes wait unsent"))

    def _lose_stalled(self) -> None:
        text = f"the model has stopped reading: nothing was taken for {self._stall_seconds:g} s"
        self.fail(ModelLost(text))

    def _report(self, found: list[AnyEvent]) -> None:
        # A posted event may call `close`, or `carry_out`, which re-enters this method.
        for event in found:
            on_event = self._on_event
            if on_event is None:
                break
            if isinstance(event, ModelLost):
                self._on_event = None
            if self._timing is not None:
                self._log_time(self._timing.event(event, self._now()))
            on_event(event)
        self._update_waiters()

    def _update_waiters(self) -> None:
        state = self._session.state
        if state is SessionState.CLOSING or state is SessionState.CLOSED:
            self.settled.set()
            self.finished.set()
        elif state is SessionState.READY:
            self.settled.set()

    def _log_time(self, text: str | None) -> None:
        if text is not None:
            logger.info("%s %% %s", self._session.session_id or "-", text)


class OpenAIConnector:
    """Opens Realtime sessions: `runtime.ports.ModelConnector`. One serves a whole process.

    `url` is the endpoint without the model (`DEFAULT_URL`); plain ws only for this machine.
    `connect_seconds` limits the time until a session is ready, `close_seconds` the answer to a
    close. The peer is pinged every `ping_seconds`, and lost if it does not answer within the same
    time. `max_unsent_bytes` limits the unsent data, and `stall_seconds` how long the socket may be
    full. `extra_headers` are for proxies and for Azure (`api-key`). Raises `ConfigError` at once
    for an invalid URL or key.
    """

    capabilities = CAPABILITIES

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        api_key: str | None = None,
        options: RealtimeOptions | None = None,
        extra_headers: Mapping[str, str] | None = None,
        connect_seconds: float = 8.0,
        close_seconds: float = 2.0,
        ping_seconds: float = 1.2,
        max_unsent_bytes: int = 512 * 1024,
        stall_seconds: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._options = options or RealtimeOptions()
        self._endpoint = url
        self._url = realtime_url(url, self._options.model)
        self._headers = _headers(self._url, api_key, extra_headers or {})
        self._connect_seconds = connect_seconds
        self._close_seconds = close_seconds
        self._ping_seconds = ping_seconds
        self._max_unsent_bytes = max_unsent_bytes
        self._stall_seconds = stall_seconds
        if ssl_context is None and self._url.startswith("wss:"):
            ssl_context = ssl.create_default_context()
        self._ssl_context = ssl_context
        self._links: dict[asyncio.Task[None], OpenAILink] = {}

    def open(self, setup: ModelSetup, on_event: EventSink) -> OpenAILink:
        """Start a session; it posts `ModelReady` or `ModelLost` to `on_event`."""
        link = OpenAILink(
            RealtimeSession(setup, self._options),
            on_event,
            max_unsent_bytes=self._max_unsent_bytes,
            stall_seconds=self._stall_seconds,
            timed=self._options.log_timing,
        )
        # The model is in the address: a session cannot change it.
        url = realtime_url(self._endpoint, setup.own.model) if setup.own.model else self._url
        run = self._run(link, setup.safety_identifier, url)
        task = asyncio.get_running_loop().create_task(run)
        self._links[task] = link
        task.add_done_callback(self._links.pop)
        return link

    async def aclose(self) -> None:
        """Close every session and wait until their sockets are gone."""
        tasks = list(self._links)
        for link in list(self._links.values()):
            link.close()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self._close_seconds * 2)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, link: OpenAILink, safety_identifier: str | None, url: str) -> None:
        """Run one link: connect, wait for its end, release everything."""
        transport: WSTransport | None = None
        try:
            headers = dict(self._headers)
            if safety_identifier is not None:
                headers["OpenAI-Safety-Identifier"] = _header_value(
                    "safety_identifier", safety_identifier
                )
            async with asyncio.timeout(self._connect_seconds):
                transport = await self._connect(link, headers, url)
                await link.settled.wait()
            await link.finished.wait()
        except (ConfigError, OSError, WSError) as fault:
            link.fail(self._loss_for(fault))
        except Exception:
            # The task ends here. Without an event the call would wait for this session.
            logger.exception("! the link to the model failed: an error in Hookflash")
            link.fail(ModelLost("the link to the model failed: an error in Hookflash"))
        finally:
            if transport is not None:
                await self._close_transport(transport)

    async def _connect(self, link: OpenAILink, headers: dict[str, str], url: str) -> WSTransport:
        transport, _ = await ws_connect(
            lambda: Frames(link),
            url,
            ssl_context=self._ssl_context,
            # aiofastnet is faster for TLS and slower for a plain socket.
            use_aiofastnet=False if self._ssl_context is None else None,
            # Shorter than the whole limit, so that picows ends a hanging handshake and cleans up.
            websocket_handshake_timeout=self._connect_seconds * 0.75,
            logger_name=_socket_logger,
            enable_auto_ping=True,
            auto_ping_idle_timeout=self._ping_seconds,
            auto_ping_reply_timeout=self._ping_seconds,
            # Not only when idle: a peer that sends but never reads is stalled, too.
            auto_ping_strategy=WSAutoPingStrategy.PING_PERIODICALLY,
            max_frame_size=MAX_MESSAGE_BYTES,
            read_buffer_init_size=_READ_BYTES,
            extra_headers=headers,
            max_redirects=0,
        )
        if transport.is_disconnected and not link.settled.is_set():
            # picows returns without a listener if the peer closes without an answer.
            raise ConnectionError("it closed the connection without an answer")
        return transport

    def _loss_for(self, fault: Exception) -> ModelLost:
        """Return the event for a connection that failed with `fault`."""
        if isinstance(fault, ConfigError):
            return ModelLost(str(fault), remedy="none")
        if isinstance(fault, TimeoutError):
            return ModelLost(f"the model was not ready within {self._connect_seconds:g} s")
        if isinstance(fault, WSHandshakeError):
            if fault.response is not None:
                return on_refused_upgrade(int(fault.response.status), fault.raw_body or b"")
            return ModelLost(f"the model's endpoint speaks no WebSocket: {fault}"[:300])
        if isinstance(fault, ssl.SSLCertVerificationError):
            text = f"the model's certificate is not trusted ({fault.verify_message})"
            return ModelLost(f"{text}: check HOOKFLASH_MODEL_URL", remedy="none")
        return ModelLost(f"the model cannot be reached: {fault}"[:300])

    async def _close_transport(self, transport: WSTransport) -> None:
        # An error here ended the connection, and the link has already reported it.
        with contextlib.suppress(WSError, OSError):
            try:
                async with asyncio.timeout(self._close_seconds):
                    transport.send_close(WSCloseCode.OK)
                    await transport.wait_disconnected()
            except (TimeoutError, asyncio.CancelledError):
                transport.disconnect(graceful=False)
                await transport.wait_disconnected()


def _headers(url: str, api_key: str | None, extra: Mapping[str, str]) -> dict[str, str]:
    headers = {name: _header_value(name, value) for name, value in extra.items()}
    if not api_key and not extra:
        if not is_loopback_url(url):
            raise ConfigError(
                "OPENAI_API_KEY is not set, and the model's URL is not of this machine"
            )
        # A stand-in requires a key, as the API does, but accepts any.
        api_key = "stand-in"
    if api_key:
        headers["Authorization"] = f"Bearer {_header_value('OPENAI_API_KEY', api_key)}"
    return headers


def _header_value(name: str, value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ConfigError(f"{name} must be printable ASCII on one line: check how it was set")
    return value
