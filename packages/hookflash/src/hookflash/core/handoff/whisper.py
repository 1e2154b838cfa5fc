"""The whisper: what only the human hears before they take the call."""

from __future__ import annotations

import re

from hookflash.core import prompts
from hookflash.core.caller_number import spoken_caller
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff_plan import WHISPER

_REASON, _SUMMARY, _LEARNED = 200, 600, 400
"""How many characters of each are whispered, so that the whisper stays short."""

_NO_REASON = "they want to talk to a person"


def whisper(handoff: Handoff) -> str:
    """Return the text: who calls, why, and what the caller has said up to now."""
    request = handoff.request
    assert request is not None
    learned = handoff.learned(_LEARNED)
    values = {
        "destination": prompts.spoken(request.destination),
        "caller": spoken_caller(handoff.info.caller),
        "reason": prompts.shortened(request.reason, _REASON).rstrip(". ") or _NO_REASON,
        "summary": prompts.shortened(request.summary, _SUMMARY),
        "learned": f"Since then they said: {learned}" if learned else "",
        "agent": handoff.setup.agent,
    }
    # In one pass, so that a `{field}` in the caller's words is not replaced.
    text = re.sub(
        r"{(\w+)}", lambda found: values.get(found[1], ""), handoff.plan.whisper or WHISPER
    )
    text = " ".join(text.split())
    # A text that was put in may end in a mark of its own: "Can I talk to a person?."
    text = re.sub(r"([!?])\.(?= |$)", r"\1", text)
    return re.sub(r"(?<!\.)\.\.(?= |$)", ".", text)
