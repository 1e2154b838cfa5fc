"""The tables of call records, as the newest migration creates them.

    calls 1 --- n utterances      who said what, as heard
          1 --- n handoffs        attempts to reach humans
          1 --- n tool_uses       tools that ran
          1 --- n agent_transfers other agents that took the call
    audit                         who did what at the console
    ended_sessions                sessions that ended before their expiry
    deliveries                    messages for the owner, also of live calls
    call_events                   events of calls for the owner's webhook

`position` is the order of a call's rows. `arrived_at` is in seconds since 1970, other times are
seconds since the call arrived. A test compares this module with what the migrations create. Only
`call_words`, a database-specific index, is defined in `full_text.py`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from hookflash.core.token_usage import COUNTS

TOMBSTONE_PREFIX = "erased-"
"""The call SID of an erased call begins with this (`erasing.py`)."""

metadata = MetaData()

calls = Table(
    "calls",
    metadata,
    Column("call_sid", String(128), primary_key=True),
    Column("agent", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("called", Text, nullable=False),
    Column("disposition", String(64), nullable=False),
    Column("arrived_at", Double, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("barge_ins", Integer, nullable=False),
    Column("recorded_from", Double, nullable=True),
    Column("summary", Text, nullable=False, server_default=""),
    Column("direction", String(16), nullable=False, server_default="inbound"),
    Column("answered_by", String(16), nullable=False, server_default=""),
    Column("answered_after", Double, nullable=True),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in COUNTS),
    # The following columns are derived from the record (`derived.py`), for search and figures.
    Column("destination", Text, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("seconds_to_human", Double, nullable=True),
    Column("answer_seconds", Double, nullable=True),
    Column("caller_seconds", Double, nullable=False),
    Column("agent_seconds", Double, nullable=False),
    Column("digits", String(64), nullable=False),
    Index("calls_by_arrival", "arrived_at", "call_sid"),
    Index("calls_by_caller", "caller", "arrived_at"),
    Index("calls_by_disposition", "disposition", "arrived_at"),
    Index("calls_by_digits", "digits"),
    Index("calls_by_agent", "agent", "arrived_at"),
    Index("calls_by_destination", "destination", "arrived_at"),
)


def _of_call() -> tuple[Column[str], Column[int]]:
    """Return the two columns for a row's call and its position in the call."""
    call = ForeignKey("calls.call_sid", ondelete="CASCADE")
    return (
        Column("call_sid", String(128), call, primary_key=True),
        Column("position", Integer, primary_key=True, autoincrement=False),
    )


utterances = Table(
    "utterances",
    metadata,
    *_of_call(),
    Column("speaker", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    Column("cut", Text, nullable=False),
)

handoffs = Table(
    "handoffs",
    metadata,
    *_of_call(),
    Column("destination", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", String(64), nullable=False),
    Column("started_at", Double, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("seconds_to_human", Double, nullable=True),
    Column("manner", String(16), nullable=False),
    Column("target", Integer, nullable=True),
    Column("note", Text, nullable=False),
    Index("handoffs_by_destination", "destination", "outcome"),
)

tool_uses = Table(
    "tool_uses",
    metadata,
    *_of_call(),
    Column("name", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("failed", Boolean, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("seconds", Double, nullable=False),
)

agent_transfers = Table(
    "agent_transfers",
    metadata,
    *_of_call(),
    Column("from_agent", Text, nullable=False),
    Column("to_agent", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("outcome", String(16), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("via", String(16), nullable=False),
    Column("action", String(64), nullable=False),
    Column("call_sid", String(128), nullable=False),
    Column("text", Text, nullable=False),
    Column("peer", Text, nullable=False),
    Index("audit_by_call", "call_sid", "id"),
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("session_id", String(64), primary_key=True),
    Column("until", Double, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", String(160), primary_key=True),
    Column("call_sid", String(128), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("lease", String(64), nullable=False),
    Column("leased_until", Double, nullable=False),
    # Named as before, so that a process of an older version works until it is stopped.
    Column("kept", Text, nullable=False, key="tracked"),
    Index("deliveries_by_state", "state", "due_at"),
    Index("deliveries_by_call", "call_sid", "created_at"),
    Index("deliveries_by_time", "created_at", "delivery_id"),
)
"""`tracked` is a `TrackedDelivery` as JSON; the other columns are for queries."""

call_events = Table(
    "call_events",
    metadata,
    Column("delivery_id", String(160), primary_key=True),
    Column("call_sid", String(128), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("due_at", Double, nullable=False),
    Column("lease", String(64), nullable=False),
    Column("leased_until", Double, nullable=False),
    Column("tracked", Text, nullable=False),
    Index("call_events_by_state", "state", "due_at"),
    Index("call_events_by_call", "call_sid", "created_at"),
    Index("call_events_by_time", "created_at", "delivery_id"),
)
"""As `deliveries`, for `TrackedEvent`s. They are many, so they have a table of their own."""
