"""Columns derived from a record, so that calls can be found and counted without their parts."""

from __future__ import annotations

from statistics import median
from typing import Any

from hookflash.core.record import CallRecord

_ANSWER_LIMIT_SECONDS = 10.0
"""A later line of the agent is not an answer to the caller's line."""

_MAX_DIGITS = 64


def derived(record: CallRecord) -> dict[str, Any]:
    """Return the columns of `calls` that are computed from a record."""
    last = record.handoffs[-1] if record.handoffs else None
    answers = answer_delays(record)
    return {
        "destination": last.destination if last else "",
        "outcome": last.outcome if last else "",
        "seconds_to_human": last.seconds_to_human if last else None,
        "answer_seconds": round(median(answers), 3) if answers else None,
        "caller_seconds": _spoken(record, "caller"),
        "agent_seconds": _spoken(record, "agent"),
        "digits": last_digits(party_of(record)),
    }


def party_of(record: CallRecord) -> str:
    """Return who was on the line with the agent: who called, or who was called."""
    return record.called if record.direction == "outbound" else record.caller


def answer_delays(record: CallRecord) -> list[float]:
    """Return how long the caller waited for each answer of the agent."""
    found = []
    stopped: float | None = None
    for said in record.utterances:
        if said.speaker == "caller":
            stopped = said.ended_at
        elif said.speaker == "agent" and stopped is not None and said.text:
            if 0 <= said.started_at - stopped <= _ANSWER_LIMIT_SECONDS:
                found.append(said.started_at - stopped)
            stopped = None
    return found


def last_digits(number: str) -> str:
    """Return a number's digits in reverse, so that a search by its end is a search by prefix."""
    return "".join(each for each in reversed(number) if each in "0123456789")[:_MAX_DIGITS]


def _spoken(record: CallRecord, speaker: str) -> float:
    seconds = sum(
        said.ended_at - said.started_at for said in record.utterances if said.speaker == speaker
    )
    return round(seconds, 3)
