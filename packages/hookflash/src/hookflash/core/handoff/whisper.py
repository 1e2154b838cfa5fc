"""The whisper: what only the human hears before they take the call."""

from __future__ import annotations

import re

from hookflash.core import prompts
from hookflash.core.caller_number import spoken_caller
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.phrases import filled

_REASON, _SUMMARY, _LEARNED = 200, 600, 400
"""How many characters of each are whispered, so that the whisper stays short."""


def whisper(handoff: Handoff) -> str:
    """Return the text: who calls, why, and what the caller has said up to now."""
    request = handoff.request
    assert request is not None
    learned = handoff.learned(_LEARNED)
    phrases = handoff.setup.phrases
    values = {
        "destination": prompts.spoken(request.destination),
        "caller": spoken_caller(handoff.info.caller, phrases, handoff.setup.language),
        "reason": prompts.shortened(request.reason, _REASON).rstrip(". ") or phrases.no_reason,
        "summary": prompts.shortened(request.summary, _SUMMARY),
        "learned": filled(phrases.learned, said=learned) if learned else "",
        "agent": handoff.setup.agent,
    }
    # In one pass, so that a `{field}` in the caller's words is not replaced.
    text = " ".join(filled(handoff.plan.whisper or phrases.whisper, **values).split())
    # A text that was put in may end in a mark of its own: "Can I talk to a person?."
    text = re.sub(r"([!?])\.(?= |$)", r"\1", text)
    return re.sub(r"(?<!\.)\.\.(?= |$)", ".", text)
