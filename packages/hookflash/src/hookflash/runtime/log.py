"""Format each event and command as one log line.

The line has no audio, no typed digit and no whole telephone number. Control characters in texts of
callers, tools and models are escaped, so such a text cannot begin a line of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import msgspec

from hookflash.core.caller_number import masked
from hookflash.core.visible_text import visible

__all__ = ["describe", "log_step", "masked"]

log = logging.getLogger("hookflash.call")

_LONG = 120


def describe(value: Any) -> str:
    """Return a short text for an event or a command."""
    fields = []
    for name in value.__struct_fields__:
        content = getattr(value, name)
        if name in ("payload", "record") or content in (None, "", ()):
            continue
        # A digit may belong to a PIN or a card number.
        fields.append(f"{name}={'•' if name == 'digit' else _shown(content)}")
    return f"{type(value).__name__}({', '.join(fields)})"


def log_step(call_sid: str, event: Any, commands: Iterable[Any]) -> None:
    """Log an event (None: the timer) and the commands it caused."""
    if event is not None:
        log.debug("%s < %s", call_sid, describe(event))
    for command in commands:
        log.debug("%s > %s", call_sid, describe(command))


def _shown(content: object) -> str:
    if isinstance(content, str):
        text = content
    else:
        text = msgspec.json.encode(content).decode()
    return visible(masked(text), _LONG)
