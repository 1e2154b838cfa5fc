"""How the caller's leg is moved: which instructions the carrier follows, by which of two ways.

    FOLLOWING --move--> REST --accepted--> FOLLOWING
                         |
                         +-- refused, or no answer in time --> CLOSING --asked--> FOLLOWING
                                                                  |
                                                                  +-- not asked in time --> REST

A media stream cannot dial. There are two ways off it: a REST update, or Hookflash closes the
stream and the carrier asks what is next. REST is tried twice if the stream carries nothing, because
closing it may not reach the carrier. Both ways carry the same instructions with the same step
number. Every question of the carrier names the step that has ended. So a webhook that comes twice
gets the same answer, and one that comes late gets the newest instructions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hookflash.core.caller_leg.limits import ROUTE_LIMITS
from hookflash.core.caller_leg.states import RouteState
from hookflash.core.commands import CloseStream, Instruction, JoinRoom, MoveCall
from hookflash.core.timers import Timer

_ROUNDS = 3
"""How often each way is tried for a caller on a stream."""

_PATIENT_ROUNDS = 20
"""How often REST is tried otherwise. A caller with humans, or waiting for them, hears music and has
no second way. A caller on the way to a room may be there already, although REST refused."""

Where = Literal["stream", "stalled", "leaving", "between", "elsewhere"]
"""Where the caller's leg is when a move begins.

- stream: on a stream.
- stalled: on a stream that carries nothing, so closing it may not reach the carrier.
- leaving: on a stream, and an earlier move off it is in progress.
- between: between two instructions, so the carrier is about to ask.
- elsewhere: with humans, in a room or on hold.
"""


class Route:
    """The moves of one leg. Steps count from 1; `step` is the newest that was given out."""

    def __init__(self, move_seconds: float) -> None:
        self.move_seconds = move_seconds
        self.step = 0
        self.in_force: tuple[Instruction, ...] = ()
        self._timer = Timer(ROUTE_LIMITS, RouteState.FOLLOWING)
        self._answers: dict[tuple[int, str], tuple[Instruction, ...]] = {}
        self._rounds = 0
        self._most_rounds = _ROUNDS
        self._moves: set[int] = set()
        """The steps that were sent by REST and may still be carried out."""
        self._stalled = False
        """Whether the stream carries nothing: REST is tried once more before it is closed."""
        self._doubtful = False
        """Whether a late move of an older step may have replaced the newest instructions."""

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
        """Return the answer that this question has already; None if it is new."""
        if step < self.step:
            known = self._answers.setdefault((step, leg_sid), self.in_force)
        else:
            known = self._answers.get((step, leg_sid), ())
        if known == self.in_force:
            self.followed()
        return known or None

    def followed(self) -> None:
        """The carrier follows the newest instructions: the move is complete, in either way."""
        if self.state is RouteState.REST and self._rounds == 1:
            # REST did it, whatever its answer says later. Of two requests, one is still to come.
            self._moves.discard(self.step)
        self._settle()

    def answer(self, step: int, leg_sid: str, instructions: tuple[Instruction, ...]) -> None:
        self._answers[step, leg_sid] = instructions
        self.in_force = instructions

    # --- the two ways ------------------------------------------------------------------------

    def move(
        self, instructions: tuple[Instruction, ...], now: float, *, where: Where
    ) -> list[MoveCall | CloseStream]:
        """Move the leg to these instructions: by REST first, with two exceptions.

        Between two instructions the call may not be answered yet, and the carrier would refuse to
        move it: wait until the carrier asks. If REST has not answered an earlier move, the caller
        has heard nothing since: close the stream at once.
        """
        unanswered = self.state is RouteState.REST and self._rounds == 1
        self.in_force = instructions
        self._rounds = 0
        self._doubtful = False
        self._stalled = where == "stalled"
        impatient = where in ("stream", "stalled") and not self.to_room
        self._most_rounds = _ROUNDS if impatient else _PATIENT_ROUNDS
        if where == "leaving" and unanswered:
            return [*self._by_closing(now)]
        if where != "between":
            return [*self._by_rest(now)]
        self._timer.enter(RouteState.CLOSING, now)
        return []

    def accepted(self, step: int, now: float, *, fixed: bool) -> list[MoveCall]:
        """The carrier has carried out the move to `step`."""
        if step == self.step:
            self._settle()
            return []
        return self._late(step, now, fixed=fixed)

    def refused(self, step: int, now: float, *, fixed: bool) -> list[MoveCall | CloseStream]:
        """REST failed for `step`: close the stream, unless that is in progress already."""
        if step != self.step:
            return [*self._late(step, now, fixed=fixed)]
        return [*self._other_way(now)] if self.state is RouteState.REST else []

    def _late(self, step: int, now: float, *, fixed: bool) -> list[MoveCall]:
        """A move of an older step was carried out late, and may have replaced the newer one.

        Unless it is known where the leg is (`fixed`), send the newest instructions again.
        """
        if step not in self._moves or self.state is not RouteState.FOLLOWING:
            return []
        if fixed:
            self._doubtful = True
            return []
        self._moves.discard(step)
        return self._again(now)

    def stopped(self, now: float) -> list[MoveCall]:
        """The stream stopped, not by a command. If a late older move did it, move the leg again."""
        if not self._doubtful or self.state is not RouteState.FOLLOWING:
            return []
        return self._again(now)

    def _again(self, now: float) -> list[MoveCall]:
        self._doubtful = False
        self._rounds = 0
        self._most_rounds = _PATIENT_ROUNDS
        return self._by_rest(now)

    def expire(self, now: float) -> list[MoveCall | CloseStream] | None:
        """Try the other way if the deadline has passed. None: both were tried often enough."""
        if not self._timer.expired(now):
            return []
        if self.state is RouteState.REST:
            return [*self._other_way(now)]
        if self._rounds >= self._most_rounds:
            self._settle()
            return None
        return [*self._by_rest(now)]

    def _other_way(self, now: float) -> Sequence[MoveCall | CloseStream]:
        """REST has failed: close the stream, or if that may not arrive, try REST once more."""
        if self._stalled:
            self._stalled = False
            return self._by_rest(now)
        return self._by_closing(now)

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
