"""What can be taken away of ended calls: a transcript as text, and a table of calls. No I/O."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime

from hookflash.console.shapes import PastCall, PastEntry
from hookflash.core.state_words import DISPOSITIONS

COLUMNS = (
    "call_sid",
    "arrived_at",
    "agent",
    "caller",
    "called",
    "seconds",
    "disposition",
    "destination",
    "outcome",
    "seconds_to_human",
    "answer_seconds",
    "barge_ins",
    "cost",
)
"""The columns of the table, with the names of the API."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(calls: Iterable[PastEntry], *, heading: bool) -> str:
    """Return calls as lines of a CSV (RFC 4180); `heading` begins it with the names of columns.

    `arrived_at` is in ISO 8601, UTC. A text that a spreadsheet would take for a formula begins with
    an apostrophe, except a number in E.164 form.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    if heading:
        writer.writerow(COLUMNS)
    for call in calls:
        row: list[object] = []
        for name in COLUMNS:
            value = getattr(call, name)
            if name == "arrived_at":
                value = datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
            row.append(_cell(value))
        writer.writerow(row)
    return out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA):
        number = value.startswith("+") and value[1:].isascii() and value[1:].isdecimal()
        return value if number else f"'{value}"
    return value


def transcript_text(call: PastCall) -> str:
    """Return the transcript as heard, with tools and outcomes where they happened."""
    entry, parts = call.entry, call.parts
    arrived = datetime.fromtimestamp(entry.arrived_at, UTC)
    lines = [
        f"{entry.agent}: a call from {entry.caller or 'a withheld number'}",
        f"{arrived:%Y-%m-%d %H:%M:%S} UTC, {_clock(entry.seconds)},"
        f" {DISPOSITIONS.get(entry.disposition, entry.disposition)}, {entry.call_sid}",
    ]
    if call.summary:
        lines += ["", call.summary]
    found: list[tuple[float, str]] = []
    for line in parts.lines:
        cut = f" [not heard: {line.cut}]" if line.cut else ""
        found.append((line.started_at, f"{line.speaker.capitalize()}: {line.text}{cut}"))
    for tool in parts.tools:
        answer = tool.output if tool.status in ("answered", "failed") else tool.status
        found.append((tool.started_at, f"[{tool.name}({tool.arguments}) -> {answer}]"))
    for action in parts.actions:
        words = f": {action.text}" if action.text else ""
        found.append((action.at, f"[{action.by}: {action.kind}{words}]"))
    found += [(outcome.at, f"[{outcome.text}]") for outcome in parts.outcomes]
    found.sort(key=lambda one: one[0])
    lines += ["", *(f"{_clock(at):>7}  {text}" for at, text in found)]
    return "\n".join(lines) + "\n"


def _clock(seconds: float) -> str:
    total = int(max(0.0, seconds))
    return f"{total // 60}:{total % 60:02d}"
