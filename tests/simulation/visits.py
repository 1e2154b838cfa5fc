"""Which situations the simulated calls have been in: a table of visits, and what it must contain.

A cell is (state of the hand-off, kind of event), or (fault, phase of the call at its moment). A
cell that no call of the CI set visits fails the run, unless `unvisited.txt` says why that is so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

from hookflash.core.events import AnyEvent
from hookflash.core.handoff.states import NEXT, HandoffState

REASONS = Path(__file__).parent / "unvisited.txt"

Cell = tuple[str, str]


def cells(faults: Iterable[str], phases: Iterable[str]) -> set[Cell]:
    """Return every cell that there is: events and transitions by state, faults by phase."""
    events = [*(kind.__name__ for kind in get_args(AnyEvent)), "(timer)"]
    found = {(state.value, event) for state in HandoffState for event in events}
    found |= {(a.value, f"-> {b.value}") for a, leads in NEXT.items() for b in leads.values()}
    return found | {(fault, phase) for fault in faults for phase in phases}


def read_reasons(text: str) -> list[tuple[str, str, str]]:
    """Return (state, event, reason) of each line `STATE, STATE ... | EVENT, EVENT ...: reason`."""
    found = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cell, _, reason = line.partition(":")
        row, _, column = cell.partition("|")
        if not column or not reason.strip():
            raise ValueError(f"unvisited.txt: expected 'STATE | EVENT: reason', got {line!r}")
        found += [
            (state.strip(), event.strip(), reason.strip())
            for state in row.split(",")
            for event in column.split(",")
        ]
    return found


def unexplained(
    cells: set[Cell], visits: Mapping[Cell, int], reasons: list[tuple[str, str, str]]
) -> list[Cell]:
    """Return the cells that were not visited and that no reason covers, in order."""
    return sorted(
        cell
        for cell in cells
        if not visits.get(cell)
        and not any(
            fnmatchcase(cell[0], row) and fnmatchcase(cell[1], column) for row, column, _ in reasons
        )
    )


def superfluous(
    visits: Mapping[Cell, int], reasons: list[tuple[str, str, str]]
) -> list[tuple[Cell, str]]:
    """Return the visited cells of which a reason says that they cannot be visited."""
    return sorted(
        (cell, reason)
        for cell, count in visits.items()
        if count
        for row, column, reason in reasons
        if fnmatchcase(cell[0], row) and fnmatchcase(cell[1], column)
    )


def table(visits: Counter[Cell]) -> str:
    """Return the visits as text: a row for each state or fault, the most visited first."""
    rows: dict[str, list[tuple[int, str]]] = {}
    for (row, column), count in visits.items():
        rows.setdefault(row, []).append((count, column))
    lines = []
    for row in sorted(rows):
        cells = ", ".join(f"{column} {count}" for count, column in sorted(rows[row], reverse=True))
        lines.append(f"{row}: {cells}")
    return "\n".join(lines)
