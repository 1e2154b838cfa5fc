"""The record of a call: what became of it, its timings and who said what as heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hookflash.core.facts import Facts
from hookflash.core.tokens import Tokens

Disposition = Literal[
    "handled_by_agent",
    "handed_off",
    "voicemail",
    "callback",
    "abandoned",
    "failed",
]
"""How a call ended.

handled_by_agent: the agent and the caller finished between them.
handed_off: the caller spoke with a human.
voicemail: nobody could be reached, and the caller left a message.
callback: nobody could be reached, and the caller wants to be called back.
abandoned: the caller hung up while waiting for a human, or before the agent was heard.
failed: we could offer neither an agent nor a human.
"""


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """One turn as heard. Times are seconds since the call arrived.

    `text` is what was heard; `cut` is what the agent had prepared but the caller never heard.
    """

    speaker: Literal["caller", "agent", "human"]
    text: str
    started_at: float
    ended_at: float
    cut: str = ""


class HandoffAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to reach humans, in the order in which they were made.

    `target` numbers the plan's targets from 0; None where several rang at once and none was taken.
    `note` is why somebody declined, in their words.
    """

    destination: str
    reason: str
    source: str
    started_at: float
    outcome: str
    seconds_to_human: float | None = None
    manner: str = "cold"
    target: int | None = None
    note: str = ""


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    arguments: str
    output: str
    failed: bool
    started_at: float
    seconds: float


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a call. `arrived_at` is seconds since 1970 as told by the shell.

    `recorded_from` is when the first sample of its recording was heard, in seconds since the call
    arrived; None if it was not recorded. `summary` is written when the call is over.
    `tokens` are all zero where the model has told none.
    """

    call_sid: str
    agent: str
    caller: str
    called: str
    disposition: Disposition
    arrived_at: float
    seconds: float
    barge_ins: int = 0
    utterances: tuple[Utterance, ...] = ()
    handoffs: tuple[HandoffAttempt, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    recorded_from: float | None = None
    summary: str = ""
    tokens: Tokens = Tokens()


def make(
    *,
    facts: Facts,
    agent: str,
    disposition: Disposition,
    barge_ins: int,
    tokens: Tokens,
    recorded_since: float | None,
    utterances: tuple[Utterance, ...],
    attempts: Sequence[HandoffAttempt],
    tools: Sequence[ToolUse],
    now: float,
) -> CallRecord:
    """Return the record of a call that is over; its times count from when the call arrived."""
    since = facts.arrived_at
    return CallRecord(
        call_sid=facts.call_sid,
        agent=agent,
        caller=facts.caller,
        called=facts.called,
        disposition=disposition,
        arrived_at=since,
        seconds=round(now - since, 3),
        barge_ins=barge_ins,
        tokens=tokens,
        recorded_from=None if recorded_since is None else round(recorded_since - since, 3),
        utterances=utterances,
        handoffs=tuple(
            msgspec.structs.replace(each, started_at=round(each.started_at - since, 3))
            for each in attempts
        ),
        tools=tuple(
            msgspec.structs.replace(each, started_at=round(each.started_at - since, 3))
            for each in tools
        ),
    )
