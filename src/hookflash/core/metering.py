"""What a call has taken of its models, as they report it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import events as e
from hookflash.core.commands import AnyCommand

if TYPE_CHECKING:
    from hookflash.core.call import Call


def tokens_used(call: Call, event: e.TokensUsed, now: float) -> list[AnyCommand]:
    call.facts.tokens += event.tokens
    return []
