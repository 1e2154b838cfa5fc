"""What the agent is asked to say last, when it has not said so of its own accord."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import consulting, lines
from hookflash.core.handoff_table import State

if TYPE_CHECKING:
    from hookflash.core.call import Call


def last_words(call: Call) -> str:
    """Return what the model is asked for, by what its last words lead to."""
    request = call.handoff.request
    match call.farewell.purpose:
        case "consulted":
            return consulting.last_words(call)
        case "hand-off" if request is not None and call.handoff.state is State.CLOSING:
            return lines.closing(request.destination)
        case "hand-off" if request is not None:
            return lines.farewell(request.destination)
        case "voicemail" if request is not None and call.handoff.attempts:
            return lines.voicemail(request.destination, call.handoff.attempts[-1].outcome)
        case "voicemail":
            return lines.LEAVE_MESSAGE
        case "hang-up" if request is not None and call.handoff.state is State.FAILED:
            return lines.sorry(request.destination.plan.sorry)
    return lines.GOODBYE
