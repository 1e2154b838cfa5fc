from __future__ import annotations

from typing import Any

import pytest

from hookflash.core.events import TokensUsed
from hookflash.core.token_usage import Tokens
from hookflash.models.openai.usage import tokens_used


def test_what_was_cached_is_counted_apart() -> None:
    usage = {
        "total_tokens": 253,
        "input_tokens": 132,
        "input_token_details": {
            "text_tokens": 119,
            "audio_tokens": 13,
            "image_tokens": 0,
            "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4},
        },
        "output_token_details": {"text_tokens": 30, "audio_tokens": 91},
    }
    assert tokens_used(usage) == [
        TokensUsed(
            Tokens(
                text_read=59,
                text_cached=60,
                sound_read=9,
                sound_cached=4,
                text_written=30,
                sound_written=91,
            )
        )
    ]


def test_a_server_that_says_less_is_counted_by_what_it_says() -> None:
    usage = {"input_token_details": {"audio_tokens": 5}, "output_token_details": None}
    assert tokens_used(usage) == [TokensUsed(Tokens(sound_read=5))]
    more_cached_than_read = {
        "input_token_details": {"cached_tokens_details": {"text_tokens": 3}},
    }
    assert tokens_used(more_cached_than_read) == [TokensUsed(Tokens(text_cached=3))]


@pytest.mark.parametrize(
    "usage",
    [
        None,
        "?",
        [],
        {},
        {"input_token_details": {"text_tokens": -1}},
        {"input_token_details": {"text_tokens": 10**12}},
        {"input_token_details": {"text_tokens": "7"}},
        {"output_token_details": 3},
    ],
)
def test_what_cannot_be_counted_costs_nothing_else(usage: Any) -> None:
    assert tokens_used(usage) == []
