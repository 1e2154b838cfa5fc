"""The caller's leg: which instruction the carrier follows, and the two roads to the next one.

    FOLLOWING --move--> REST --accepted--> FOLLOWING
                         |
                         +-- refused, or no answer in time --> CLOSING --asked--> FOLLOWING
                                                                  |
                                                                  +-- not asked in time --> REST

A media stream cannot dial: the call leaves it by a REST update, or because we close the stream
and the carrier asks what is next. Both roads carry the same instructions, with the same step
number. Every question names the step that it follows, so a webhook that comes twice is answered
with the same words, and one that comes late with what is in force.
"""

from __future__ import annotations

from typing import Literal

from hookflash.core.caller_leg.places import ROUTE_LIMITS, RouteState
from hookflash.core.commands import CloseStream, Instruction, JoinRoom, MoveCall
from hookflash.core.timers import Timer

_ROUNDS = 3
_PATIENT_ROUNDS = 20
"""A caller who is with humans, or waits for them, hears music and has no second road: REST is
tried for longer. So it is for one who is moved to a room, where a move that was carried out
although REST refused it has brought them already."""

Where = Literal["stream", "leaving", "between", "elsewhere"]
"""Where the caller's leg is: on a stream; still on one that it is being taken off; between two
instructions, so that the carrier is about to ask; or with humans, in a room, on hold."""


class Route:
    """Steps count from 1. `step` is the newest step that was handed out."""

    def __init__(self, move_seconds: float) -> None:
        self.move_seconds = move_seconds
        self.step = 0
        self.in_force: tuple[Instruction, ...] = ()
        self._timer = Timer(ROUTE_LIMITS, RouteState.FOLLOWING)
        self._answers: dict[tuple[int, str], tuple[Instruction, ...]] = {}
        self._rounds = 0
        self._most_rounds = _ROUNDS
        self._moves: set[int] = set()
        """The steps that the carrier was told to move to."""
        self._doubtful = False
        """Whether a move of an older step may have undone what is in force."""

    @property
    def state(self) -> RouteState:
        return self._timer.state

    @property
    def deadline(self) -> float | None:
        return self._timer.due

    @property
    def to_room(self) -> bool:
        """Whether the caller was sent to a room."""
        return any(isinstance(each, JoinRoom) for each in self.in_force)

    def next_step(self) -> int:
        self.step += 1
        return self.step

    # --- questions of the carrier -------------------------------------------------------------

    def known_answer(self, step: int, leg_sid: str) -> tuple[Instruction, ...] | None:
        """Return what this question was, or must be, answered with; None if it is a new one."""
        if step < self.step:
            known = self._answers.setdefault((step, leg_sid), self.in_force)
        else:
            known = self._answers.get((step, leg_sid), ())
        if known == self.in_force:
            self.asked()
        return known or None

    def asked(self) -> None:
        """The carrier follows what is in force: either road has come to its end."""
        if self.state is RouteState.REST:
            # It was REST that did it, whatever it says later.
            self._moves.discard(self.step)
        self._settle()

    def answer(self, step: int, leg_sid: str, instructions: tuple[Instruction, ...]) -> None:
        self._answers[step, leg_sid] = instructions
        self.in_force = instructions

    # --- the two roads ------------------------------------------------------------------------

    def move(
        self, instructions: tuple[Instruction, ...], now: float, *, where: Where
    ) -> list[MoveCall | CloseStream]:
        """Take the call off what it follows. REST first; but a call that has no stream yet may
        not be answered yet, and the carrier refuses to move it: wait until it asks. And a caller
        for whom REST has not answered yet has heard nothing since: it is not waited for again."""
        unanswered = self.state is RouteState.REST and self._rounds == 1
        self.in_force = instructions
        self._rounds = 0
        self._doubtful = False
        impatient = where == "stream" and not self.to_room
        self._most_rounds = _ROUNDS if impatient else _PATIENT_ROUNDS
        if where == "leaving" and unanswered:
            return [*self._by_closing(now)]
        if where != "between":
            return [*self._by_rest(now)]
        self._timer.enter(RouteState.CLOSING, now)
        return []

    def accepted(self, step: int, now: float, *, fixed: bool) -> list[MoveCall]:
        """The carrier has carried out a move."""
        if step == self.step:
            self._settle()
            return []
        return self._late(step, now, fixed=fixed)

    def refused(self, step: int, now: float, *, fixed: bool) -> list[MoveCall | CloseStream]:
        """REST did not do it. Return the second road, unless that is being taken already."""
        if step != self.step:
            return [*self._late(step, now, fixed=fixed)]
        return [*self._by_closing(now)] if self.state is RouteState.REST else []

    def _late(self, step: int, now: float, *, fixed: bool) -> list[MoveCall]:
        """A move of an older step, which was given up and may have been carried out all the same,
        may have undone what came after it: unless that is `fixed`, it is done again."""
        if step not in self._moves or self.state is not RouteState.FOLLOWING:
            return []
        if fixed:
            self._doubtful = True
            return []
        self._moves.discard(step)
        return self._again(now)

    def stopped(self, now: float) -> list[MoveCall]:
        """The stream stopped without our doing: if an older move may have done it, the caller is
        where that move led, and is moved again."""
        if not self._doubtful or self.state is not RouteState.FOLLOWING:
            return []
        return self._again(now)

    def _again(self, now: float) -> list[MoveCall]:
        self._doubtful = False
        self._rounds = 0
        self._most_rounds = _PATIENT_ROUNDS
        return self._by_rest(now)

    def expire(self, now: float) -> list[MoveCall | CloseStream] | None:
        """The deadline has come: try the other road. None when every road was tried thrice."""
        if not self._timer.expired(now):
            return []
        if self.state is RouteState.REST:
            return [*self._by_closing(now)]
        if self._rounds >= self._most_rounds:
            self._settle()
            return None
        return [*self._by_rest(now)]

    def _by_rest(self, now: float) -> list[MoveCall]:
        self._timer.enter(RouteState.REST, now, self)
        self._rounds += 1
        self._moves.add(self.step)
        return [MoveCall(self.step, self.in_force, self.move_seconds)]

    def _by_closing(self, now: float) -> list[CloseStream]:
        self._timer.enter(RouteState.CLOSING, now)
        return [CloseStream()]

    def _settle(self) -> None:
        self._timer.enter(RouteState.FOLLOWING, 0.0)
