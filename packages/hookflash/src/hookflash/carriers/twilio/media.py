"""One media stream, independent of the socket that carries its messages (ASGI or picows).

    WAITING --start, valid token--> OPEN --close()--> CLOSING
       |                             |                   |
       |                             +-- stop, closed(), too many invalid messages --> OVER
       +-- any other message, invalid token --> OVER (socket closed, 1008)

Rules: nothing is sent before `start`. The token is checked before anything is done for the call.
`StreamStopped` is posted exactly once. Invalid messages are counted and ignored up to a limit; then
this socket is closed, and no other. Everything is synchronous and runs in the event loop's thread;
sending only queues.
"""

from __future__ import annotations

import abc
import enum
import logging
from binascii import a2b_base64
from collections.abc import Callable
from typing import ClassVar

from hookflash.carriers.twilio.messages import (
    Connected,
    Dtmf,
    Frames,
    Mark,
    Media,
    Message,
    SoundFinder,
    Start,
    Stop,
    Unknown,
    decode,
    to_event,
    to_sound,
)
from hookflash.carriers.twilio.twiml import TOKEN
from hookflash.carriers.twilio.webhooks import is_call_sid
from hookflash.core.events import AnyEvent, StreamStarted, StreamStopped
from hookflash.errors import CarrierProtocolError

log = logging.getLogger("hookflash.call")

MAX_INVALID_MESSAGES = 20
"""How many invalid messages close the socket of one stream."""

NORMAL, PROTOCOL_ERROR, POLICY, INTERNAL = 1000, 1002, 1008, 1011
"""Close codes (RFC 6455, 7.4.1). Twilio logs all but 1000 as error 31921."""

Sink = Callable[[AnyEvent], object]
Redeem = Callable[[str, str], int | None]
"""(call SID, token) -> the step of the token, once; None if the token is invalid."""
Attach = Callable[[str, "MediaStream"], Sink | None]
"""(call SID, stream) -> where its events go; None if there is no such call."""


class StreamState(enum.Enum):
    WAITING = enum.auto()
    OPEN = enum.auto()
    CLOSING = enum.auto()
    """This side has closed the socket, and the peer has not confirmed it yet."""
    OVER = enum.auto()


_WAITING, _OPEN, _OVER = StreamState.WAITING, StreamState.OPEN, StreamState.OVER


class StreamSocket(abc.ABC):
    """What a stream for the conversation and one for notes have in common: the start, and the count
    of invalid messages.

    `close_socket(code, reason)` queues the close of the socket; it may neither block nor raise.
    """

    name: ClassVar[str]
    """What errors and logs call the socket, such as "media socket"."""

    def __init__(self, *, close_socket: Callable[[int, str], None], redeem: Redeem) -> None:
        self.stream_sid = ""
        self._state = StreamState.WAITING
        self._close_socket = close_socket
        self._redeem = redeem
        self._invalid = 0
        self._relay: Callable[[str | bytes], None] | None = None

    def relay_to(self, send: Callable[[str | bytes], None]) -> None:
        """Give every later message to `send` as it is: another process has the call."""
        self._relay = send

    @abc.abstractmethod
    def _attach_call(self, call_sid: str, step: int) -> None:
        """Connect the stream with its call. The stream is open; refuse it if there is no call."""

    @abc.abstractmethod
    def _end(self, reason: str) -> None:
        """End the stream and notify the call, once. The socket is not closed."""

    def _begin(self, message: Message) -> None:
        """Take a message before `start`, or `start`."""
        if isinstance(message, Connected | Unknown):
            return
        if not isinstance(message, Start):
            raise CarrierProtocolError(
                f"{self.name}: expected connected or start, got {type(message).__name__}"
            )
        call_sid = message.start.call_sid
        if not is_call_sid(call_sid):
            raise CarrierProtocolError(
                f"{self.name}: expected a call SID in start, got another text of"
                f" {len(call_sid)} characters"
            )
        step = self._redeem(call_sid, message.parameter(TOKEN))
        if step is None:
            log.warning(
                "! %r %s refused: its token is wrong, used or too old; each TwiML document has a"
                " new token, so only this line may answer Twilio's webhooks",
                call_sid[:34],
                self.name,
            )
            self._refuse(POLICY, "token")
            return
        self.stream_sid = message.checked_sid()
        self._state = StreamState.OPEN
        self._attach_call(call_sid, step)

    def _after_start(self, message: Message) -> Media | Mark | Dtmf | Stop | Unknown:
        """Return the message. Raises `CarrierProtocolError` for a second start, or if the message
        is another stream's."""
        if isinstance(message, Connected | Start):
            raise CarrierProtocolError(
                f"{self.name}: expected nothing like {type(message).__name__} after start"
            )
        if message.stream_sid not in ("", self.stream_sid):
            raise CarrierProtocolError(f"{self.name}: expected this stream's SID, got another")
        return message

    def _count(self, error: CarrierProtocolError) -> None:
        """Count an invalid message. Before `start`, the first one closes the socket."""
        if self._state is StreamState.WAITING:
            log.warning("! %s refused: %s", self.name, error)
            self._refuse(POLICY, "expected start")
            return
        self._invalid += 1
        log.warning("! %s invalid message %d: %s", self.stream_sid, self._invalid, error)
        if self._invalid >= MAX_INVALID_MESSAGES:
            self._end("too many invalid messages")
            self._close_socket(PROTOCOL_ERROR, "not a media stream")

    def _refuse(self, code: int, reason: str) -> None:
        """Close the socket of a stream that the call never got."""
        self._state = StreamState.OVER
        self._close_socket(code, reason)


