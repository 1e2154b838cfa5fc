"""The machine of the hand-off: the request for a human, its times and its attempts.

`states.py` says which state follows which, `ring_order.py` who rings next.

Every outcome of an attempt leads to exactly one next step: the next wave while there is time, then
what the plan says (`otherwise`). A second request during a hand-off is answered with its state.
"""

from __future__ import annotations

import msgspec

from hookflash.core.call_info import CallInfo
from hookflash.core.delivery import Delivery
from hookflash.core.handoff.legs import Legs
from hookflash.core.handoff.limits import LIMITS
from hookflash.core.handoff.ring_order import RingOrder, refused_targets
from hookflash.core.handoff.states import NEXT, HandoffState, Trigger
from hookflash.core.handoff_plan import Destination, HandoffPlan, Target
from hookflash.core.machine_views import CallerLegView
from hookflash.core.record import HandoffAttempt
from hookflash.core.setup import CallSetup
from hookflash.core.timers import Timer

_STILL = frozenset({HandoffState.IDLE, HandoffState.DONE, HandoffState.FAILED})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a human: which destination, why, and from whom.

    `source` is what asked (tool, caller, console, policy, failure). `call_id` is the tool call that
    waits for an answer. `manner` is that of the plan, or cold where there is no agent.
    """

    destination: Destination
    reason: str
    summary: str
    source: str
    asked_at: float
    call_id: str | None = None
    spoke: bool = False
    manner: str = "cold"


class Handoff:
    """The hand-off of one call. It knows plans and outcomes, nothing of carriers or models."""

    def __init__(self, setup: CallSetup, info: CallInfo, leg: CallerLegView) -> None:
        self.setup = setup
        self.info = info
        self.leg = leg
        self.legs = Legs()
        self.request: Request | None = None
        self.attempts: list[HandoffAttempt] = []
        self.checks = 0
        self.ring_order = RingOrder()
        self.joining_seconds = 0.0
        """How long a human who takes the call may need to hear the whisper and join the room."""
        self.human_at: float | None = None
        self.human_leaves = False
        """Whether the human has left the room, or the carrier says so."""
        self.queue_asks_by: float | None = None
        """By when the carrier asks again what the caller hears, if they still wait in a queue."""
        self.awaits_caller = False
        """Whether the carrier is about to ask for a caller who is to go back to the agent."""
        self.caller_said: list[tuple[float, str]] = []
        """What the caller has said since the request, as (when they began, text)."""
        self.failed = False
        """Whether nobody was reached, and the call was ended."""
        self.voicemail: Delivery | None = None
        self.voicemail_step = 0
        """The step of the instruction that records a message; 0 is none."""
        self.hung_up_at_voicemail = False
        """Whether the caller hung up when they were asked for a message."""
        self.callbacks = 0
        self._bridged_waves: set[int] = set()
        """The waves in which the caller was bridged, as became known later."""
        self._last_attempts: dict[int, int] = {}
        """The index of the last attempt that was recorded for each wave."""
        self._timer = Timer(LIMITS, HandoffState.IDLE)

    @property
    def state(self) -> HandoffState:
        return self._timer.state

    @property
    def deadline(self) -> float | None:
        """When this state must end; None without a limit."""
        return self._timer.due

    def expired(self, now: float) -> bool:
        """Whether this state has lasted too long."""
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
        """Whether the caller's leg stays with the agent until a human has accepted."""
        return self.request is not None and self.request.manner in ("warm", "consult")

    @property
    def consults(self) -> bool:
        """Whether the agent talks with the human before the caller does."""
        return self.request is not None and self.request.manner == "consult"

    @property
    def wave(self) -> int:
        """The number of the newest wave of targets."""
        return self.ring_order.number

    @property
    def ring_until(self) -> float:
        """When the newest wave has rung for as long as it may."""
        return min(self.ring_order.ring_until(self.plan), self.give_up_at)

    @property
    def talked(self) -> bool:
        """Whether the caller is with a human, or has been and goes back to them."""
        again = self.state is HandoffState.BRIDGING and self.human_at is not None
        wave = self._current_wave
        late = wave in self._bridged_waves and wave not in self._last_attempts
        return again or late or self.state in (HandoffState.WITH_HUMAN, HandoffState.PARTING)

    @property
    def _current_wave(self) -> int:
        """The newest wave of the current request; 0 before its first."""
        return self.wave if self.ring_order.wave.targets else 0

    @property
    def give_up_at(self) -> float:
        """When the plan's whole time is over."""
        assert self.request is not None
        return self.request.asked_at + self.plan.total_seconds

    # --- states -----------------------------------------------------------------------------------

    def fire(self, trigger: Trigger, now: float) -> bool:
        """Go to the state that `trigger` leads to. Return False if it changes nothing."""
        state = NEXT[self.state].get(trigger)
        if state is None:
            return False
        self._timer.enter(state, now, self)
        return True

    def renew(self, now: float) -> None:
        """Something has happened in this state: its time begins again."""
        self._timer.enter(self.state, now, self)

    # --- the request and its waves ----------------------------------------------------------------

    def find(self, key: object) -> Destination | None:
        """Return the destination with this key."""
        return next((each for each in self.setup.destinations if each.key == key), None)

    def ask(self, request: Request) -> bool:
        """Take a request for a human. Return False if a hand-off is running."""
        if self.running:
            return False
        self.request = request
        self.human_at = None
        self.queue_asks_by = None
        self.caller_said.clear()
        self.ring_order.begin(request.asked_at)
        self.set_targets(None)
        return True

    def compute_targets(self, targets: tuple[Target, ...]) -> None:
        """Replace the plan's targets with those that were computed for this call."""
        assert self.request is not None
        plan = msgspec.structs.replace(self.plan, targets=targets)
        to = msgspec.structs.replace(self.destination, plan=plan)
        self.request = msgspec.structs.replace(self.request, destination=to)

    def set_targets(self, free: tuple[int, ...] | None) -> None:
        """Say which targets are free; None means all."""
        self.ring_order.set_targets(
            self.plan,
            free,
            dialled_number=self.info.called,
            prefixes=self.setup.dial_prefixes,
        )

    @property
    def refused_targets(self) -> tuple[int, ...]:
        """The plan's targets that may not be rung, because of their numbers."""
        return refused_targets(self.plan, self.setup.dial_prefixes)

    def make_cold(self) -> None:
        """Make the hand-off cold: there is no agent to stay with the caller."""
        assert self.request is not None
        self.request = msgspec.structs.replace(self.request, manner="cold")

    def has_next_wave(self, now: float) -> bool:
        """Whether there is another wave, and time for it."""
        return self.ring_order.has_next and now < self.give_up_at

    def next_wave(self, now: float) -> tuple[tuple[int, Target], ...]:
        """Begin the next wave and return its targets with their numbers in the plan."""
        self.human_at = None
        self.human_leaves = False
        self.queue_asks_by = None
        self.joining_seconds = 0.0
        wave = self.ring_order.next_wave(now)
        return tuple((number, self.plan.targets[number]) for number in wave.targets)

    def rang(self, now: float) -> None:
        """The carrier rings a telephone of this wave: its time begins, unless it has begun."""
        if self.ring_order.rang_at is None and self.state is HandoffState.RINGING:
            self.ring_order.rang_at = now
            self.renew(now)

    def bridged(self, now: float) -> bool:
        """Note that the caller and a human hear each other. Return whether that is new."""
        self.human_leaves = False
        if not self.fire(Trigger.BRIDGED, now):
            return False
        self.human_at = self.human_at or now
        return True

    # --- attempts ---------------------------------------------------------------------------------

    def check_queue(self, now: float) -> None:
        """If the carrier has stopped asking about a caller in a queue, a human has taken them."""
        if self.queue_asks_by is not None and now > self.queue_asks_by:
            self._bridged_waves.add(self.wave)

    def bridged_after_all(self, wave: int) -> bool:
        """Note that the caller was bridged in this wave. Return whether its attempt has changed."""
        self._bridged_waves.add(wave)
        number = self._last_attempts.get(wave)
        if number is None or self.attempts[number].outcome == "bridged":
            return False
        self.attempts[number] = msgspec.structs.replace(self.attempts[number], outcome="bridged")
        return True

    def never_bridged(self, wave: int) -> bool:
        """Note that the caller was gone before a bridge. Return whether its attempt has changed."""
        number = self._last_attempts.get(wave)
        if number is None or self.attempts[number].outcome != "bridged":
            return False
        self.attempts[number] = msgspec.structs.replace(
            self.attempts[number], outcome="caller-gone", seconds_to_human=None
        )
        return True

    def record_attempt(
        self, outcome: str, now: float, *, target: int | None = None, note: str = ""
    ) -> None:
        """Record how an attempt ended. Leave `target` out where only one was rung."""
        assert self.request is not None
        waited = None
        if self._current_wave in self._bridged_waves:
            # It is not known when they were bridged.
            outcome = "bridged"
        elif outcome == "bridged":
            waited = round((self.human_at or now) - self.request.asked_at, 3)
        self._last_attempts[self._current_wave] = len(self.attempts)
        self.attempts.append(
            HandoffAttempt(
                destination=self.request.destination.key,
                reason=self.request.reason,
                source=self.request.source,
                started_at=self.ring_order.wave.ordered_at,
                outcome=outcome,
                seconds_to_human=waited,
                manner=self.request.manner,
                target=self.ring_order.wave.only if target is None else target,
                note=note,
            )
        )

    def learned(self, most: int) -> str:
        """Return what the caller has said since the request: the newest `most` characters, in whole
        words."""
        said = " ".join(text for _, text in sorted(self.caller_said, key=lambda each: each[0]))
        return said if len(said) <= most else f"...{said[-most:].partition(' ')[2]}"
