"""What a human hears before they take a call: who, why, and what was said up to this moment."""

from __future__ import annotations

import re

from hookflash.core import lines
from hookflash.core.caller_number import spoken_caller
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff_plan import WHISPER

_REASON, _SUMMARY, _LEARNED = 200, 600, 400
"""So many characters of each are whispered: a human must not listen for a minute."""

_NO_REASON = "they want to talk to a person"


def whisper(handoff: Handoff) -> str:
    """Return what the human hears: who, why, and what was said up to this moment."""
    request = handoff.request
    assert request is not None
    learned = handoff.learned(_LEARNED)
    values = {
        "destination": lines.spoken(request.destination),
        "caller": spoken_caller(handoff.facts.caller),
        "reason": lines.shortened(request.reason, _REASON).rstrip(". ") or _NO_REASON,
        "summary": lines.shortened(request.summary, _SUMMARY),
        "learned": f"Since then they said: {learned}" if learned else "",
        "agent": handoff.setup.agent,
    }
    # In one pass, so that what a caller has said is never taken for a field.
    text = re.sub(
        r"{(\w+)}", lambda found: values.get(found[1], ""), handoff.plan.whisper or WHISPER
    )
    return " ".join(text.split())
