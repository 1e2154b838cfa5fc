"""How a call ended, and how that is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Disposition = Literal[
    "handled_by_agent",
    "handed_off",
    "voicemail",
    "callback",
    "abandoned",
    "failed",
    "time_limit",
]
"""How a call ended.

- `handled_by_agent`: the agent and the caller finished between them.
- `handed_off`: the caller spoke with a human.
- `voicemail`: nobody could be reached, and the caller left a message.
- `callback`: nobody could be reached, and the caller wants to be called back.
- `abandoned`: the caller hung up while waiting for a human, or before the agent was heard.
- `failed`: the caller got neither an agent nor a human.
- `time_limit`: the agent ended the call, because its time with the caller was over.
"""


def find_disposition(
    *,
    outcomes: Sequence[str],
    left_voicemail: bool,
    wants_callback: bool,
    let_go: bool,
    time_over: bool,
    hung_up_at_voicemail: bool,
    agent_was_heard: bool,
) -> Disposition:
    """Return how a call ended; the first rule that applies decides.

    `outcomes` are those of all hand-off attempts, in order. `let_go`: nobody was reached, and the
    call was ended without an agent. `time_over`: the agent said goodbye because its time was over.
    `hung_up_at_voicemail`: the caller left no message when asked.
    """
    if "bridged" in outcomes:
        return "handed_off"
    if left_voicemail:
        return "voicemail"
    if wants_callback:
        return "callback"
    if let_go:
        return "failed"
    if time_over:
        return "time_limit"
    waiting = bool(outcomes) and outcomes[-1] == "caller-gone"
    if waiting or hung_up_at_voicemail or not agent_was_heard:
        return "abandoned"
    return "handled_by_agent"
