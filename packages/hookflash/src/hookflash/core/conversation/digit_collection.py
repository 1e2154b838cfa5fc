"""Digits that a tool waits for: whether they are awaited, and how many were typed.

    NONE --a tool waits--> ANNOUNCED --the caller was asked--> AWAITED --a key--> TYPING
      ^                        ^  |                               |                 |
      |                        |  +--reminded--> REMINDED         |                 |
      |                        +----- nothing is typed -----------+                 |
      +------- SETTLING <------------- complete, finished, too late ----------------+

The digits themselves are not here. Only the driver has them (`runtime/typed_digits.py`), so they
are in no state, command or journal. There is at most one collection at a time.
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
    """The collection of digits of one call. Its methods return commands for the driver."""

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
        """After how long without a key the collection ends."""
        return self.wanted.seconds

    @property
    def seconds_to_reminder(self) -> float:
        """After how long the caller is asked again."""
        return min(REMIND_SECONDS, self.wanted.seconds / 2)

    def begin(self, wanted: DigitsWanted, now: float) -> list[AnyCommand]:
        """Begin a collection: the caller is asked for the digits that a tool waits for."""
        was_private = self.private
        self.wanted = wanted
        self.typed = 0
        self._reminded = False
        self._timer.enter(CollectionState.ANNOUNCED, now)
        return self._recording_commands(was_private)

    def asked(self, now: float) -> None:
        """Await digits, because the caller has been asked for them."""
        state = CollectionState.REMINDED if self._reminded else CollectionState.AWAITED
        self._timer.enter(state, now, self)

    def remind(self, now: float) -> None:
        """Await the end of the reminder: the caller is asked again."""
        self._reminded = True
        self._timer.enter(CollectionState.ANNOUNCED, now)

    def press(self, *, ends: bool, now: float) -> list[GiveDigits]:
        """Count a key. After the collection, a key only extends `SETTLING`."""
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
        """End the collection: the tool gets what was typed, or learns why there is nothing."""
        self._timer.enter(CollectionState.SETTLING, now)
        return [GiveDigits(self.wanted.collection_id, self.typed, ending)]

    def settle(self, now: float) -> list[AnyCommand]:
        """Let the model and the recording hear the caller again: the last tone is over."""
        was_private = self.private
        self._timer.enter(CollectionState.NONE, now)
        return self._recording_commands(was_private)

    def interrupt(self, now: float, *, over: bool) -> list[AnyCommand]:
        """End everything: the caller leaves the agent, or their stream is lost.

        `over`: the call has ended, and so has the carrier's recording.
        """
        commands = self.end("interrupted", now) if self.open else []
        resumed = self.settle(now)
        return [*commands] if over else [*commands, *resumed]

    def _recording_commands(self, was_private: bool) -> list[AnyCommand]:
        """Pause or resume the carrier's recording, if `private` has changed."""
        if self.private == was_private:
            return []
        return [PauseCarrierRecording() if self.private else ResumeCarrierRecording()]

    def expired(self, now: float) -> bool:
        return self._timer.expired(now)
