"""Requests to the model: when it is asked to speak.

The model runs at most one response at a time. A wish for one is sent at once when it is free, and
kept when it is not:

    FREE --ask--> ASKED --started--> ANSWERING --sound--> SPEAKING --ended--> FREE
     |                                  ^
     +------- started by the model -----+

A kept wish is sent when the model is free again: the running response ended, or the caller
stopped. A wish without words of its own (a tool has answered) is met by any response that began
after it was made, because the model reads its whole conversation each time.

There are also lines that the caller cannot take away (`protected`): while one is to be heard,
speech does not win. The model never interrupts itself here: `interrupt_response` is off, so that
one place decides about barge-in, with the ledger at hand.
"""

from __future__ import annotations

from hookflash.core.commands import CancelResponse, RequestResponse
from hookflash.core.conversation.states import (
    PAUSE_LIMITS,
    REQUEST_LIMITS,
    PauseState,
    RequestState,
)
from hookflash.core.timers import Timer, earliest

ALREADY_ACTIVE = "conversation_already_has_active_response"

_RETRIES = 2


class Requests:
    """Whose turn it is. Methods return the commands that follow."""

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.spoke = False
        """Whether the response of now, or the last one, has made a sound."""
        self.caller_speaking = False
        self.protected = False
        self.failures = 0
        self._asked: RequestResponse | None = None
        self._wish: RequestResponse | None = None
        self._timer = Timer(REQUEST_LIMITS, RequestState.FREE)
        self._pause = Timer(PAUSE_LIMITS, PauseState.NONE)

    @property
    def state(self) -> RequestState:
        return self._timer.state

    @property
    def answering(self) -> bool:
        """Whether a response is running."""
        return self._timer.state in (RequestState.ANSWERING, RequestState.SPEAKING)

    # --- wishes -----------------------------------------------------------------------------------

    def ask(self, wish: RequestResponse, now: float) -> list[RequestResponse]:
        """Have the model speak, now or as soon as it can. Words outrank no words."""
        if self._wish is None or wish.instructions is not None:
            self._wish = wish
        return self._grant(now)

    def drop_wish(self, now: float) -> None:
        """Nothing of ours is to be said any more, not even when it was asked for already."""
        self._wish = None
        self._asked = None
        self._pause.enter(PauseState.NONE, now)

    @property
    def busy(self) -> bool:
        """Whether a response is running, asked for or wished for."""
        return self.state is not RequestState.FREE or self._wish is not None

    # --- the model's responses --------------------------------------------------------------------

    def response_started(self, response_id: str, now: float) -> list[CancelResponse]:
        """A response is running. One of ours that crossed the caller's speech is stopped at once;
        its words are kept, and without words the caller's turn will be answered anyway."""
        free = self.state is RequestState.FREE
        if free and self._wish is not None and self._wish.instructions is None:
            self._wish = None
        self._pause.enter(PauseState.NONE, now)
        ours = self.state is RequestState.ASKED
        self._timer.enter(RequestState.ANSWERING, now)
        self.response_id = response_id
        self.spoke = False
        if ours and self.caller_speaking and not self.protected:
            if self._asked is not None and self._asked.instructions is not None:
                self._wish = self._wish or self._asked
            return self.cancel()
        return []

    def sounded(self, now: float) -> None:
        """The model has spoken."""
        self.spoke = True
        if self._timer.state is RequestState.ANSWERING:
            self._timer.enter(RequestState.SPEAKING, now)

    def response_ended(self, response_id: str, now: float) -> list[RequestResponse]:
        if response_id != self.response_id:
            return []
        self._free(now)
        self.failures = 0
        return self._grant(now)

    def response_failed(self, response_id: str, now: float) -> bool:
        """The model failed to answer. Return whether it is worth another try, after a moment."""
        if response_id != self.response_id:
            return True
        again = self._asked or RequestResponse()
        self._free(now)
        self.failures += 1
        if self.failures > _RETRIES:
            return False
        self._wish = self._wish or again
        self._pause.enter(PauseState.RETRY, now)
        return True

    def refused(self, code: str, now: float) -> None:
        """A request of ours crossed a response that the model had begun by itself: keep it."""
        if code != ALREADY_ACTIVE:
            return
        # That response may have begun before the model knew what the request is about.
        self._wish = self._wish or self._asked
        self._asked = None
        if self.state is RequestState.ASKED:
            self._timer.enter(RequestState.FREE, now)
            self._pause.enter(PauseState.OWN_ANSWER, now)

    def cancel(self) -> list[CancelResponse]:
        """Stop the running response, if there is one; it ends by itself a moment later."""
        if self.answering and self.response_id is not None:
            return [CancelResponse(self.response_id)]
        return []

    def forget(self, now: float) -> bool:
        """The model's session is gone. Return whether it still owed the caller an answer."""
        owed = self.busy
        self._free(now)
        self.failures = 0
        self.caller_speaking = False
        self.drop_wish(now)
        return owed

    # --- the caller -------------------------------------------------------------------------------

    def caller_started(self) -> bool:
        """The caller speaks. Return whether speech may win."""
        self.caller_speaking = True
        return not self.protected

    def caller_stopped(self, now: float) -> None:
        """The caller is done. A wish stays put, for the model answers by itself now, and words of
        ours follow its answer; if it does not answer, `expire` grants the wish."""
        self.caller_speaking = False
        if self._wish is not None:
            self._pause.enter(PauseState.OWN_ANSWER, now)

    # --- the timer --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        return earliest(self._timer.due, self._pause.due)

    def overdue(self, now: float) -> bool:
        """Whether the model owes a sound that has not come in time."""
        return self._timer.expired(now)

    def expire(self, now: float) -> list[RequestResponse]:
        if not self._pause.expired(now):
            return []
        self._pause.enter(PauseState.NONE, now)
        return self._grant(now)

    def _free(self, now: float) -> None:
        self._timer.enter(RequestState.FREE, now)
        self.response_id = None
        self._asked = None

    def _grant(self, now: float) -> list[RequestResponse]:
        quiet = self.protected or not self.caller_speaking
        ready = self.state is RequestState.FREE and quiet and self._pause.due is None
        if self._wish is None or not ready:
            return []
        wish, self._wish = self._wish, None
        self._asked = wish
        self._timer.enter(RequestState.ASKED, now)
        return [wish]
