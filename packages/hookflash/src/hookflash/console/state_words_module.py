"""Write the table of states as the module that the console's pages import. No I/O.

`scripts/reference` stores it as `static/state-words.js`; a test says when it is out of date.
"""

from __future__ import annotations

import json

import msgspec

from hookflash.core.state_words import (
    CALL_STATES,
    DELIVERY_STATES,
    DISPOSITIONS,
    OUTCOMES,
    SOURCES,
    TOOL_STATES,
)

FILE = "state-words.js"

_HEAD = """\
// The words for states. Generated from `hookflash/core/state_words.py` by `make reference`.
"""


def module() -> str:
    """Return the text of the module."""
    tables = {
        "CALL_STATES": msgspec.to_builtins(CALL_STATES),
        "OUTCOMES": OUTCOMES,
        "DISPOSITIONS": DISPOSITIONS,
        "DELIVERY_STATES": DELIVERY_STATES,
        "TOOL_STATES": TOOL_STATES,
        "SOURCES": SOURCES,
    }
    parts = [
        f"\nexport const {name} = {json.dumps(table, indent=2, ensure_ascii=False)};\n"
        for name, table in tables.items()
    ]
    return _HEAD + "".join(parts)