class MediaStream(StreamSocket):
    """Satisfies `runtime.ports.CarrierStream`.

    The socket's shell calls `receive` with each text frame, and `closed` when the socket is gone.
    `send_text(text)` queues a text frame; like `close_socket`, it may neither block nor raise.
    """

    name = "media socket"

    def __init__(
        self,
        *,
        send_text: Callable[[str], None],
        close_socket: Callable[[int, str], None],
        redeem: Redeem,
        attach: Attach,
    ) -> None:
        super().__init__(close_socket=close_socket, redeem=redeem)
        self._send_text = send_text
        self._attach = attach
        self._sink: Sink | None = None
        self._frames = Frames("")
        self._sound = SoundFinder("")
        self._forward: Callable[[bytes, bytes], object] | None = None

    @property
    def started(self) -> bool:
        """Return whether a valid `start` has arrived."""
        return self._sink is not None

    # --- called by the runtime ------------------------------------------------------------------

    def play(self, payload: str) -> None:
        """Queue audio: base64 of raw mu-law. Like all sending, it is ignored after the stream has
        ended."""
        if self._state is _OPEN:
            self._send_text(self._frames.media(payload))

    def mark(self, name: str) -> None:
        if self._state is _OPEN:
            self._send_text(self._frames.mark(name))

    def clear(self) -> None:
        if self._state is _OPEN:
            self._send_text(self._frames.clear())

    def forward_sound(self, take: Callable[[bytes, bytes], object] | None) -> None:
        """Give the caller's sound to `take(base64, mu-law)` instead of posting it.

        This concerns frames of bytes in the form that Twilio sends. Others are posted.
        """
        self._forward = take

    def close(self) -> None:
        """Close the socket; Twilio then requests `<Connect action>`. `StreamStopped` follows."""
        if self._state is _OPEN:
            self._state = StreamState.CLOSING
            self._close_socket(NORMAL, "")

    def send_with(self, send_text: Callable[[str], None]) -> None:
        """Send with another function from now on, such as one that checks the buffered bytes."""
        self._send_text = send_text

    def send_raw(self, text: str) -> None:
        """Queue a message of the process that has the call."""
        if self._state is _OPEN:
            self._send_text(text)

    # --- called by the socket's shell -----------------------------------------------------------

    def receive(self, text: str | bytes) -> None:
        """Take one text frame."""
        # Sound comes fifty times a second per call; everything else is rare.
        forward = self._forward
        if forward is None or type(text) is not bytes:
            self._read(text)
            return
        payload = self._sound.find(text)
        try:
            sound = a2b_base64(payload, strict_mode=True) if payload else b""
        except ValueError:
            # Reading the whole message says what is wrong.
            sound = b""
        if sound:
            forward(payload, sound)
        else:
            self._read(text)

    def _read(self, text: str | bytes) -> None:
        state = self._state
        if state is _OVER:
            return
        if self._relay is not None:
            self._relay(text)
            return
        try:
            message = decode(text)
            sink = self._sink
            if type(message) is Media and message.stream_sid == self.stream_sid and sink:
                sound = to_sound(message)
                if sound is not None:
                    sink(sound)
            elif state is _WAITING:
                self._begin(message)
            else:
                self._deliver(message)
        except CarrierProtocolError as error:
            self._count(error)

    def closed(self, reason: str = "") -> None:
        """Handle the end of the socket."""
        self._end(reason)
        self._forward = None
        self._state = StreamState.OVER

    # --- messages -------------------------------------------------------------------------------

    def _attach_call(self, call_sid: str, step: int) -> None:
        self._frames = Frames(self.stream_sid)
        self._sound = SoundFinder(self.stream_sid)
        sink = self._attach(call_sid, self)
        if sink is None:
            log.warning("! %s media socket refused: no such call", call_sid)
            self._refuse(INTERNAL, "no such call")
            return
        self._sink = sink
        sink(StreamStarted(self.stream_sid, step))

    def _deliver(self, message: Message) -> None:
        message = self._after_start(message)
        if isinstance(message, Unknown):
            log.debug("< %s unknown event %s", self.stream_sid, message.event)
        elif isinstance(message, Stop):
            self._end("stop")
            self._close_socket(NORMAL, "")
        else:
            event = to_event(message)
            if event is not None and self._sink is not None:
                self._sink(event)

    def _end(self, reason: str) -> None:
        if self._state is not StreamState.OVER and self._sink is not None:
            self._state = StreamState.OVER
            self._forward = None
            self._sink(StreamStopped(self.stream_sid, reason))
