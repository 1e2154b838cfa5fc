"""What a human hears before they take a call: who, why, and what was said up to this moment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hookflash.core import lines
from hookflash.core.caller_number import spoken_caller
from hookflash.core.handoff_plan import WHISPER

if TYPE_CHECKING:
    from hookflash.core.call import Call

_REASON, _SUMMARY, _LEARNED = 200, 600, 400
"""So many characters of each are whispered: a human must not listen for a minute."""

_NO_REASON = "they want to talk to a person"


def whisper(call: Call) -> str:
    """Return what the human hears: who, why, and what was said up to this moment."""
    request, plan = call.handoff.request, call.handoff.plan
    assert request is not None
    learned = call.transcript.caller_since(request.asked_at, _LEARNED)
    values = {
        "destination": lines.spoken(request.destination),
        "caller": spoken_caller(call.facts.caller),
        "reason": lines.shortened(request.reason, _REASON).rstrip(". ") or _NO_REASON,
        "summary": lines.shortened(request.summary, _SUMMARY),
        "learned": f"Since then they said: {learned}" if learned else "",
        "agent": call.setup.agent,
    }
    # In one pass, so that what a caller has said is never taken for a field.
    text = re.sub(r"{(\w+)}", lambda found: values.get(found[1], ""), plan.whisper or WHISPER)
    return " ".join(text.split())
