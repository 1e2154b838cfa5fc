"""Read a journal file as JSON objects, which a timeline is read from. No schema is checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read_lines(journal: Path) -> list[dict[str, Any]]:
    """Return the objects of a journal, one per line. Lines that are not valid JSON are skipped.

    A crash can leave an incomplete last line.
    """
    lines: list[dict[str, Any]] = []
    for text in journal.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines
