"""A transcript as text, and a table of calls for a spreadsheet."""

from __future__ import annotations

import csv
import io

import msgspec

from hookflash.console import shapes as s
from hookflash.console.exports import COLUMNS, csv_text, transcript_text

ENTRY = s.PastEntry(
    call_sid="CA1",
    agent="shop",
    caller="+15550101234",
    called="+15550100",
    arrived_at=1_790_000_000.0,
    seconds=75.4,
    disposition="handed_off",
    destination="=cmd|' /C calc'!A0",
    outcome="bridged",
)


def test_a_table_has_a_row_for_each_call_and_no_formula() -> None:
    text = csv_text([ENTRY], heading=True) + csv_text([ENTRY], heading=False)
    head, first, second = list(csv.reader(io.StringIO(text)))
    assert tuple(head) == COLUMNS
    assert first == second
    row = dict(zip(head, first, strict=True))
    assert row["caller"] == "+15550101234"
    assert row["arrived_at"] == "2026-09-21T14:13:20+00:00"
    assert row["destination"] == "'=cmd|' /C calc'!A0"
    assert row["seconds_to_human"] == ""
    hostile = msgspec.structs.replace(ENTRY, caller="+1+cmd", agent="-1")
    (_, row2) = list(csv.reader(io.StringIO(csv_text([hostile], heading=True))))
    assert row2[2:4] == ["'-1", "'+1+cmd"]


def test_a_transcript_has_everything_where_it_happened() -> None:
    parts = s.Parts(
        lines=(
            s.Line(id="1", speaker="agent", text="We are", cut="open.", started_at=1, ended_at=2),
            s.Line(id="2", speaker="caller", text="A person.", started_at=3, ended_at=4),
        ),
        tools=(
            s.Tool(id="1", name="look", arguments="{}", status="cancelled", started_at=2.5),
            s.Tool(
                id="2", name="look", arguments="{}", status="answered", started_at=2.6, output="9"
            ),
        ),
        actions=(
            s.Action(id="1", at=4.5, by="anna", kind="hint", text="Park behind."),
            s.Action(id="2", at=4.6, by="anna", kind="cancel"),
        ),
        outcomes=(
            s.HandoffOutcome(
                id="1", at=61.0, destination="desk", outcome="busy", text="Desk was busy"
            ),
        ),
    )
    text = transcript_text(s.PastCall(entry=ENTRY, parts=parts, summary="About a brake."))
    assert text.splitlines() == [
        "shop: a call from +15550101234",
        "2026-09-21 14:13:20 UTC, 1:15, handed off, CA1",
        "",
        "About a brake.",
        "",
        "   0:01  Agent: We are [not heard: open.]",
        "   0:02  [look({}) -> cancelled]",
        "   0:02  [look({}) -> 9]",
        "   0:03  Caller: A person.",
        "   0:04  [anna: hint: Park behind.]",
        "   0:04  [anna: cancel]",
        "   1:01  [Desk was busy]",
    ]
