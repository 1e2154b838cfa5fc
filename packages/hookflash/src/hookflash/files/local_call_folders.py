"""Find the folders of files that `hookflash call` has written for a call."""

from __future__ import annotations

import json
import re
from pathlib import Path


def call_folders(data_dir: Path, call_sid: str) -> list[Path]:
    """Return the folders of a call in `data_dir/calls`: those whose record has this SID."""
    begins = re.sub(r"[^A-Za-z0-9]", "", call_sid)[:10]
    if not begins:
        return []
    return [
        folder
        for folder in sorted((data_dir / "calls").glob(f"*-{begins}"))
        if _sid_in(folder / "record.json") == call_sid
    ]


def _sid_in(record: Path) -> str:
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(found.get("call_sid", "")) if isinstance(found, dict) else ""
