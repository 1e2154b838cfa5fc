"""The record of a call: how it ended, its times, its tools, and who said what, as heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hookflash.core.call_info import CallInfo
from hookflash.core.disposition import Disposition
from hookflash.core.token_usage import Tokens


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a call, as heard."""

    speaker: Literal["caller", "agent", "human"]
    """`"human"` is the human who took the call, if the plan has `notes`."""
    text: str
    """What was heard."""
    started_at: float
    """In seconds since the call arrived."""
    ended_at: float
    """In seconds since the call arrived."""
    cut: str = ""
    """What the agent had prepared and the caller never heard, because of an interruption."""


class HandoffAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to reach humans."""

    destination: str
    """The key of the hand-off."""
    reason: str
    """Why a human was wanted."""
    source: str
    """Who asked: `tool`, `caller`, `console`, `policy`, `application` or `failure`."""
    started_at: float
    """In seconds since the call arrived."""
    outcome: str
    """How it ended, such as `bridged` or `no-answer`.

    All outcomes are in `docs/reference/dispositions.md`.
    """
    seconds_to_human: float | None = None
    """How long the caller waited until both heard each other; None if they never did."""
    manner: str = "cold"
    """As in the plan: `cold`, `warm`, `consult` or `refer`."""
    target: int | None = None
    """Index of the plan's target, from 0; None if several rang at once and nobody answered."""
    note: str = ""
    """Why a human declined, in their words."""


class AgentTransfer(msgspec.Struct, frozen=True, kw_only=True):
    """Another agent was to take the call (`Agent.transfer_to`)."""

    from_agent: str
    """The agent that spoke before."""
    to_agent: str
    """The agent that was to take the call."""
    reason: str
    """Why, in the words of the first agent."""
    started_at: float
    """In seconds since the call arrived."""
    outcome: str = "taken"
    """`taken`; or `failed`, if the first agent got the call back because the other did not
    answer."""


class HumanOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What `bring_human` returns: whether a human has the call, and what was tried."""

    outcome: str
    """`"bridged"` if the caller is with a human. Otherwise how the last attempt ended, such as
    `"busy"` or `"no-answer"`, or `"closed"` if nobody was to be rung.

    All outcomes are in `docs/reference/dispositions.md`.
    """
    disposition: Disposition
    """How it ended: `"handed_off"`, `"voicemail"`, `"failed"`, `"abandoned"`."""
    target: int | None = None
    """Index of the plan's target, from 0; None if several rang at once and nobody answered."""
    note: str = ""
    """Why a human declined, or when the destination opens, in words."""
    attempts: tuple[HandoffAttempt, ...] = ()
    """Each attempt that has ended, in order. That with the human ends when their talk does."""


class ToolUse(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a tool by the model."""

    name: str
    """The tool's name."""
    arguments: str
    """What the model gave it, as JSON."""
    output: str
    """What the model got back; if the tool failed, the error's text."""
    failed: bool
    """Whether the tool raised, took too long, or got arguments that do not fit."""
    started_at: float
    """In seconds since the call arrived."""
    seconds: float
    """How long it took."""


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored of a call when it is over."""

    call_sid: str
    """The carrier's identifier of the call."""
    agent: str
    """The agent's name."""
    caller: str
    """Who called: a number in E.164 form, a `sip:` or `client:` address, or `anonymous`."""
    called: str
    """What the caller dialled."""
    disposition: Disposition
    """How the call ended."""
    arrived_at: float
    """When the call arrived, in seconds since 1970 (UTC)."""
    seconds: float
    """How long the call lasted, in seconds."""
    barge_ins: int = 0
    """How often the caller interrupted the agent."""
    utterances: tuple[Utterance, ...] = ()
    """Who said what, in order."""
    handoffs: tuple[HandoffAttempt, ...] = ()
    """Each attempt to reach humans, in order."""
    tools: tuple[ToolUse, ...] = ()
    """Each call of a tool, in order."""
    recorded_from: float | None = None
    """When the recording begins, in seconds since the call arrived; None without one."""
    summary: str = ""
    """What the call was about, written after it."""
    transfers: tuple[AgentTransfer, ...] = ()
    """Each time when another agent was to take the call, in order. `agent` is the first one."""
    direction: Literal["inbound", "outbound"] = "inbound"
    """Whether the line was called, or has placed the call. Then `called` is who was called."""
    answered_by: str = ""
    """Who answered a placed call: `human`, `machine`, `fax`, `unknown`, or "" if nobody did."""
    answered_after: float | None = None
    """How long it rang until a placed call was answered, in seconds; None if it never was."""
    tokens: Tokens = Tokens()
    """How many tokens the model has read and written; all 0 if it did not report them.

    `text_read`, `sound_read`, `text_written` and `sound_written`, and what came from its cache:
    `text_cached` and `sound_cached`.
    """


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
    transfers: Sequence[AgentTransfer],
    now: float,
) -> CallRecord:
    """Return the record of a call that ends at `now`.

    Times in `attempts`, `tools`, `transfers` and `recorded_since` are seconds since 1970.
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
        direction="outbound" if info.outbound else "inbound",
        answered_by=info.answered_by,
        answered_after=None if info.answered_at is None else round(info.answered_at - since, 3),
        tokens=tokens,
        recorded_from=None if recorded_since is None else round(recorded_since - since, 3),
        utterances=utterances,
        handoffs=tuple(
            msgspec.structs.replace(each, started_at=round(each.started_at - since, 3))
            for each in attempts
        ),
        transfers=tuple(
            msgspec.structs.replace(each, started_at=round(each.started_at - since, 3))
            for each in transfers
        ),
        tools=tuple(
            msgspec.structs.replace(each, started_at=round(each.started_at - since, 3))
            for each in tools
        ),
    )
