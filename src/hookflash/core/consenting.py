"""How a call comes to be recorded, and how it stops being so.

Functions of (call, event, now) that couple the machines: the line is asked for before anything
else is said, cannot be talked over, and only when it was heard does recording begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import asking, lines
from hookflash.core import events as e
from hookflash.core.commands import AnyCommand
from hookflash.core.phases import Phase

if TYPE_CHECKING:
    from hookflash.core.call import Call


def line_first(call: Call, now: float) -> list[AnyCommand] | None:
    """The agent can speak. Return how it says the line; None if nothing is to be said before."""
    line = call.consent.ask()
    if line is None:
        return None
    call.floor.protected = True
    return [*call.floor.ask(line, now)]


def recording_refused(call: Call, event: e.RecordingRefused, now: float) -> list[AnyCommand]:
    return [] if call.phase is Phase.ENDED else [*call.consent.refuse()]


def refused_to_agent(call: Call, call_id: str, now: float) -> list[AnyCommand]:
    """The model calls its tool: the caller does not want to be recorded."""
    output = lines.tool_status("accepted", "Nothing of this call is recorded any more.")
    return [*call.consent.refuse(), *asking.answered(call, call_id, output, now)]
