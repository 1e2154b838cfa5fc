"""Estimate the token counts of a response. No I/O.

By OpenAI's published rules, the caller's audio is one token per 100 ms and the model's audio one
token per 50 ms. Text counts as one token per four characters. Context that the previous response
already read counts as cached.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hookflash_local.model.items import Entry

CALLER_MS_PER_TOKEN = 100
MODEL_MS_PER_TOKEN = 50
CHARACTERS_PER_TOKEN = 4
TOKEN_LIMIT = 40_000

Tokens = tuple[int, int]
"""Number of text tokens and of audio tokens."""


def text_tokens(text: str) -> int:
    """Return the tokens of a text, rounded up."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _entry_tokens(entry: Entry) -> Tokens:
    item = entry.item
    per_token = MODEL_MS_PER_TOKEN if item.get("role") == "assistant" else CALLER_MS_PER_TOKEN
    written = "".join(
        [part.get("text") or part.get("transcript") or "" for part in item.get("content", [])]
        + [item.get(name, "") for name in ("name", "arguments", "output")]
    )
    return text_tokens(written), -(-int(entry.audio_ms) // per_token)


def _sum(entries: Iterable[Entry]) -> Tokens:
    counts = [_entry_tokens(entry) for entry in entries]
    return sum(text for text, _ in counts), sum(sound for _, sound in counts)


def context_tokens(settings: dict[str, Any], context: Iterable[Entry]) -> Tokens:
    """Return the tokens that a response reads: items, instructions and tools."""
    text, sound = _sum(context)
    read = settings["instructions"] + json.dumps(settings["tools"])
    return text + text_tokens(read), sound


def output_tokens(output: Iterable[Entry]) -> Tokens:
    """Return the tokens that a response has written."""
    return _sum(output)


def usage(read: Tokens, written: Tokens, already_read: Tokens) -> dict[str, Any]:
    """Return the `usage` object of a finished response.

    `already_read` are the input tokens of the previous response. What both have read counts as
    cached, which is part of the input.
    """
    cached = min(read[0], already_read[0]), min(read[1], already_read[1])
    return {
        "total_tokens": sum(read) + sum(written),
        "input_tokens": sum(read),
        "output_tokens": sum(written),
        "input_token_details": {
            "text_tokens": read[0],
            "audio_tokens": read[1],
            "image_tokens": 0,
            "cached_tokens": sum(cached),
            "cached_tokens_details": {
                "text_tokens": cached[0],
                "audio_tokens": cached[1],
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": written[0], "audio_tokens": written[1]},
    }


def rate_limits(spent: int) -> list[dict[str, Any]]:
    """Return `rate_limits` as sent after `spent` tokens in this minute."""
    return [
        {
            "name": "tokens",
            "limit": TOKEN_LIMIT,
            "remaining": max(0, TOKEN_LIMIT - spent),
            "reset_seconds": 60 * min(spent, TOKEN_LIMIT) / TOKEN_LIMIT,
        }
    ]
