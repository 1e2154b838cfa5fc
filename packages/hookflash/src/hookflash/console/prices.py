"""Compute what a call costs by the owner's prices. No I/O.

    line      the carrier's minutes, from ring to end
    model     the tokens that it reported, if there are token prices; otherwise
              listened: minutes of the caller's speech, and
              spoken: minutes of the agent's speech, as heard

This is an estimate. The bill also has the minutes of the human's leg, the transcription, and, if
priced by minutes, the model's repeated processing of the conversation.
"""

from __future__ import annotations

import msgspec

from hookflash.console.shapes import Cost
from hookflash.core.token_usage import COUNTS, NONE, Tokens

_MILLION = 1_000_000


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """Prices per minute, and per million `tokens` of each kind (in the order of `COUNTS`).

    The default is 0: calls are free.
    """

    line: float = 0.0
    listened: float = 0.0
    spoken: float = 0.0
    tokens: tuple[float, ...] = ()
    currency: str = "USD"

    def cost(
        self,
        *,
        line_seconds: float,
        caller_seconds: float,
        agent_seconds: float,
        tokens: Tokens = NONE,
    ) -> Cost:
        """Return the cost of one call."""
        counted = bool(self.tokens and tokens)
        by_time = (0.0, 0.0) if counted else (caller_seconds, agent_seconds)
        return self._cost(line_seconds, by_time, tokens, counted)

    def sum(
        self,
        *,
        line_seconds: float,
        spoken: tuple[float, float],
        uncounted: tuple[float, float],
        tokens: Tokens,
    ) -> Cost:
        """Return the cost of several calls, some of which reported their tokens.

        `spoken` and `uncounted` are seconds of callers and agents: of all calls, and of those
        without reported tokens.
        """
        counted = bool(self.tokens)
        return self._cost(line_seconds, uncounted if counted else spoken, tokens, counted)

    def _cost(
        self, line_seconds: float, by_time: tuple[float, float], tokens: Tokens, counted: bool
    ) -> Cost:
        carrier = round(self.line * line_seconds / 60, 4)
        model = (self.listened * by_time[0] + self.spoken * by_time[1]) / 60
        if counted:
            model += self._of_tokens(tokens)
        model = round(model, 4)
        return Cost(
            carrier=carrier,
            model=model,
            total=round(carrier + model, 4),
            counted=counted,
            currency=self.currency,
        )

    def _of_tokens(self, tokens: Tokens) -> float:
        prices = zip(COUNTS, self.tokens, strict=True)
        return float(sum(getattr(tokens, name) * price for name, price in prices)) / _MILLION
