"""Live calls of another application that come here for a human: `bring_human`.

    expect() --the carrier asks--> the call is driven --> with a human, or over: the result is known

The call is then one of the switchboard's. Its setup has `brought`, so its leg dials at once, and
afterwards the carrier asks the other application what is next.

    resource              acquired   released
    an expected call      expect()   the carrier's request, forget()
    a result              expect()   when it is known, forget()
"""

from __future__ import annotations

import asyncio

from hookflash.core.call import Call
from hookflash.core.phases import Phase
from hookflash.core.record import HumanOutcome
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError


class BroughtCalls:
    """The calls that other applications bring. Use it in the event loop's thread."""

    def __init__(self) -> None:
        self.number = 0
        """How many calls were expected so far."""
        self._expected: dict[str, CallSetup] = {}
        self._results: dict[str, asyncio.Future[HumanOutcome]] = {}

    def expect(self, call_sid: str, setup: CallSetup) -> asyncio.Future[HumanOutcome]:
        """Expect the carrier's request for a call. Return the future of how it went.

        Raises `ConfigError` if a human is being brought to this call already.
        """
        if call_sid in self._results:
            raise ConfigError(
                f"bring_human: a human is being brought to {call_sid} already; wait for its outcome"
            )
        self.number += 1
        self._expected[call_sid] = setup
        result = self._results[call_sid] = asyncio.get_running_loop().create_future()
        return result

    def expects(self, call_sid: str) -> bool:
        """Return whether the carrier is still to ask about a call."""
        return call_sid in self._expected

    def take(self, call_sid: str) -> CallSetup | None:
        """Return the setup of an expected call, once."""
        return self._expected.pop(call_sid, None)

    def forget(self, call_sid: str) -> None:
        """Expect a call no longer, and want no result."""
        self._expected.pop(call_sid, None)
        self._results.pop(call_sid, None)

    def look(self, call_sid: str, call: Call, now: float) -> None:
        """Settle the result if the call is with a human, or over."""
        result = self._results.get(call_sid)
        if result is None or call.phase not in (Phase.WITH_HUMAN, Phase.ENDED):
            return
        del self._results[call_sid]
        if not result.done():
            result.set_result(_outcome_of(call, now))


def _outcome_of(call: Call, now: float) -> HumanOutcome:
    attempts = call.record(now).handoffs
    if call.phase is Phase.WITH_HUMAN:
        handoff = call.handoff
        taker = handoff.legs.taker(handoff.wave)
        return HumanOutcome(
            outcome="bridged",
            disposition="handed_off",
            target=handoff.ring_order.wave.only if taker is None else taker,
            attempts=attempts,
        )
    last = attempts[-1] if attempts else None
    return HumanOutcome(
        outcome=last.outcome if last is not None else "failed",
        disposition=call.record(now).disposition,
        target=last.target if last is not None else None,
        note=last.note if last is not None else "",
        attempts=attempts,
    )
