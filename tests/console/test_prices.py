from __future__ import annotations

import pytest

from hookflash.console.prices import Prices
from hookflash.core.token_usage import Tokens

MINUTES = Prices(line=0.6, listened=1.2, spoken=2.4, currency="EUR")
TOKENS = Prices(line=0.6, listened=1.2, spoken=2.4, tokens=(4.0, 0.4, 32.0, 0.4, 16.0, 64.0))
TOOK = Tokens(
    text_read=100_000,
    sound_read=10_000,
    sound_cached=1_000_000,
    sound_written=5_000,
)
TIME = {"line_seconds": 60.0, "caller_seconds": 30.0, "agent_seconds": 15.0}


def test_without_prices_of_tokens_minutes_count() -> None:
    cost = MINUTES.cost(**TIME, tokens=TOOK)
    assert (cost.carrier, cost.model, cost.total) == (0.6, 1.2, 1.8)
    assert (cost.counted, cost.currency) == (False, "EUR")


def test_where_the_model_tells_its_tokens_they_count_and_minutes_do_not() -> None:
    cost = TOKENS.cost(**TIME, tokens=TOOK)
    assert cost.model == pytest.approx(0.4 + 0.32 + 0.4 + 0.32)
    assert cost.counted
    told_nothing = TOKENS.cost(**TIME)
    assert (told_nothing.model, told_nothing.counted) == (1.2, False)


def test_calls_together_cost_what_they_cost_one_by_one() -> None:
    for prices, model in ((MINUTES, 2.4), (TOKENS, 1.2 + 1.44)):
        both = prices.sum(
            line_seconds=120.0, spoken=(60.0, 30.0), uncounted=(30.0, 15.0), tokens=TOOK
        )
        assert both.carrier == 1.2
        assert both.model == pytest.approx(model)
