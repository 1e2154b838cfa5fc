"""A stream that only receives audio while the caller talks with a human. No I/O.

    WAITING --start, valid token--> OPEN --stop, closed(), close(), invalid messages--> OVER
       |
       +-- any other message, invalid token, no receiver --> OVER (socket closed)

`<Start><Stream track="both_tracks">` runs beside the TwiML that follows it. The track `inbound` is
what the caller says; `outbound` is what they hear, so the human. Nothing is ever sent on such a
stream.

Rules: the token is checked before anything is done for the call. The receiver is notified once of
the end. Invalid messages are counted as on the media socket. Closing the socket ends the stream
only: the conversation continues.

Source: twilio.com/docs/voice/twiml/stream and its page on websocket messages.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import Literal, Protocol

from hookflash.carriers.twilio.media import (
    MAX_INVALID_MESSAGES,
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


class NotesReceiver(Protocol):
    """Receives the audio of a stream (`runtime.notes_transcriber`)."""

    def hear(self, speaker: Literal["caller", "human"], sound: CallerAudio) -> None: ...

    def ended(self) -> None: ...


Attach = Callable[[str, int, "NotesStream"], NotesReceiver | None]
"""(call SID, step, stream) -> its receiver; None if notes are not wanted, or no longer."""


class NotesState(enum.Enum):
    WAITING = enum.auto()
    OPEN = enum.auto()
    OVER = enum.auto()


class NotesStream:
    """Satisfies `runtime.ports.ListeningStream`.

    The socket's shell calls `receive` with each text frame, and `closed` when the socket is gone.
    `close_socket(code, reason)` queues the close; it may neither block nor raise.
    """

    def __init__(
        self,
        *,
        close_socket: Callable[[int, str], None],
        redeem: Redeem,
        attach: Attach,
    ) -> None:
        self.stream_sid = ""
        self._state = NotesState.WAITING
        self._close_socket = close_socket
        self._redeem = redeem
        self._attach = attach
        self._receiver: NotesReceiver | None = None
        self._invalid = 0

    @property
    def started(self) -> bool:
        """Return whether a valid `start` has arrived."""
        return self._receiver is not None

    def close(self) -> None:
        """Stop receiving."""
        self._refuse(NORMAL, "")

    # --- called by the socket's shell -----------------------------------------------------------

    def receive(self, text: str | bytes) -> None:
        """Take one text frame."""
        if self._state is NotesState.OVER:
            return
        try:
            message = decode(text)
            if self._state is NotesState.WAITING:
                self._begin(message)
            else:
                self._deliver(message)
        except CarrierProtocolError as error:
            self._count(error)

    def closed(self, reason: str = "") -> None:
        """Handle the end of the socket."""
        self._end()

    # --- messages -------------------------------------------------------------------------------

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
        self._receiver = self._attach(call_sid, step, self)
        if self._receiver is None:
            # The call may have moved on meanwhile. For the carrier that is not an error.
            log.info("%s = the notes of this conversation have ended", call_sid)
            self._refuse(NORMAL, "nobody listens")
            return
        self._state = NotesState.OPEN

    def _deliver(self, message: Message) -> None:
        if isinstance(message, Connected | Start):
            raise CarrierProtocolError(
                f"notes socket: expected nothing like {type(message).__name__} after start"
            )
        if message.stream_sid not in ("", self.stream_sid):
            raise CarrierProtocolError("notes socket: expected this stream's SID, got another")
        if isinstance(message, Stop):
            self._refuse(NORMAL, "")
        elif isinstance(message, Media):
            sound = any_sound(message)
            if sound is not None and self._receiver is not None:
                said = message.media.track.startswith("inbound")
                self._receiver.hear("caller" if said else "human", sound)

    def _count(self, error: CarrierProtocolError) -> None:
        """Count an invalid message. Before `start`, the first one closes the socket."""
        if self._state is NotesState.WAITING:
            log.warning("! notes socket refused: %s", error)
            self._refuse(POLICY, "expected start")
            return
        self._invalid += 1
        log.warning("! %s invalid message %d: %s", self.stream_sid, self._invalid, error)
        if self._invalid >= MAX_INVALID_MESSAGES:
            self._refuse(PROTOCOL_ERROR, "not a media stream")

    def _refuse(self, code: int, reason: str) -> None:
        if self._state is not NotesState.OVER:
            self._close_socket(code, reason)
        self._end()

    def _end(self) -> None:
        was, self._state = self._state, NotesState.OVER
        if was is NotesState.OPEN and self._receiver is not None:
            self._receiver.ended()
