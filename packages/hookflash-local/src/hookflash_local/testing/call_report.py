"""The timeline of a call as text, for the message of a test that fails. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hookflash.replay.svg import clock
from hookflash.replay.timeline import read_timeline
from hookflash.replay.transcript import spoken_text, tool_text
from hookflash_local.demo.ring_attempts import RingAttempts

_STAGES = {
    "farewell": "hand-off: the agent says goodbye",
    "moving": "hand-off: the call is on its way",
    "with human": "hand-off: the caller and the human hear each other",
    "returning": "hand-off: the caller comes back to the agent",
}

OUTCOMES = {
    "busy": "the human is busy",
    "no-answer": "the human does not answer",
    "failed": "the human cannot be reached",
    "cancelled": "the telephone stops ringing",
    "machine": "a mailbox has answered",
}

Row = tuple[float, str, str]
"""When (seconds since the call arrived), who, and what."""


def call_rows(journal: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return what happened in a call, in order of time."""
    lines = list(journal)
    timeline = read_timeline(lines)
    rows: list[Row] = [
        (one.start, one.speaker, spoken_text(one)) for one in timeline.spoken if spoken_text(one)
    ]
    rows += [(tool.start, "tool", tool_text(tool)) for tool in timeline.tools]
    rows += [
        (stage.start, "", _STAGES[stage.name]) for stage in timeline.stages if stage.name in _STAGES
    ]
    attempts = RingAttempts()
    rows += [
        (step.at - timeline.arrived_at, "human", step.text)
        for line in lines
        for step in attempts.feed(line)
    ]
    rows += _dialled(lines, timeline.arrived_at)
    if timeline.record is not None:
        rows.append((timeline.seconds, "", f"the call is over: {timeline.disposition}"))
    return sorted(rows, key=lambda row: row[0])


def _dialled(lines: Iterable[Mapping[str, Any]], zero: float) -> Iterator[Row]:
    """Yield what happens to the telephones that the carrier rings itself, in a cold hand-off."""
    answered: set[str] = set()
    for line in lines:
        event = line.get("event", {})
        if event.get("type") != "LegChanged" or event.get("leg") is not None:
            continue
        at, sid = float(line["at"]) - zero, str(event["leg_sid"])
        if event["status"] == "ringing":
            yield at, "human", "a telephone rings"
        elif event["status"] == "answered":
            answered.add(sid)
            yield at, "human", "a human answers"
        elif event["status"] == "completed":
            outcome = event.get("outcome") or ""
            ended = "the human has hung up" if sid in answered else "nobody was reached"
            yield at, "human", OUTCOMES.get(outcome, ended)


def call_report(rows: Iterable[Row]) -> str:
    """Return the rows as text, one a line."""
    text = "\n".join(f"{clock(at):>7}  {who:<7} {what}" for at, who, what in rows)
    return text or "  nothing has happened yet"
