"""Requests to the model: each has an identity, waits for its turn, and is spoken once.

The model runs at most one response at a time. A request is sent at once when it is free, and waits
in a queue when it is not; the queue is in the order of `Kind`.

    FREE --asked--> ASKED --started--> ANSWERING --sound--> SPEAKING --ended--> FREE
      |                                  ^   |                 |
      +------- started by the model -----+   +--cancelled--> CANCELLING

Every request carries an id of ours, and the model echoes it: so a response, and an error, is known
for the request that it belongs to. A response without one is the model's own answer to a turn of
the caller. A request whose response never made a sound is made again, a few times; the count of
failures goes back only when a response was spoken to its end.

There are also lines that the caller cannot take away (`protected`): while one is to be heard,
speech does not win. The model never interrupts itself here: `interrupt_response` is off, so that
one place decides about barge-in, with the ledger at hand.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

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
_LONGEST_PAUSE_SECONDS = 20.0

Status = Literal["completed", "cancelled", "failed", "incomplete"]


class Kind(IntEnum):
    """What a request is for; what comes first is said first."""

    CONSENT = 0
    LAST_WORDS = 1
    HUMANS_WORDS = 2
    HANDOFF = 3
    GREETING = 4
    OPENING = 5
    """What is said first to a caller who comes back."""
    TOOL = 6
    """A tool has answered, or something else is new to the model: it goes on."""
    OWED = 7
    """The caller's turn has no answer."""
    COMPANY = 8
    """What is said while a human is rung; not said any more when the ringing is over."""
    PROMPT = 9


_NO_ANSWERS = frozenset({Kind.CONSENT, Kind.HUMANS_WORDS, Kind.GREETING, Kind.COMPANY, Kind.PROMPT})
"""What may be said to a caller who has asked something, and is no answer to that."""


class Request(msgspec.Struct, frozen=True):
    """A wish for a response. `instructions` are added to the agent's own for this response."""

    kind: Kind
    instructions: str | None = None
    tools: str = "auto"


