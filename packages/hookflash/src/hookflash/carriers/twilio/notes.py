"""One stream that only listens while the caller talks with a human. No I/O.

    WAITING --start, token good--> OPEN --stop, closed(), close(), too much garbage--> OVER
       |
       +-- anything but connected and start, token bad, nobody listens --> OVER (socket closed)

`<Start><Stream track="both_tracks">` runs beside the TwiML that follows it: the track `inbound` is
what the caller says, `outbound` what they hear, so the human. Twilio takes nothing on such a
stream, and nothing is ever sent.

Rules: the token is checked before anything else is done for the call; ears are told once that it
is over, whoever ends it; garbage is counted and let pass up to a bound, as on the media socket.
Closing the socket ends the stream and nothing else: the talk goes on.

Source: twilio.com/docs/voice/twiml/stream and its page on websocket messages.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import Literal, Protocol

from hookflash.carriers.twilio.media import (
    GARBAGE_LIMIT,
    NORMAL,
    POLICY,
    PROTOCOL_ERROR,
    Redeem,
)
from hookflash.carriers.twilio.messages import (
    Connected,
    Media,
    Message,
    Start,
    Stop,
    Unknown,
    any_sound,
    decode,
)
from hookflash.carriers.twilio.twiml import TOKEN
from hookflash.core.events import CallerAudio
from hookflash.errors import CarrierProtocolError

log = logging.getLogger("hookflash.call")


class Ears(Protocol):
    """Who listens to a stream (`runtime.notes`)."""

    def hear(self, speaker: Literal["caller", "human"], sound: CallerAudio) -> None: ...

    def ended(self) -> None: ...


Attach = Callable[[str, int, "NotesStream"], Ears | None]
"""(call SID, step, stream) -> who listens; None if nobody wants to hear it, or any more."""


class State(enum.Enum):
    WAITING = enum.auto()
    OPEN = enum.auto()
    OVER = enum.auto()


class NotesStream:
    """Satisfies `runtime.ports.ListeningStream`.

    The socket's shell calls `receive` with each text frame and `closed` when the socket is gone.
    `close_socket(code, reason)` queues the close, and may neither block nor raise.
    """

    def __init__(
        self,
        *,
        close_socket: Callable[[int, str], None],
        redeem: Redeem,
        attach: Attach,
    ) -> None:
        self.stream_sid = ""
        self._state = State.WAITING
        self._close_socket = close_socket
        self._redeem = redeem
        self._attach = attach
        self._ears: Ears | None = None
        self._garbage = 0

    @property
    def started(self) -> bool:
        """Whether `start` has come and was good."""
        return self._ears is not None

    def close(self) -> None:
        """Listen no more."""
        self._refuse(NORMAL, "")

    # --- called by the socket's shell -----------------------------------------------------------

    def receive(self, text: str | bytes) -> None:
        """Take one text frame."""
        if self._state is State.OVER:
            return
        try:
            message = decode(text)
            if self._state is State.WAITING:
                self._begin(message)
            else:
                self._deliver(message)
        except CarrierProtocolError as error:
            self._count(error)

    def closed(self, reason: str = "") -> None:
        """The socket is gone, for whatever reason."""
        self._end()

    # --- inside ---------------------------------------------------------------------------------

    def _begin(self, message: Message) -> None:
        if isinstance(message, Connected | Unknown):
            return
        if not isinstance(message, Start):
            raise CarrierProtocolError(
                f"notes socket: expected connected or start, got {type(message).__name__}"
            )
        call_sid = message.start.call_sid
        step = self._redeem(call_sid, message.parameter(TOKEN))
        if step is None:
            log.warning("! %r notes socket refused: token is wrong, used or too old", call_sid[:34])
            self._refuse(POLICY, "token")
            return
        self.stream_sid = message.checked_sid()
        self._ears = self._attach(call_sid, step, self)
        if self._ears is None:
            # The call may just have gone on: to the carrier that is no error.
            log.info("%s = nobody listens to the talk any more", call_sid)
            self._refuse(NORMAL, "nobody listens")
            return
        self._state = State.OPEN

    def _deliver(self, message: Message) -> None:
        if isinstance(message, Connected | Start):
            raise CarrierProtocolError(
                f"notes socket: expected nothing like {type(message).__name__} after start"
            )
        if message.stream_sid not in ("", self.stream_sid):
            raise CarrierProtocolError("notes socket: expected our own stream SID, got another")
        if isinstance(message, Stop):
            self._refuse(NORMAL, "")
        elif isinstance(message, Media):
            sound = any_sound(message)
            if sound is not None and self._ears is not None:
                said = message.media.track.startswith("inbound")
                self._ears.hear("caller" if said else "human", sound)

    def _count(self, error: CarrierProtocolError) -> None:
        """Let garbage pass, up to a bound; before `start` the bound is none at all."""
        if self._state is State.WAITING:
            log.warning("! notes socket refused: %s", error)
            self._refuse(POLICY, "expected start")
            return
        self._garbage += 1
        log.warning("! %s garbage %d: %s", self.stream_sid, self._garbage, error)
        if self._garbage >= GARBAGE_LIMIT:
            self._refuse(PROTOCOL_ERROR, "not a media stream")

    def _refuse(self, code: int, reason: str) -> None:
        if self._state is not State.OVER:
            self._close_socket(code, reason)
        self._end()

    def _end(self) -> None:
        was, self._state = self._state, State.OVER
        if was is State.OPEN and self._ears is not None:
            self._ears.ended()
