"""Tokens are counted by the published rules."""

from __future__ import annotations

from hookflash_local.model.items import Entry
from hookflash_local.model.usage import (
    TOKEN_LIMIT,
    context_tokens,
    output_tokens,
    rate_limits,
    usage,
)


def message(role: str, text: str, ms: int) -> Entry:
    item = {"id": "a", "type": "message", "role": role, "content": [{"transcript": text}]}
    return Entry(item, bytearray(ms * 8))


def test_a_callers_second_is_ten_tokens_and_the_models_twenty() -> None:
    settings = {"instructions": "", "tools": []}
    entries = [message("user", "", 1000), message("assistant", "12345", 1000)]
    assert context_tokens(settings, entries) == (3, 30)
    assert output_tokens(entries[1:]) == (2, 20)


def test_what_was_read_before_is_cached_and_part_of_the_input() -> None:
    told = usage((10, 50), (4, 20), (6, 80))
    assert (told["input_tokens"], told["output_tokens"], told["total_tokens"]) == (60, 24, 84)
    assert told["input_token_details"]["cached_tokens"] == 56
    assert told["input_token_details"]["cached_tokens_details"]["audio_tokens"] == 50


def test_limits_never_go_below_nothing() -> None:
    (told,) = rate_limits(TOKEN_LIMIT * 2)
    assert told["remaining"] == 0
    assert told["reset_seconds"] == 60
