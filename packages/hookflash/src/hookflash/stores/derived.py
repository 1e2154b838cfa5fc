"""What is kept beside a record so that calls can be found and counted without their parts."""

from __future__ import annotations

from statistics import median
from typing import Any

from hookflash.core.record import CallRecord

_ANSWER_LIMIT_SECONDS = 10.0
"""An answer later than this is to something else."""

_DIGITS_KEPT = 64


def derived(record: CallRecord) -> dict[str, Any]:
    """Return the columns of `calls` that are worked out of a record."""
    last = record.handoffs[-1] if record.handoffs else None
    answers = answer_delays(record)
    return {
        "destination": last.destination if last else "",
        "outcome": last.outcome if last else "",
        "seconds_to_human": last.seconds_to_human if last else None,
        "answer_seconds": round(median(answers), 3) if answers else None,
        "caller_seconds": _spoken(record, "caller"),
        "agent_seconds": _spoken(record, "agent"),
        "digits": last_digits(record.caller),
    }


def answer_delays(record: CallRecord) -> list[float]:
    """Return how long the caller waited for each answer of the agent that followed their words."""
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
    """Return a number's digits from the last to the first: how it ends is how this begins."""
    return "".join(each for each in reversed(number) if each in "0123456789")[:_DIGITS_KEPT]


def _spoken(record: CallRecord, speaker: str) -> float:
    seconds = sum(
        said.ended_at - said.started_at for said in record.utterances if said.speaker == speaker
    )
    return round(seconds, 3)
