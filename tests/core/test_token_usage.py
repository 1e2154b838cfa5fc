from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core.token_usage import NONE, Tokens


def test_tokens_are_added_by_their_kind() -> None:
    one = Tokens(text_read=1, sound_written=4)
    assert one + Tokens(text_read=2, sound_cached=8) == Tokens(
        text_read=3, sound_cached=8, sound_written=4
    )
    assert one and not NONE


def test_a_call_counts_what_its_models_tell_also_when_nobody_listens(scene: Any) -> None:
    line = scene().greet()
    assert line(e.TokensUsed(Tokens(text_read=5))) == []
    moved = scene().moved()
    assert moved(e.TokensUsed(Tokens(text_read=7))) == []
    assert line.call.conversation.tokens == Tokens(text_read=5)
    assert moved.call.conversation.tokens == Tokens(text_read=7)
