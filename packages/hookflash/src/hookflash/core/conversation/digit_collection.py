"""Digits that a tool waits for: whether they are awaited, and how many were typed.

    NONE --a tool waits--> ANNOUNCED --the caller was asked--> AWAITED --a key--> TYPING
      ^                        ^  |                               |                 |
      |                        |  +--reminded--> REMINDED         |                 |
      |                        +----- nothing is typed -----------+                 |
      +------- SETTLING <------------- complete, finished, too late ----------------+

The digits themselves are not here. Only the driver has them, so they are in no state, command or
journal. There is at most one collection at a time.
"""

from __future__ import annotations

from hookflash.core.commands import (
    AnyCommand,
    Ending,
    GiveDigits,
    PauseCarrierRecording,
    ResumeCarrierRecording,
)
from hookflash.core.conversation.limits import COLLECTION_LIMITS, REMIND_SECONDS
from hookflash.core.conversation.states import CollectionState
from hookflash.core.events import DigitsWanted
from hookflash.core.timers import Timer


class DigitCollection:
    """The collection of digits of one call. Methods return the commands that follow."""

    def __init__(self) -> None:
        self.wanted = DigitsWanted("", 0)
        """What the tool waits for, or has waited for last."""
        self.typed = 0
        self._reminded = False
        self._timer = Timer(COLLECTION_LIMITS, CollectionState.NONE)

    @property
    def state(self) -> CollectionState:
        return self._timer.state

    @property
    def deadline(self) -> float | None:
        return self._timer.due

    @property
    def open(self) -> bool:
        """Whether a tool waits for digits."""
        return self.state not in (CollectionState.NONE, CollectionState.SETTLING)

    @property
    def takes_keys(self) -> bool:
        """Whether a key belongs to the collection, or comes right after it."""
        return self.state is not CollectionState.NONE

    @property
    def private(self) -> bool:
        """Whether nobody may hear the caller: they type a secret."""
        return self.wanted.secret and self.takes_keys

    @property
    def seconds(self) -> float:
        """How long the caller may press no key."""
        return self.wanted.seconds

    @property
    def seconds_to_reminder(self) -> float:
        """After how long the caller is asked again."""
        return min(REMIND_SECONDS, self.wanted.seconds / 2)

    def begin(self, wanted: DigitsWanted, now: float) -> list[AnyCommand]:
        """A tool waits for digits, and the caller is asked for them."""
        before = self.private
        self.wanted = wanted
        self.typed = 0
        self._reminded = False
        self._timer.enter(CollectionState.ANNOUNCED, now)
        return self._at_carrier(before)

    def asked(self, now: float) -> None:
        """The caller has heard that they are to type."""
        state = CollectionState.REMINDED if self._reminded else CollectionState.AWAITED
        self._timer.enter(state, now, self)

    def remind(self, now: float) -> None:
        """The caller is asked again."""
        self._reminded = True
        self._timer.enter(CollectionState.ANNOUNCED, now)

    def press(self, *, ends: bool, now: float) -> list[GiveDigits]:
        """The caller has pressed a key. After the collection, it only delays what follows."""
        if not self.open:
            self._timer.enter(CollectionState.SETTLING, now)
            return []
        if ends:
            return self.end("finished", now)
        self.typed += 1
        if self.typed >= self.wanted.count:
            return self.end("complete", now)
        self._timer.enter(CollectionState.TYPING, now, self)
        return []

    def end(self, ending: Ending, now: float) -> list[GiveDigits]:
        """The tool gets what was typed, or learns that there is nothing."""
        self._timer.enter(CollectionState.SETTLING, now)
        return [GiveDigits(self.wanted.collection_id, self.typed, ending)]

    def settle(self, now: float) -> list[AnyCommand]:
        """The last tone is over."""
        before = self.private
        self._timer.enter(CollectionState.NONE, now)
        return self._at_carrier(before)

    def interrupt(self, now: float, *, over: bool) -> list[AnyCommand]:
        """The caller leaves the agent, or their stream is lost. `over`: the call has ended, and
        with it the carrier's recording."""
        commands = self.end("interrupted", now) if self.open else []
        resumed = self.settle(now)
        return [*commands] if over else [*commands, *resumed]

    def _at_carrier(self, before: bool) -> list[AnyCommand]:
        """Return what the carrier's recording does if `private` was `before`."""
        if self.private == before:
            return []
        return [PauseCarrierRecording() if self.private else ResumeCarrierRecording()]

    def expired(self, now: float) -> bool:
        return self._timer.expired(now)
