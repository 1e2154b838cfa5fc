"""Read the tokens of a response from the `usage` of its `response.done`. No I/O.

    input_token_details    text_tokens, audio_tokens, and of these cached_tokens_details
    output_token_details   text_tokens, audio_tokens

If a server reports tokens in another form, or not at all, only the count is missing.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from hookflash.core.events import AnyEvent, TokensUsed
from hookflash.core.token_usage import Tokens

Count = Annotated[int, msgspec.Meta(ge=0, le=100_000_000)]


class _Details(msgspec.Struct, frozen=True):
    text_tokens: Count = 0
    audio_tokens: Count = 0


class _InputDetails(_Details, frozen=True):
    cached_tokens_details: _Details | None = None


class _Usage(msgspec.Struct, frozen=True):
    input_token_details: _InputDetails | None = None
    output_token_details: _Details | None = None


def tokens_used(usage: Any) -> list[AnyEvent]:
    """Return the tokens of a response, if they are reported. Cached tokens are part of the
    input."""
    try:
        usage_details = msgspec.convert(usage, _Usage)
    except msgspec.ValidationError:
        return []
    read = usage_details.input_token_details or _InputDetails()
    cached = read.cached_tokens_details or _Details()
    written = usage_details.output_token_details or _Details()
    tokens = Tokens(
        text_read=max(0, read.text_tokens - cached.text_tokens),
        text_cached=cached.text_tokens,
        sound_read=max(0, read.audio_tokens - cached.audio_tokens),
        sound_cached=cached.audio_tokens,
        text_written=written.text_tokens,
        sound_written=written.audio_tokens,
    )
    return [TokensUsed(tokens)] if tokens else []
