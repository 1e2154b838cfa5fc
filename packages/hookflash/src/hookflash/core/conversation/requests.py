"""Requests for responses: each has an identity, waits for its turn, and is spoken once.

The model runs at most one response at a time. A request is sent at once if the model is free.
Otherwise it waits in a queue, in the order of `Kind`.

    FREE --asked--> ASKED --started--> ANSWERING --sound--> SPEAKING --ended--> FREE
      |                                  ^   |                 |
      +------- started by the model -----+   +--cancelled--> CANCELLING

Every request has an id. The model returns it with the response or the error, so each belongs to one
request. A response without an id is the model's own answer to the caller's turn. A request whose
response makes no sound is sent again, a few times. The count of failures is reset when a response
was completed.

While a line is `protected`, the caller cannot interrupt it. The model never interrupts itself:
`interrupt_response` is off, so that barge-in is decided in one place, by the playout ledger.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Literal

import msgspec

from hookflash.core.commands import CancelResponse, RequestResponse
from hookflash.core.conversation.limits import LONGEST_RETRY_SECONDS, PAUSE_LIMITS, REQUEST_LIMITS
from hookflash.core.conversation.states import PauseState, RequestState
from hookflash.core.prompts import in_language
from hookflash.core.timers import Timer, earliest

ALREADY_ACTIVE = "conversation_already_has_active_response"

_RETRIES = 2

Status = Literal["completed", "cancelled", "failed", "incomplete"]


class Kind(IntEnum):
    """What a request is for, in the order in which requests are sent."""

    CONSENT = 0
    LAST_WORDS = 1
    HUMANS_WORDS = 2
    HANDOFF = 3
    GREETING = 4
    OPENING = 5
    """The first words to a caller who comes back to the agent."""
    DIGITS = 6
    """The caller is asked to type digits, which a tool waits for."""
    TOOL = 7
    """A tool has answered, or the model knows something new: it goes on."""
    OWED = 8
    """The caller's turn has no answer."""
    COMPANY = 9
    """Talk with the caller while a human is rung; dropped when the ringing is over."""
    ALMOST_OVER = 10
    """The agent's time with the caller is almost over."""
    PROMPT = 11


_NO_ANSWERS = frozenset(
    {
        Kind.CONSENT,
        Kind.HUMANS_WORDS,
        Kind.GREETING,
        Kind.COMPANY,
        Kind.ALMOST_OVER,
        Kind.PROMPT,
    }
)
"""Kinds of responses that are no answer to the caller's turn."""


class Request(msgspec.Struct, frozen=True):
    """A request for a response. `instructions` are added to the agent's own for this response."""

    kind: Kind
    instructions: str | None = None
    tools: str = "auto"


