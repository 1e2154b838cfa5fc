"""What the owner's hooks and webhooks are told about a call, as it happens.

call.started      `CallStarted`      the call has arrived and an agent answers it
transcript.line   `TranscriptLine`   somebody has said something
handoff.ended     `HandoffEnded`     an attempt to reach a human has ended
call.ended        `CallRecord`       the call is over
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

import msgspec

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import TrackedDelivery
from hookflash.core.record import CallRecord, HandoffAttempt

EventKind = Literal["call.started", "transcript.line", "handoff.ended", "call.ended"]

KINDS: tuple[EventKind, ...] = ("call.started", "transcript.line", "handoff.ended", "call.ended")


class CallStarted(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has just arrived, or was placed: `@agent.on_call_started` gets it."""

    call_sid: str
    """The carrier's identifier of the call."""
    agent: str
    """The name of the agent that answers."""
    caller: str
    """Who calls: a number in E.164 form, a `sip:` or `client:` address, or `anonymous`."""
    called: str
    """What the caller dialled, or who is called."""
    arrived_at: float
    """When the call arrived, in seconds since 1970 (UTC)."""
    direction: Literal["inbound", "outbound"] = "inbound"
    """Whether the line is called, or places the call."""


class TranscriptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a live call: `@agent.on_transcript` gets it.

    A line of the agent comes when it was heard, and once more if its text was completed later. Both
    have the same `started_at`.
    """

    call_sid: str
    """The carrier's identifier of the call."""
    agent: str
    """The agent's name."""
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


class HandoffEnded(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt to reach a human that has ended: `@agent.on_handoff` gets it."""

    call_sid: str
    """The carrier's identifier of the call."""
    agent: str
    """The agent's name."""
    caller: str
    """Who called: a number in E.164 form, a `sip:` or `client:` address, or `anonymous`."""
    attempt: HandoffAttempt
    """The attempt; `attempt.outcome` says how it ended, such as `bridged` or `busy`."""


AnyCallEvent: TypeAlias = CallStarted | TranscriptLine | HandoffEnded | CallRecord

_KIND_OF: dict[type, EventKind] = {
    CallStarted: "call.started",
    TranscriptLine: "transcript.line",
    HandoffEnded: "handoff.ended",
    CallRecord: "call.ended",
}


class CallEvent(Delivery, frozen=True, kw_only=True):
    """An event on its way to the owner's webhook. `data` is what a hook gets, as JSON."""

    kind: EventKind  # type: ignore[assignment]  # a delivery has other kinds
    destination: str = ""
    data: str = ""


class TrackedEvent(TrackedDelivery, frozen=True, kw_only=True):
    """An event and the state of its delivery."""

    delivery: CallEvent


def kind_of(about: AnyCallEvent) -> EventKind:
    """Return the kind of an event."""
    return _KIND_OF[type(about)]


def event_of(about: AnyCallEvent, now: float) -> CallEvent:
    """Return an event for the webhook. The same event always has the same id."""
    kind = kind_of(about)
    data = msgspec.json.encode(about)
    name = hashlib.sha256(data).hexdigest()[:16]
    return CallEvent(
        id=f"{about.call_sid}-{kind}-{name}",
        kind=kind,
        call_sid=about.call_sid,
        agent=about.agent,
        created_at=now,
        data=data.decode(),
    )
