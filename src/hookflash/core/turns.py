"""The floor: who may speak, and when the model is asked to.

The model runs at most one response at a time. A wish for one is sent at once when the floor is
free, and kept when it is not:

    FREE --ask--> ASKED --started--> ANSWERING --ended--> FREE
     |                                  ^
     +------- started by the model -----+

A kept wish is sent when the floor is free again: the running response ended, or the caller
stopped. A wish without words of its own (a tool has answered) is met by any response that began
after it was made, because the model reads its whole conversation each time.

The floor also knows lines that the caller cannot take away (`protect`): while one is to be heard,
speech does not win. The model never interrupts itself here: `interrupt_response` is off, so that
one place decides about barge-in, with the ledger at hand.
"""

from __future__ import annotations

from enum import Enum

from hookflash.core.commands import CancelResponse, RequestResponse

ALREADY_ACTIVE = "conversation_already_has_active_response"

_RETRIES = 2
_RETRY_SECONDS = 1.0

_OWN_ANSWER_SECONDS = 2.0
"""How long the model may take to begin its own answer to the caller."""

_ANSWER_SECONDS = 10.0
"""How long it may take to begin what it was asked for; a session that takes longer is dead."""

_SILENT_SECONDS = 20.0
"""How long a response may run without a sound or an end. A model that thinks for longer has lost
the caller anyway, and one that hangs would hold the floor for ever."""


class State(Enum):
    FREE = "free"
    ASKED = "asked"
    ANSWERING = "answering"


class Floor:
    """Whose turn it is. Methods return the commands that follow."""

    def __init__(self) -> None:
        self.state = State.FREE
        self.response_id: str | None = None
        self.spoke = False
        """Whether the response of now, or the last one, has made a sound."""
        self.caller_speaking = False
        self.protected = False
        self.failures = 0
        self._asked: RequestResponse | None = None
        self._wish: RequestResponse | None = None
        self._retry_at: float | None = None
        self._answer_by = 0.0

    # --- wishes -------------------------------------------------------------------------------

    def ask(self, wish: RequestResponse, now: float) -> list[RequestResponse]:
        """Have the model speak, now or as soon as it can. Words outrank no words."""
        if self._wish is None or wish.instructions is not None:
            self._wish = wish
        return self._grant(now)

    def drop_wish(self) -> None:
        """Nothing of ours is to be said any more, not even when it was asked for already."""
        self._wish = None
        self._asked = None
        self._retry_at = None

    @property
    def busy(self) -> bool:
        """Whether a response is running, asked for or wished for."""
        return self.state is not State.FREE or self._wish is not None

    # --- the model's responses ----------------------------------------------------------------

    def response_started(self, response_id: str, now: float) -> list[CancelResponse]:
        """A response is running. One of ours that crossed the caller's speech is stopped at once;
        its words are kept, and without words the caller's turn will be answered anyway."""
        if self.state is State.FREE and self._wish is not None and self._wish.instructions is None:
            self._wish = None
        self._retry_at = None
        ours = self.state is State.ASKED
        self.state = State.ANSWERING
        self.response_id = response_id
        self.spoke = False
        self._answer_by = now + _SILENT_SECONDS
        if ours and self.caller_speaking and not self.protected:
            if self._asked is not None and self._asked.instructions is not None:
                self._wish = self._wish or self._asked
            return self.cancel()
        return []

    def response_ended(self, response_id: str, now: float) -> list[RequestResponse]:
        if response_id != self.response_id:
            return []
        self.state = State.FREE
        self.response_id = None
        self.failures = 0
        self._asked = None
        return self._grant(now)

    def response_failed(self, response_id: str, now: float) -> bool:
        """The model failed to answer. Return whether it is worth another try, after a moment."""
        if response_id != self.response_id:
            return True
        again = self._asked or RequestResponse()
        self.state = State.FREE
        self.response_id = None
        self._asked = None
        self.failures += 1
        if self.failures > _RETRIES:
            return False
        self._wish = self._wish or again
        self._retry_at = now + _RETRY_SECONDS
        return True

    def refused(self, code: str, now: float) -> None:
        """A request of ours crossed a response that the model had begun by itself: keep it."""
        if code != ALREADY_ACTIVE:
            return
        # That response may have begun before the model knew what the request is about.
        self._wish = self._wish or self._asked
        self._asked = None
        if self.state is State.ASKED:
            self.state = State.FREE
            self._retry_at = now + _OWN_ANSWER_SECONDS

    def cancel(self) -> list[CancelResponse]:
        """Stop the running response, if there is one; it ends by itself a moment later."""
        if self.state is State.ANSWERING and self.response_id is not None:
            return [CancelResponse(self.response_id)]
        return []

    def forget(self) -> bool:
        """The model's session is gone. Return whether it still owed the caller an answer."""
        owed = self.busy
        self.state = State.FREE
        self.response_id = None
        self.failures = 0
        self.caller_speaking = False
        self.drop_wish()
        return owed

    # --- the caller ---------------------------------------------------------------------------

    def caller_started(self) -> bool:
        """The caller speaks. Return whether speech may win the floor."""
        self.caller_speaking = True
        return not self.protected

    def caller_stopped(self, now: float) -> None:
        """The caller is done. A wish stays put, for the model answers by itself now, and words of
        ours follow its answer; if it does not answer, `expire` grants the wish."""
        self.caller_speaking = False
        if self._wish is not None:
            self._retry_at = now + _OWN_ANSWER_SECONDS

    # --- the timer ----------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        if not self._waiting:
            return self._retry_at
        return self._answer_by if self._retry_at is None else min(self._answer_by, self._retry_at)

    def overdue(self, now: float) -> bool:
        """Whether the model owes a sound that has not come in time."""
        return self._waiting and now >= self._answer_by

    @property
    def _waiting(self) -> bool:
        return self.state is State.ASKED or (self.state is State.ANSWERING and not self.spoke)

    def expire(self, now: float) -> list[RequestResponse]:
        if self._retry_at is None or now < self._retry_at:
            return []
        self._retry_at = None
        return self._grant(now)

    def _grant(self, now: float) -> list[RequestResponse]:
        quiet = self.protected or not self.caller_speaking
        ready = self.state is State.FREE and quiet and self._retry_at is None
        if self._wish is None or not ready:
            return []
        wish, self._wish = self._wish, None
        self._asked = wish
        self.state = State.ASKED
        self._answer_by = now + _ANSWER_SECONDS
        return [wish]
