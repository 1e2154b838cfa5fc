"""Read a journal file as JSON objects, which a timeline is read from. No schema is checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_lines(journal: Path) -> list[dict[str, Any]]:
    """Return the objects of a journal, one per line. Lines that are not valid JSON are skipped.

    A crash can leave an incomplete last line.
    """
    return parse_lines(journal.read_text(encoding="utf-8"))


def parse_lines(text: str) -> list[dict[str, Any]]:
    """Return the objects in a journal's text, as `read_lines` does."""
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines
