"""The machine of the hand-off: who is wanted, who is rung next, and what came of each.

The states and what leads from one to another are in `states.py`; here is what goes with them: the
request, the waves of targets, the times. A wave is the targets that ring together: one of a hunt
group, all of a ring group. Waves are numbered through the whole call, so that a webhook of an older
one is known for what it is.

Each outcome has exactly one next step: the next wave while there is time, then what the plan says
(`otherwise`). A second request while one runs is answered with the state of the first.
"""

from __future__ import annotations

import msgspec

from hookflash.core.delivery import Delivery
from hookflash.core.facts import Facts
from hookflash.core.handoff.legs import Legs
from hookflash.core.handoff.states import LIMITS, NEXT, HandoffState, Trigger
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.record import HandoffAttempt
from hookflash.core.setup import CallSetup
from hookflash.core.timers import Timer
from hookflash.core.views import CallerLegView

_QUEUE_SECONDS = 60.0
"""How long an order to ring somebody may wait at the carrier before it is carried out."""

_STILL = frozenset({HandoffState.IDLE, HandoffState.DONE, HandoffState.FAILED})


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
    """The hand-off of one call. It knows plans and outcomes, nothing of carriers or models."""

    def __init__(self, setup: CallSetup, facts: Facts, leg: CallerLegView) -> None:
        self.setup = setup
        self.facts = facts
        self.leg = leg
        self.legs = Legs()
        self.request: Request | None = None
        self.attempts: list[HandoffAttempt] = []
        self.checks = 0
        self.wave = 0
        self.rang_at: float | None = None
        """When the first telephone of the wave of now began to ring."""
        self.coming_seconds = 0.0
        """How long a human who takes the call may need to hear who calls."""
        self.human_at: float | None = None
        self.human_leaves = False
        """Whether the human has left the caller, or has been said to."""
        self.awaits_caller = False
        """Whether the carrier is about to ask for a caller who goes back to the agent."""
        self.said: list[tuple[float, str]] = []
        """What the caller has said since a human was wanted, and when they began to."""
        self.failed = False
        """Whether nobody was reached, and the caller had to be let go."""
        self.voicemail: Delivery | None = None
        self.voicemail_step = 0
        """The step of the instruction that records a message; 0 is none."""
        self.unanswered = False
        """The caller hung up where a message was to be taken."""
        self.callbacks = 0
        self._waves: list[tuple[int, ...]] = []
        self._rung = Wave(0.0)
        self._timer = Timer(LIMITS, HandoffState.IDLE)

    @property
    def state(self) -> HandoffState:
        return self._timer.state

    @property
    def deadline(self) -> float | None:
        """When this state must have led somewhere."""
        return self._timer.due

    def late(self, now: float) -> bool:
        """Whether this state has lasted for too long."""
        return self._timer.expired(now)

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
        return self.state in (HandoffState.RINGING, HandoffState.SCREENING) and self.stays

    @property
    def rung(self) -> Destination | None:
        """Whom the caller waits for while they stay with the agent; None if nobody is rung."""
        return self.destination if self.reaching else None

    @property
    def stays(self) -> bool:
        """Whether the caller's leg does not move before a human has accepted."""
        return self.request is not None and self.request.manner in ("warm", "consult")

    @property
    def consults(self) -> bool:
        """Whether the agent talks with the human first."""
        return self.request is not None and self.request.manner == "consult"

    @property
    def ring_until(self) -> float:
        """When the wave of now has rung for as long as it may. Until something rings, its order may
        wait in the carrier's queue."""
        since = self._rung.at + _QUEUE_SECONDS if self.rang_at is None else self.rang_at
        return min(since + self.plan.ring_seconds, self.give_up_at)

    @property
    def talked(self) -> bool:
        """Whether the caller is with a human, or has been and goes back to them."""
        again = self.state is HandoffState.BRIDGING and self.human_at is not None
        return again or self.state in (HandoffState.WITH_HUMAN, HandoffState.PARTING)

    @property
    def give_up_at(self) -> float:
        """When the plan's whole time is over."""
        assert self.request is not None
        return self.request.asked_at + self.plan.total_seconds

    # --- states -----------------------------------------------------------------------------------

    def fire(self, trigger: Trigger, now: float) -> bool:
        """Go where `trigger` leads. Return False, and stay, where it changes nothing."""
        state = NEXT[self.state].get(trigger)
        if state is None:
            return False
        self._timer.enter(state, now, self)
        return True

    def renew(self, now: float) -> None:
        """Something has happened in this state: its time begins anew."""
        self._timer.enter(self.state, now, self)

    # --- the request and its waves ----------------------------------------------------------------

    def find(self, key: object) -> Destination | None:
        """Return the destination with this key."""
        return next((each for each in self.setup.destinations if each.key == key), None)

    def ask(self, request: Request) -> bool:
        """Somebody wants a human. Return False if one is on the way already."""
        if self.running:
            return False
        self.request = request
        self.human_at = None
        self.said.clear()
        self._rung = Wave(request.asked_at)
        self.set_targets(None)
        return True

    def set_targets(self, free: tuple[int, ...] | None) -> None:
        """Say which targets are free (None: all): the waves are made of them, in their order."""
        plan = self.plan
        numbers = [
            number
            for number, target in enumerate(plan.targets)
            if (free is None or number in free) and not self._is_this_line(target)
        ]
        once = [tuple(numbers)] if plan.order == "ring" else [(number,) for number in numbers]
        self._waves = [wave for wave in once * plan.attempts if wave]

    def _is_this_line(self, target: Target) -> bool:
        """Whether a target is the number that the caller has dialled: it would answer itself."""
        return target.kind == "phone" and target.address == self.facts.called

    def no_company(self) -> None:
        """The agent cannot stay with the caller: their leg moves at once."""
        assert self.request is not None
        self.request = msgspec.structs.replace(self.request, manner="cold")

    def more(self, now: float) -> bool:
        """Whether there is another wave, and time for it."""
        return bool(self._waves) and now < self.give_up_at

    def next_wave(self, now: float) -> tuple[tuple[int, Target], ...]:
        """Begin the next wave and return its targets with their numbers in the plan."""
        self.wave += 1
        self.human_at = None
        self.human_leaves = False
        self.coming_seconds = 0.0
        self._rung = Wave(now, self._waves.pop(0))
        self.rang_at = None
        return tuple((number, self.plan.targets[number]) for number in self._rung.targets)

    def rang(self, now: float) -> None:
        """The carrier rings a telephone of this wave: its time begins, unless it has begun."""
        if self.rang_at is None and self.state is HandoffState.RINGING:
            self.rang_at = now
            self.renew(now)

    def met(self, now: float) -> bool:
        """A human has the caller. Return whether that is news."""
        self.human_leaves = False
        if not self.fire(Trigger.MET, now):
            return False
        self.human_at = self.human_at or now
        return True

    # --- what came of it --------------------------------------------------------------------------

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

    def learned(self, most: int) -> str:
        """Return what the caller has said since a human was wanted, the newest `most` characters
        in whole words."""
        said = " ".join(text for _, text in sorted(self.said, key=lambda each: each[0]))
        return said if len(said) <= most else f"...{said[-most:].partition(' ')[2]}"
