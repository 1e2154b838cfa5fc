"""The hand-off of one call: who is wanted, who is rung next, and what came of each.

The states and what leads from one to another are in `handoff_table.py`; here is what goes with
them: the request, the waves of targets, the times. A wave is the targets that ring together: one
of a hunt group, all of a ring group. Waves are numbered through the whole call, so that a webhook
of an older one is known for what it is.

Each outcome has exactly one next step: the next wave while there is time, then what the plan says
(`otherwise`). A second request while one runs is answered with the state of the first.
"""

from __future__ import annotations

import msgspec

from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.handoff_table import NEXT, State, Trigger
from hookflash.core.record import HandoffAttempt

__all__ = ["Handoff", "Request", "State", "Trigger"]

RING_SLACK_SECONDS = 12.0
"""Twilio rings some five seconds longer than it is told, and the news needs its time too."""

_STILL = frozenset({State.IDLE, State.DONE, State.FAILED})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Who is wanted, why, and by whom. `call_id` is the tool call that still waits for an answer,
    `manner` what the plan comes to here: nobody can be kept company by an agent that is gone."""

    destination: Destination
    reason: str
    summary: str
    source: str
    asked_at: float
    call_id: str | None = None
    spoke: bool = False
    manner: str = "cold"


class Wave(msgspec.Struct, frozen=True):
    """When the newest wave began to ring, and the numbers of its targets in the plan."""

    at: float
    targets: tuple[int, ...] = ()

    @property
    def only(self) -> int | None:
        """Its target, where there is one and no other."""
        return self.targets[0] if len(self.targets) == 1 else None


class Handoff:
    """The hand-off machine. It knows plans and outcomes, nothing of carriers or models.

    `until` is when the state of now must have led somewhere.
    """

    def __init__(self) -> None:
        self.state = State.IDLE
        self.request: Request | None = None
        self.attempts: list[HandoffAttempt] = []
        self.checks = 0
        self.wave = 0
        self.until: float | None = None
        self.comfort_at: float | None = None
        """When a caller who waits, and hears nobody, is told that they are not forgotten."""
        self.human_at: float | None = None
        self._waves: list[tuple[int, ...]] = []
        self._rung = Wave(0.0)

    @property
    def destination(self) -> Destination:
        assert self.request is not None
        return self.request.destination

    @property
    def plan(self) -> HandoffPlan:
        return self.destination.plan

    @property
    def running(self) -> bool:
        return self.state not in _STILL

    @property
    def reaching(self) -> bool:
        """Whether a human is rung or asked while the caller waits where they are."""
        return self.state in (State.RINGING, State.SCREENING) and self.stays

    @property
    def stays(self) -> bool:
        """Whether the caller's leg does not move before a human has accepted."""
        return self.request is not None and self.request.manner in ("warm", "consult")

    def fire(self, trigger: Trigger) -> bool:
        """Go where `trigger` leads. Return False, and stay, where it changes nothing."""
        state = NEXT[self.state].get(trigger)
        if state is None:
            return False
        self.state = state
        return True

    def ask(self, request: Request) -> bool:
        """Somebody wants a human. Return False if one is on the way already."""
        if self.running:
            return False
        self.request = request
        self.human_at = None
        self._rung = Wave(request.asked_at)
        self.wanted(None)
        return True

    def wanted(self, free: tuple[int, ...] | None) -> None:
        """Say which targets are free (None: all): the waves are made of them, in their order."""
        plan = self.plan
        numbers = [number for number in range(len(plan.targets)) if free is None or number in free]
        once = [tuple(numbers)] if plan.order == "ring" else [(number,) for number in numbers]
        self._waves = [wave for wave in once * plan.attempts if wave]

    def no_company(self) -> None:
        """The agent cannot stay with the caller: their leg moves at once."""
        assert self.request is not None
        self.request = msgspec.structs.replace(self.request, manner="cold")

    def more(self, now: float) -> bool:
        """Whether there is another wave, and time for it."""
        assert self.request is not None
        return bool(self._waves) and now < self.request.asked_at + self.plan.total_seconds

    def next_wave(self, now: float) -> tuple[tuple[int, Target], ...]:
        """Begin the next wave and return its targets with their numbers in the plan."""
        assert self.request is not None
        self.wave += 1
        self.human_at = None
        self._rung = Wave(now, self._waves.pop(0))
        left = self.request.asked_at + self.plan.total_seconds - now
        self.until = now + min(self.plan.ring_seconds, left) + RING_SLACK_SECONDS
        return tuple((number, self.plan.targets[number]) for number in self._rung.targets)

    def met(self, now: float) -> bool:
        """A human has the caller. Return whether that is news."""
        if not self.fire(Trigger.MET):
            return False
        self.human_at = self.human_at or now
        self.until = None
        return True

    def met_after_all(self) -> bool:
        """A caller who was taken for gone had a human all the same. Return whether that is news."""
        if not self.attempts or self.attempts[-1].outcome != "caller-gone":
            return False
        self.attempts[-1] = msgspec.structs.replace(self.attempts[-1], outcome="bridged")
        return True

    def keep(self, outcome: str, now: float, *, target: int | None = None, note: str = "") -> None:
        """Keep what came of an attempt; `target` may be left out where only one was rung."""
        assert self.request is not None
        waited = None
        if outcome == "bridged":
            waited = round((self.human_at or now) - self.request.asked_at, 3)
        self.attempts.append(
            HandoffAttempt(
                destination=self.request.destination.key,
                reason=self.request.reason,
                source=self.request.source,
                started_at=self._rung.at,
                outcome=outcome,
                seconds_to_human=waited,
                manner=self.request.manner,
                target=self._rung.only if target is None else target,
                note=note,
            )
        )
