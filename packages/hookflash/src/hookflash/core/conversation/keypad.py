"""What the caller types: the key that brings a human, or an entry for the model.

Functions of (conversation, ..., step).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request


def digit_pressed(talk: Conversation, event: e.DigitPressed, step: s.Step) -> None:
    talk.prompts = 0
    if talk.live:
        entry_typed(talk, talk.digits.press(event.digit, step.now), step)


def entry_typed(talk: Conversation, digits: str, step: s.Step) -> None:
    """Take an entry of digits: the key for a human, or something for the model."""
    setup = talk.setup
    if not digits:
        return
    if digits == setup.key_to_human and setup.destinations:
        if talk.farewell.purpose is None:
            wanted = setup.key_destination or setup.fallback or setup.destinations[0].key
            reason = "the caller pressed the key for a human"
            step.tell(s.HandoffWanted(destination=wanted, reason=reason, source="caller"))
        return
    talk.tell(prompts.typed(digits), step)
    if talk.farewell.purpose is None:
        talk.ask(Request(Kind.TOOL), step)
