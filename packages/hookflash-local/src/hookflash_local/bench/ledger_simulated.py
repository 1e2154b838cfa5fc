"""Play a scenario with a call, a model and a carrier on one simulated clock. No I/O.

    model --delay--> call --delay--> carrier (the stand-in's buffer knows what was heard)
      ^---- delay ----+ ^---- delay ----+

No real time passes, so results are exact and the same on every machine.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable
from functools import partial
from itertools import count

import msgspec

from hookflash.core.call import Call
from hookflash.core.commands import (
    AnyCommand,
    CancelResponse,
    ClearAudio,
    DeleteItem,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    MarkReturned,
    ModelReady,
    ResponseEnded,
    StreamStarted,
)
from hookflash.core.setup import CallSetup
from hookflash_local.bench.ledger_scenarios import Moment, Scenario, timeline
from hookflash_local.carrier.media.playout import Playout

_START = 1_764_000_000.0
"""Seconds since 1970, as of a real clock: a float resolves 0.25 us here."""


class Measured(msgspec.Struct, frozen=True):
    """What the model was told of each item and what the caller heard of it, in ms."""

    truncated: dict[str, int]
    deleted: tuple[str, ...]
    heard_ms: dict[str, float]


def simulate(
    scenario: Scenario, *, delay_ms: float = 40.0, returns_cleared_marks: bool = True
) -> Measured:
    """Play a scenario; every message takes `delay_ms` in each direction.

    Twilio returns the marks of cleared audio (`returns_cleared_marks`); some carriers do not.
    """
    return _Simulation(scenario, delay_ms / 1000, returns_cleared_marks).run()


class _Simulation:
    def __init__(self, scenario: Scenario, delay: float, returns_cleared_marks: bool) -> None:
        self._scenario = scenario
        self._delay = delay
        self._returns_cleared_marks = returns_cleared_marks
        self._call = Call(CallSetup())
        self._carrier = Playout(_START)
        self._now = _START
        self._next: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._cancelled: set[str] = set()
        self._commands: list[AnyCommand] = []

    def run(self) -> Measured:
        self._receive(CallArrived("CA1", "+15550100", "+15550101"))
        self._receive(ModelReady("session"))
        self._receive(StreamStarted("MZ1", 1))
        for moment in timeline(self._scenario):
            self._plan(_START + moment.at_ms / 1000, partial(self._generate, moment))
        while True:
            deadline = self._call.deadline
            if self._next and (deadline is None or self._next[0][0] <= deadline):
                self._now, _, action = heapq.heappop(self._next)
                action()
            elif deadline is not None:
                self._now = max(self._now, deadline)
                self._carry_out(self._call.expire(self._now))
            else:
                break
        sound = self._carrier.heard(self._now)
        return Measured(
            {
                command.item_id: command.audio_end_ms
                for command in self._commands
                if isinstance(command, TruncateItem)
            },
            tuple(command.item_id for command in self._commands if isinstance(command, DeleteItem)),
            self._scenario.heard_ms(sound),
        )

    # --- the model ----------------------------------------------------------------------------

    def _generate(self, moment: Moment) -> None:
        if moment.response_id not in self._cancelled:
            self._later(partial(self._receive, moment.event))

    def _cancel(self, response_id: str) -> None:
        self._cancelled.add(response_id)
        self._later(partial(self._receive, ResponseEnded(response_id, "cancelled")))

    # --- the call -----------------------------------------------------------------------------

    def _receive(self, event: AnyEvent) -> None:
        self._carry_out(self._call.receive(event, self._now))

    def _carry_out(self, commands: list[AnyCommand]) -> None:
        self._commands += commands
        for command in commands:
            if isinstance(command, PlayAudio | SendMark | ClearAudio):
                self._later(partial(self._to_carrier, command))
            elif isinstance(command, CancelResponse):
                self._later(partial(self._cancel, command.response_id))

    # --- the carrier --------------------------------------------------------------------------

    def _to_carrier(self, command: PlayAudio | SendMark | ClearAudio) -> None:
        if isinstance(command, PlayAudio):
            self._carrier.play(base64.b64decode(command.payload), self._now)
        elif isinstance(command, SendMark):
            self._return(self._carrier.mark(command.name, self._now))
            if self._carrier.next_deadline is not None:
                self._plan(max(self._now, self._carrier.next_deadline), self._played)
        else:
            cleared = self._carrier.clear(self._now)
            self._return(cleared if self._returns_cleared_marks else [])

    def _played(self) -> None:
        self._return([name for _, name in self._carrier.due(self._now)])
        if self._carrier.next_deadline is not None:
            self._plan(self._carrier.next_deadline, self._played)

    def _return(self, names: list[str]) -> None:
        for name in names:
            self._later(partial(self._receive, MarkReturned(name)))

    # --- the clock ----------------------------------------------------------------------------

    def _later(self, action: Callable[[], None]) -> None:
        self._plan(self._now + self._delay, action)

    def _plan(self, at: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._next, (at, next(self._number), action))
