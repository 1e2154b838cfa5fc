"""The hand-off of one call: from the wish for a human to the human, or back.

    IDLE -> FAREWELL -> MOVING -> RINGING -> WITH_HUMAN -> DONE
     ^         |           |         |           |
     |         |           |         |           +-> RETURNING (the plan brings the caller back)
     |         |           |         +-> RINGING (next target)
     |         |           +---------+-> RETURNING, or FAILED (the plan's `otherwise`)
     |         +-> IDLE (cancelled: the caller said no)
     +--- RETURNING (the agent has the caller again)

FAREWELL: the agent's last words are being heard. MOVING: the carrier was told, and has not yet
rung anybody. Each outcome of a target has exactly one next step. A second request while one
runs is answered with the state of the first.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from hookflash.core.commands import DialHumans, JoinQueue
from hookflash.core.events import Outcome
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.record import HandoffAttempt


class State(Enum):
    IDLE = "idle"
    FAREWELL = "farewell"
    MOVING = "moving"
    RINGING = "ringing"
    WITH_HUMAN = "with human"
    RETURNING = "returning"
    DONE = "done"
    FAILED = "failed"


Next = Literal["next-target", "return", "hang-up", "sorry"]


class Request(msgspec.Struct, frozen=True, kw_only=True):
    destination: Destination
    reason: str
    summary: str
    source: str
    asked_at: float


class Handoff:
    """The hand-off machine. It knows plans and outcomes, nothing of carriers or models."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.request: Request | None = None
        self.attempts: list[HandoffAttempt] = []
        self._waves: list[tuple[Target, ...]] = []
        self._rung_at = 0.0
        self._human_at: float | None = None

    @property
    def destination(self) -> Destination:
        assert self.request is not None
        return self.request.destination

    @property
    def plan(self) -> HandoffPlan:
        return self.destination.plan

    @property
    def running(self) -> bool:
        return self.state not in (State.IDLE, State.DONE, State.FAILED)

    def ask(self, request: Request) -> bool:
        """Somebody wants a human. Return False if one is on the way already."""
        if self.running:
            return False
        self.request = request
        self.state = State.FAREWELL
        plan = request.destination.plan
        self._waves = (
            [plan.targets] if plan.order == "ring" else [(target,) for target in plan.targets]
        )
        return True

    def cancel(self, now: float) -> None:
        """The caller said no while the agent said goodbye."""
        self._keep("cancelled", now, None)
        self.state = State.IDLE
        self.request = None

    def ring(self, step: int, now: float) -> DialHumans | JoinQueue:
        """Return the instruction that reaches for the next target; the farewell is over."""
        assert self.request is not None
        targets = self._waves.pop(0)
        self.state = State.MOVING
        self._rung_at = now
        self._human_at = None
        if targets[0].kind == "queue":
            attributes = {
                "destination": self.request.destination.key,
                "reason": self.request.reason,
                "summary": self.request.summary,
            }
            return JoinQueue(step, targets[0], attributes)
        return DialHumans(step, targets, self.plan.ring_seconds, self.plan.caller_id)

    def ringing(self) -> None:
        if self.state is State.MOVING:
            self.state = State.RINGING

    def answered(self, now: float) -> bool:
        """A human has the caller. Return whether that is news."""
        if self.state not in (State.MOVING, State.RINGING):
            return False
        self.state = State.WITH_HUMAN
        self._human_at = now
        return True

    def ended(self, outcome: Outcome, now: float) -> Next:
        """The attempt is over: say the one next step."""
        if outcome == "bridged":
            self._human_at = self._human_at or now
        waited = self._human_at - self._asked_at() if self._human_at is not None else None
        # An answered leg that was never bridged was not a conversation.
        bridged = outcome == "bridged"
        self._keep(outcome, now, waited if bridged else None)
        if bridged:
            back = self.plan.afterwards == "return"
            self.state = State.RETURNING if back else State.DONE
            return "return" if back else "hang-up"
        if self._waves and outcome != "caller-gone":
            return "next-target"
        if self.plan.otherwise == "return" and outcome != "caller-gone":
            self.state = State.RETURNING
            return "return"
        self.state = State.FAILED
        return "sorry"

    def returned(self) -> None:
        """The agent has the caller again."""
        self.state = State.IDLE

    def abandon(self, now: float) -> None:
        """The caller's leg is over."""
        if self.state in (State.FAREWELL, State.MOVING, State.RINGING):
            self._keep("caller-gone", now, None)
            self.state = State.FAILED
        elif self.state is State.WITH_HUMAN:
            assert self._human_at is not None
            self._keep("bridged", now, self._human_at - self._asked_at())
            self.state = State.DONE

    def _asked_at(self) -> float:
        assert self.request is not None
        return self.request.asked_at

    def _keep(self, outcome: str, now: float, seconds_to_human: float | None) -> None:
        assert self.request is not None
        self.attempts.append(
            HandoffAttempt(
                destination=self.request.destination.key,
                reason=self.request.reason,
                source=self.request.source,
                started_at=self._rung_at if self.state is not State.FAREWELL else now,
                outcome=outcome,
                seconds_to_human=seconds_to_human,
            )
        )
