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
    "busy",
    "no_answer",
    "cancelled",
    "machine",
    "message_left",
    "fax",
]
"""How a call ended.

- `handled_by_agent`: the agent and the caller finished between them.
- `handed_off`: the caller spoke with a human.
- `voicemail`: nobody could be reached, and the caller left a message.
- `callback`: nobody could be reached, and the caller wants to be called back.
- `abandoned`: the caller hung up while waiting for a human, or before the agent was heard.
- `failed`: the caller got neither an agent nor a human.
- `time_limit`: the agent ended the call, because its time with the caller was over.

Of calls that the line has placed:

- `busy`: the called party was busy, or refused the call.
- `no_answer`: it rang, and nobody answered.
- `cancelled`: the call was cancelled before it was answered.
- `machine`: a mailbox answered, and the agent left no message.
- `message_left`: a mailbox answered, and the agent left the message.
- `fax`: a fax machine answered.

For them, `failed` also means that the carrier could not connect the call.
"""


_UNANSWERED: dict[str, Disposition] = {
    "busy": "busy",
    "no-answer": "no_answer",
    "canceled": "cancelled",
}


def find_disposition(
    *,
    outcomes: Sequence[str],
    left_voicemail: bool,
    wants_callback: bool,
    let_go: bool,
    time_over: bool,
    hung_up_at_voicemail: bool,
    agent_was_heard: bool,
    unanswered: str = "",
    machine: Disposition | None = None,
) -> Disposition:
    """Return how a call ended; the first rule that applies decides.

    `outcomes` are those of all hand-off attempts, in order. `let_go`: nobody was reached, and the
    call was ended without an agent. `time_over`: the agent said goodbye because its time was over.
    `hung_up_at_voicemail`: the caller left no message when asked. `unanswered` is the carrier's
    word for why a placed call was not answered, `machine` what was done about a machine.
    """
    if unanswered:
        return _UNANSWERED.get(unanswered, "failed")
    if machine is not None:
        return machine
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