class Requests:
    """The queue, and the response that runs. Methods return the commands that follow."""

    def __init__(self) -> None:
        self.response_id: str | None = None
        self.spoke = False
        """Whether the response of now, or the last one, has made a sound."""
        self.caller_speaking = False
        self.protected = False
        self.failures = 0
        self.pause_seconds = 0.0
        """How long the model has asked to be left alone."""
        self._acted = False
        """Whether the response of now has called a tool."""
        self._queue: list[Request] = []
        self._asked: Request | None = None
        self._asked_id = ""
        self._unwanted_id = ""
        self._active: Request | None = None
        """What the running response was asked for; None for the model's own."""
        self._count = 0
        self._echoed = False
        """Whether this session echoes our ids."""
        self._timer = Timer(REQUEST_LIMITS, RequestState.FREE)
        self._pause = Timer(PAUSE_LIMITS, PauseState.NONE)

    @property
    def state(self) -> RequestState:
        return self._timer.state

    @property
    def answering(self) -> bool:
        """Whether a response is running."""
        return self._timer.state in (RequestState.ANSWERING, RequestState.SPEAKING)

    @property
    def busy(self) -> bool:
        """Whether a response is running, asked for or wished for."""
        return self.state is not RequestState.FREE or bool(self._queue)

    def saying(self, kind: Kind) -> bool:
        """Whether the running response was asked for as this."""
        return self._active is not None and self._active.kind is kind

    @property
    def answers(self) -> bool:
        """Whether the running response can be an answer to the caller's turn."""
        return self._active is None or self._active.kind not in _NO_ANSWERS

    @property
    def paused(self) -> bool:
        """Whether the model has asked to be left alone for a while."""
        return self._pause.state is PauseState.RETRY

    @property
    def owes(self) -> bool:
        """Whether something that the caller waits for is asked for, wished for, or being said."""
        if self.answering:
            return self._active is None or self._active.kind < Kind.COMPANY
        waiting = [*self._queue, *([self._asked] if self._asked is not None else [])]
        return any(each.kind < Kind.COMPANY for each in waiting)

    @property
    def asks(self) -> bool:
        """Whether a request is on its way, or will be when the model is free."""
        return self._asked is not None or bool(self._queue)

    # --- wishes -----------------------------------------------------------------------------------

    def ask(self, request: Request, now: float) -> list[RequestResponse]:
        """Have the model speak, now or as soon as it can."""
        self.put(request)
        return self.grant(now)

    def put(self, request: Request) -> None:
        """Add a request to the queue; one without words is there once at most."""
        if request in self._queue and request.instructions is None:
            return
        if request.kind is Kind.PROMPT:
            self.drop(Kind.PROMPT)
        self._queue.append(request)
        self._queue.sort(key=lambda each: each.kind)

    def drop(self, *kinds: Kind) -> None:
        """Requests of these kinds that have not been sent are not wanted any more."""
        self._queue = [each for each in self._queue if each.kind not in kinds]

    def supersede(self, *kinds: Kind) -> list[CancelResponse]:
        """What these kinds were to say is not true any more: it is not begun."""
        self.drop(*kinds)
        if self._asked is not None and self._asked.kind in kinds:
            self._unwant()
        begun = self._active is not None and self._active.kind in kinds
        return self.cancel() if begun and self.answering and not self.spoke else []

    def drop_all(self, now: float) -> None:
        """Nothing of ours is to be said any more, not even when it was asked for already."""
        self._queue.clear()
        self._unwant()
        self._pause.enter(PauseState.NONE, now)

    def _unwant(self) -> None:
        """What was asked for is not to be begun."""
        if self._asked is not None:
            self._unwanted_id = self._asked_id
        self._asked = None

    # --- the model's responses --------------------------------------------------------------------

    def response_started(
        self, response_id: str, request_id: str, now: float, *, own_is_due: bool = False
    ) -> list[CancelResponse]:
        """A response is running: the one that was asked for, or the model's own.

        `own_is_due`: the caller's turn has ended, so the model may be about to answer by itself;
        this tells the two apart where a session does not echo our ids.

        One that crossed the caller's speech is stopped at once, and so is one of the model's own
        while a line must come first; the words that were asked for are kept.
        """
        self._echoed = self._echoed or bool(request_id)
        asked = self._asked
        unnamed = not self._echoed and not own_is_due
        named = request_id == self._asked_id if request_id else unnamed
        ours = asked is not None and named
        self._active = asked if ours else None
        if ours:
            self._asked = None
        else:
            self._met_by_own()
        self._pause.enter(PauseState.NONE, now)
        self._timer.enter(RequestState.ANSWERING, now)
        self.response_id = response_id
        self.spoke = self._acted = False
        if request_id and request_id == self._unwanted_id:
            return self.cancel()
        if self.caller_speaking and not self.protected:
            if self._active is not None and self._active.instructions is not None:
                self._again(self._active)
            return self.cancel()
        if not ours and self._first_is_due():
            self.put(Request(Kind.OWED))
            return self.cancel()
        return []

    def _met_by_own(self) -> None:
        """The model answers by itself: it knows all that it had been told by then."""
        met = {Kind.OWED} if self.protected else {Kind.OWED, Kind.GREETING, Kind.OPENING}
        if self._asked is None:
            # What was said to it after a request of ours went out, it may not know.
            met.add(Kind.TOOL)
        elif self._asked.kind in met:
            self._asked = None
        self.drop(*met)

    def _first_is_due(self) -> bool:
        """Whether a line that nothing may come before has not been said."""
        waiting = [*self._queue, *([self._asked] if self._asked is not None else [])]
        return self.protected and any(each.kind <= Kind.OPENING for each in waiting)

    def sounded(self, now: float) -> None:
        """The model has spoken."""
        self.spoke = True
        if self._timer.state is RequestState.ANSWERING:
            self._timer.enter(RequestState.SPEAKING, now)

    def acted(self) -> None:
        """The response has called a tool."""
        self._acted = True

    def response_ended(
        self, response_id: str, status: Status, retry_seconds: float, now: float
    ) -> bool:
        """A response has ended. Return whether the model can still be expected to speak.

        One that ended without a sound, and without a tool call, is asked for again.
        """
        if response_id != self.response_id:
            return True
        if not self._echoed:
            # A session that does not echo ids has run what was asked for, if anything was.
            self._asked = None
        cancelled = self.state is RequestState.CANCELLING or status == "cancelled"
        again = self._active or Request(Kind.OWED)
        mute = not self.spoke and not self._acted and not cancelled
        self._free(now)
        if status == "completed" and not mute:
            self.failures = 0
        if not mute and status != "failed":
            return True
        self.failures += 1
        if self.failures > _RETRIES:
            return False
        self._again(again)
        self.pause_seconds = min(retry_seconds, _LONGEST_PAUSE_SECONDS)
        waits = status == "failed"
        self._pause.enter(PauseState.RETRY if waits else PauseState.NONE, now, self)
        return True

    def refused(self, code: str, request_id: str, now: float) -> None:
        """A request crossed a response that the model had begun by itself: it is kept."""
        asked = self._asked
        unwanted = asked is None and request_id in ("", self._unwanted_id)
        if code == ALREADY_ACTIVE and unwanted and self.state is RequestState.ASKED:
            self._timer.enter(RequestState.FREE, now)
        ours = asked is not None and request_id in ("", self._asked_id)
        if code != ALREADY_ACTIVE or asked is None or not ours:
            return
        # That response may have begun before the model knew what the request is about.
        self._asked = None
        self._again(asked)
        if self.state is RequestState.ASKED:
            self._timer.enter(RequestState.FREE, now)
            self._pause.enter(PauseState.OWN_ANSWER, now)

    def cancel(self) -> list[CancelResponse]:
        """Return how the running response is stopped, if there is one. See `cancelled`."""
        if self.answering and self.response_id is not None:
            return [CancelResponse(self.response_id)]
        return []

    def cancelled(self, now: float) -> None:
        """The running response was told to stop: its end is not waited for for ever."""
        if self.answering:
            self._timer.enter(RequestState.CANCELLING, now)

    def lost(self, now: float) -> None:
        """The model's session is gone. What it has not begun to say, the next one says."""
        unsaid = [self._asked, self._active if self.answering and not self.spoke else None]
        for request in unsaid:
            if request is not None and request.instructions is not None:
                self._again(request)
        # Whether that line is said again is for `Consent` to say.
        self.drop(Kind.CONSENT)
        self._free(now)
        self._asked = None
        self._echoed = False
        self.caller_speaking = False
        self._pause.enter(PauseState.NONE, now)

    def forget(self, now: float) -> None:
        """The talk is over for now: nothing is asked any more."""
        self._queue.clear()
        self.lost(now)
        self._queue.clear()
        self.failures = 0

    # --- the caller -------------------------------------------------------------------------------

    def caller_started(self) -> None:
        """The caller speaks."""
        self.caller_speaking = True

    def caller_stopped(self, now: float) -> None:
        """The caller is done. Requests stay put, for the model answers by itself now, and words of
        ours follow its answer; if it does not answer, `expire` grants them."""
        self.caller_speaking = False
        if self._queue and not self.paused:
            self._pause.enter(PauseState.OWN_ANSWER, now)

    # --- the timer --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        return earliest(self._timer.due, self._pause.due)

    def overdue(self, now: float) -> bool:
        """Whether the model owes a sound that has not come in time."""
        return self._timer.expired(now) and self.state is not RequestState.CANCELLING

    def expire(self, now: float) -> list[RequestResponse]:
        """What was waited for before the next request has come, or has not."""
        if self.state is RequestState.CANCELLING and self._timer.expired(now):
            self._free(now)
        elif not self._pause.expired(now):
            return []
        if self._pause.expired(now):
            self._pause.enter(PauseState.NONE, now)
        return self.grant(now)

    def grant(self, now: float) -> list[RequestResponse]:
        """Send the first request, if the model is free and the caller does not speak."""
        quiet = self.protected or not self.caller_speaking
        ready = self.state is RequestState.FREE and quiet and self._pause.due is None
        if not self._queue or not ready:
            return []
        request = self._queue.pop(0)
        self._count += 1
        self._asked = request
        self._asked_id = f"request-{self._count}"
        self._timer.enter(RequestState.ASKED, now)
        return [RequestResponse(request.instructions, request.tools, self._asked_id)]

    def _again(self, request: Request) -> None:
        if request not in self._queue:
            self._queue.append(request)
            self._queue.sort(key=lambda each: each.kind)

    def _free(self, now: float) -> None:
        self._timer.enter(RequestState.FREE, now)
        self.response_id = None
        self._active = None