class Requests:
    """The queue of requests, and the running response. Methods return the commands that follow."""

    def __init__(self, language: str | None = None) -> None:
        self.response_id: str | None = None
        self.spoke = False
        """Whether the running response, or the last one, has made a sound."""
        self.caller_speaking = False
        self.protected = False
        self.failures = 0
        self.pause_seconds = 0.0
        """How long the model has asked to wait before another request."""
        self.language = language
        self._called_tool = False
        """Whether the running response has called a tool."""
        self._queue: list[Request] = []
        self._asked: Request | None = None
        self._asked_id = ""
        self._abandoned_id = ""
        self._active: Request | None = None
        """What the running response was asked for; None for the model's own."""
        self._count = 0
        self._echoed = False
        """Whether this session returns the ids of requests."""
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
        """Whether a response is running, or a request is sent or queued."""
        return self.state is not RequestState.FREE or bool(self._queue)

    def saying(self, kind: Kind) -> bool:
        """Whether the running response was asked for as this."""
        return self._active is not None and self._active.kind is kind

    def pending(self, kind: Kind) -> bool:
        """Whether a request of this kind is queued, sent, or being said."""
        waiting = [*self._queue, *([self._asked] if self._asked is not None else [])]
        return self.saying(kind) or any(each.kind is kind for each in waiting)

    @property
    def answers(self) -> bool:
        """Whether the running response can be an answer to the caller's turn."""
        return self._active is None or self._active.kind not in _NO_ANSWERS

    @property
    def paused(self) -> bool:
        """Whether the model has asked to wait before another request."""
        return self._pause.state is PauseState.RETRY

    @property
    def owes(self) -> bool:
        """Whether a response that the caller waits for is running, requested or queued."""
        if self.answering:
            return self._active is None or self._active.kind < Kind.COMPANY
        waiting = [*self._queue, *([self._asked] if self._asked is not None else [])]
        return any(each.kind < Kind.COMPANY for each in waiting)

    @property
    def asked_to_continue(self) -> bool:
        """Whether the caller waits for a response that was requested without instructions.

        Such a request refers to what this session knows, and means nothing to another one.
        """
        asked = self._asked
        return asked is not None and asked.instructions is None and asked.kind < Kind.COMPANY

    @property
    def asks(self) -> bool:
        """Whether a request is sent or queued."""
        return self._asked is not None or bool(self._queue)

    # --- the queue --------------------------------------------------------------------------------

    def ask(self, request: Request, now: float) -> list[RequestResponse]:
        """Have the model speak, now or as soon as it can."""
        self.put(request)
        return self.send_next(now)

    def put(self, request: Request) -> None:
        """Add a request to the queue; one without instructions is there at most once."""
        if request in self._queue and request.instructions is None:
            return
        if request.kind is Kind.PROMPT:
            self.drop(Kind.PROMPT)
        self._queue.append(request)
        self._queue.sort(key=lambda each: each.kind)

    def drop(self, *kinds: Kind) -> None:
        """Drop the queued requests of these kinds."""
        self._queue = [each for each in self._queue if each.kind not in kinds]

    def supersede(self, *kinds: Kind) -> list[CancelResponse]:
        """Drop or cancel what these kinds were to say, unless it is being said already."""
        self.drop(*kinds)
        if self._asked is not None and self._asked.kind in kinds:
            self._abandon_asked()
        begun = self._active is not None and self._active.kind in kinds
        return self.cancel() if begun and self.answering and not self.spoke else []

    def drop_all(self, now: float) -> None:
        """Drop every request, queued or sent."""
        self._queue.clear()
        self._abandon_asked()
        self._pause.enter(PauseState.NONE, now)

    def _abandon_asked(self) -> None:
        """The response to the request that was sent is cancelled when it starts."""
        if self._asked is not None:
            self._abandoned_id = self._asked_id
        self._asked = None

    # --- the model's responses --------------------------------------------------------------------

    def response_started(
        self, response_id: str, request_id: str, now: float, *, own_is_due: bool = False
    ) -> list[CancelResponse]:
        """A response has started: the requested one, or the model's own. Return what to cancel.

        `own_is_due`: the caller's turn has ended, so the model may answer by itself. This tells the
        two apart if the session does not return ids.

        A response that starts while the caller speaks is cancelled. So is the model's own while a
        protected line must come first. A requested line is queued again.
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
            self._answered_unasked()
        self._pause.enter(PauseState.NONE, now)
        self._timer.enter(RequestState.ANSWERING, now)
        self.response_id = response_id
        self.spoke = self._called_tool = False
        if request_id and request_id == self._abandoned_id:
            return self.cancel()
        if self.caller_speaking and not self.protected:
            if self._active is not None and self._active.instructions is not None:
                self._again(self._active)
            return self.cancel()
        if not ours and self._first_is_due():
            self.put(Request(Kind.OWED))
            return self.cancel()
        return []

    def _answered_unasked(self) -> None:
        """The model answers by itself: drop the requests that this answers as well."""
        known = {Kind.OWED} if self.protected else {Kind.OWED, Kind.GREETING, Kind.OPENING}
        if self._asked is None:
            # Otherwise the response may have begun before the tool's output was sent.
            known.add(Kind.TOOL)
        elif self._asked.kind in known:
            self._asked = None
        self.drop(*known)

    def _first_is_due(self) -> bool:
        """Whether a protected line that must come first is still to be said."""
        waiting = [*self._queue, *([self._asked] if self._asked is not None else [])]
        return self.protected and any(each.kind <= Kind.OPENING for each in waiting)

    def sounded(self, now: float) -> None:
        """The response has made a sound, or more of it."""
        self.spoke = True
        timer = self._timer
        if timer.state is RequestState.SPEAKING or timer.state is RequestState.ANSWERING:
            timer.enter(RequestState.SPEAKING, now)

    def called_tool(self, now: float) -> None:
        """The response has called a tool."""
        self._called_tool = True
        if self.answering:
            # It may call another tool, or speak on.
            self._timer.enter(self.state, now)

    def response_ended(
        self, response_id: str, status: Status, retry_seconds: float, now: float
    ) -> bool:
        """A response has ended. Return False if too many in a row have failed.

        A response without a sound and without a tool call is requested again.
        """
        if response_id != self.response_id:
            return True
        if not self._echoed:
            # Without ids, the response that ended is taken for the requested one.
            self._asked = None
        cancelled = self.state is RequestState.CANCELLING or status == "cancelled"
        again = self._active or Request(Kind.OWED)
        mute = not self.spoke and not self._called_tool and not cancelled
        self._free(now)
        if status == "completed" and not mute:
            self.failures = 0
        if not mute and status != "failed":
            return True
        self.failures += 1
        if self.failures > _RETRIES:
            return False
        self._again(again)
        self.pause_seconds = min(retry_seconds, LONGEST_RETRY_SECONDS)
        waits = status == "failed"
        self._pause.enter(PauseState.RETRY if waits else PauseState.NONE, now, self)
        return True

    def refused(self, code: str, request_id: str, now: float) -> None:
        """The model refused a request because its own response is running: queue it again."""
        asked = self._asked
        unwanted = asked is None and request_id in ("", self._abandoned_id)
        if code == ALREADY_ACTIVE and unwanted and self.state is RequestState.ASKED:
            self._timer.enter(RequestState.FREE, now)
        ours = asked is not None and request_id in ("", self._asked_id)
        if code != ALREADY_ACTIVE or asked is None or not ours:
            return
        # That response may have begun before the model knew what the request refers to.
        self._asked = None
        self._again(asked)
        if self.state is RequestState.ASKED:
            self._timer.enter(RequestState.FREE, now)
            self._pause.enter(PauseState.OWN_ANSWER, now)

    def cancel(self) -> list[CancelResponse]:
        """Return the command that cancels the running response, if there is one."""
        if self.answering and self.response_id is not None:
            return [CancelResponse(self.response_id)]
        return []

    def cancelled(self, now: float) -> None:
        """The running response was cancelled: wait for its end, but not forever."""
        if self.answering:
            self._timer.enter(RequestState.CANCELLING, now)

    def lost(self, now: float) -> None:
        """The session is lost. The next one says what this one has not begun to say."""
        unsaid = [self._asked, self._active if self.answering and not self.spoke else None]
        for request in unsaid:
            if request is not None and request.instructions is not None:
                self._again(request)
        # `Consent` decides whether that line is said again.
        self.drop(Kind.CONSENT)
        self._free(now)
        self._asked = None
        self._echoed = False
        self.caller_speaking = False
        self._pause.enter(PauseState.NONE, now)

    def forget(self, now: float) -> None:
        """The caller leaves the agent: forget every request."""
        self._queue.clear()
        self.lost(now)
        self._queue.clear()
        self.failures = 0

    # --- the caller -------------------------------------------------------------------------------

    def caller_started(self) -> None:
        """The caller speaks."""
        self.caller_speaking = True

    def caller_stopped(self, now: float) -> None:
        """The caller is silent. The model answers by itself now, so queued requests wait.

        If it does not answer, `expire` sends them.
        """
        self.caller_speaking = False
        if self._queue and not self.paused:
            self._pause.enter(PauseState.OWN_ANSWER, now)

    # --- the timer --------------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        return earliest(self._timer.due, self._pause.due)

    def overdue(self, now: float) -> bool:
        """Whether the model has made no sound in time."""
        return self._timer.expired(now) and self.state is not RequestState.CANCELLING

    def expire(self, now: float) -> list[RequestResponse]:
        """Send the next request if a pause or a cancelled response has lasted too long."""
        if self.state is RequestState.CANCELLING and self._timer.expired(now):
            self._free(now)
        elif not self._pause.expired(now):
            return []
        if self._pause.expired(now):
            self._pause.enter(PauseState.NONE, now)
        return self.send_next(now)

    def send_next(self, now: float) -> list[RequestResponse]:
        """Send the first queued request, if the model is free and nothing forbids it now."""
        quiet = self.protected or not self.caller_speaking
        ready = self.state is RequestState.FREE and quiet and self._pause.due is None
        if not self._queue or not ready:
            return []
        request = self._queue.pop(0)
        self._count += 1
        self._asked = request
        self._asked_id = f"request-{self._count}"
        self._timer.enter(RequestState.ASKED, now)
        text = request.instructions
        if text is not None:
            text = in_language(text, self.language)
        return [RequestResponse(text, request.tools, self._asked_id)]

    def _again(self, request: Request) -> None:
        if request not in self._queue:
            self._queue.append(request)
            self._queue.sort(key=lambda each: each.kind)

    def _free(self, now: float) -> None:
        self._timer.enter(RequestState.FREE, now)
        self.response_id = None
        self._active = None
