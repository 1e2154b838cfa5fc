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

import logging
from collections.abc import Callable
from typing import Literal, Protocol

from hookflash.carriers.twilio.media import NORMAL, Redeem, StreamSocket, StreamState
from hookflash.carriers.twilio.messages import Media, Message, Stop, any_sound, decode
from hookflash.core.events import CallerAudio
from hookflash.errors import CarrierProtocolError

log = logging.getLogger("hookflash.call")


class NotesReceiver(Protocol):
    """Receives the audio of a stream (`runtime.notes_transcriber`)."""

    def hear(self, speaker: Literal["caller", "human"], sound: CallerAudio) -> None: ...

    def ended(self) -> None: ...


Attach = Callable[[str, int, "NotesStream"], NotesReceiver | None]
"""(call SID, step, stream) -> its receiver; None if notes are not wanted, or no longer."""


class NotesStream(StreamSocket):
    """Satisfies `runtime.ports.ListeningStream`.

    The socket's shell calls `receive` with each text frame, and `closed` when the socket is gone.
    `close_socket(code, reason)` queues the close; it may neither block nor raise.
    """

    name = "notes socket"

    def __init__(
        self,
        *,
        close_socket: Callable[[int, str], None],
        redeem: Redeem,
        attach: Attach,
    ) -> None:
        super().__init__(close_socket=close_socket, redeem=redeem)
        self._attach = attach
        self._receiver: NotesReceiver | None = None

    @property
    def started(self) -> bool:
        """Return whether a valid `start` has arrived."""
        return self._receiver is not None

    def close(self) -> None:
        """Stop receiving."""
        if self._state is not StreamState.OVER:
            self._end("")
            self._close_socket(NORMAL, "")

    def send_raw(self, text: str) -> None:
        """Do nothing: nothing is ever sent on such a stream."""

    # --- called by the socket's shell -----------------------------------------------------------

    def receive(self, text: str | bytes) -> None:
        """Take one text frame."""
        if self._state is StreamState.OVER:
            return
        if self._relay is not None:
            self._relay(text)
            return
        try:
            message = decode(text)
            if self._state is StreamState.WAITING:
                self._begin(message)
            else:
                self._deliver(message)
        except CarrierProtocolError as error:
            self._count(error)

    def closed(self, reason: str = "") -> None:
        """Handle the end of the socket."""
        self._end(reason)

    # --- messages -------------------------------------------------------------------------------

    def _attach_call(self, call_sid: str, step: int) -> None:
        self._receiver = self._attach(call_sid, step, self)
        if self._receiver is None:
            # The call may have moved on meanwhile. For the carrier that is not an error.
            log.info("%s = the notes of this conversation have ended", call_sid)
            self._refuse(NORMAL, "nobody listens")

    def _deliver(self, message: Message) -> None:
        message = self._after_start(message)
        if isinstance(message, Stop):
            self.close()
        elif isinstance(message, Media):
            sound = any_sound(message)
            if sound is not None and self._receiver is not None:
                said = message.media.track.startswith("inbound")
                self._receiver.hear("caller" if said else "human", sound)

    def _end(self, reason: str) -> None:
        was, self._state = self._state, StreamState.OVER
        if was is StreamState.OPEN and self._receiver is not None:
            self._receiver.ended()
