"""The record of a call: how it ended, its times, its tools, and who said what, as heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hookflash.core.call_info import CallInfo
from hookflash.core.disposition import Disposition
from hookflash.core.token_usage import Tokens


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
    """One attempt to reach a human. `started_at` is seconds since the call arrived.

    `target` numbers the plan's targets from 0. None: several rang at once, and nobody took the
    call. `note` is why somebody declined, in their words.
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
    """What is stored of a call. `arrived_at` is seconds since 1970, `seconds` how long it lasted.

    `recorded_from` is when the first sample of its recording was heard, in seconds since the call
    arrived. None: it was not recorded. `summary` is written when the call is over. `tokens` are all
    zero where the model reports none.
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
    info: CallInfo,
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
    """Return the record of a call that ends at `now`.

    Times in `attempts`, `tools` and `recorded_since` are seconds since 1970.
    """
    since = info.arrived_at
    return CallRecord(
        call_sid=info.call_sid,
        agent=agent,
        caller=info.caller,
        called=info.called,
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
