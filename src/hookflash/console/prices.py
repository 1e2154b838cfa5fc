"""What a call costs, by the owner's prices a minute. No I/O.

    line      the carrier's minutes, from ring to end
    listened  the caller's speech, which the model hears
    spoken    the agent's speech, as far as it was heard

An estimate: the bill also has the model's rereading of the conversation and the minutes of the
human's own leg.
"""

from __future__ import annotations

import msgspec

from hookflash.console.shapes import Cost


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices a minute. Unset they are 0, and every call is free."""

    line: float = 0.0
    listened: float = 0.0
    spoken: float = 0.0
    currency: str = "USD"

    def cost(self, *, line_seconds: float, caller_seconds: float, agent_seconds: float) -> Cost:
        carrier = round(self.line * line_seconds / 60, 4)
        model = round((self.listened * caller_seconds + self.spoken * agent_seconds) / 60, 4)
        return Cost(
            carrier=carrier,
            model=model,
            total=round(carrier + model, 4),
            currency=self.currency,
        )
