"""What the caller types: the key that brings a human, or an entry for the model.

While a tool collects digits, keys belong to the tool (`collecting.py`).

Functions of (conversation, ..., step).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.conversation import collecting
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.digit_buffer import Entry
from hookflash.core.conversation.requests import Kind, Request


def without_digit(talk: Conversation, event: e.DigitPressed) -> e.DigitPressed:
    """Return the event of a key without its digit, unless the core may know the digit.

    `to_human` and `ends` say what the key means, so the core does not need the digit.
    """
    setup, collection = talk.setup, talk.collection
    shown = setup.digits_shown and not collection.private
    digit = event.digit if shown else ""
    if collection.takes_keys:
        return e.DigitPressed(digit, ends=event.digit == collection.wanted.finish_on_key)
    to_human = event.digit == setup.key_to_human
    return e.DigitPressed(digit, to_human=to_human, ends=event.digit == "#")


def digit_pressed(talk: Conversation, event: e.DigitPressed, step: s.Step) -> None:
    talk.prompts = 0
    if not talk.live:
        return
    if talk.collection.takes_keys:
        collecting.key_pressed(talk, event, step)
    else:
        entry_typed(talk, talk.digits.press(event, step.now), step)


def entry_typed(talk: Conversation, entry: Entry | None, step: s.Step) -> None:
    """Take an entry: the key for a human, or something for the model."""
    setup = talk.setup
    if entry is None:
        return
    if entry.to_human and setup.destinations:
        if talk.farewell.purpose is None:
            wanted = setup.key_destination or setup.fallback or setup.destinations[0].key
            reason = "the caller pressed the key for a human"
            step.tell(
                s.HandoffWanted(
                    destination=wanted, reason=reason, summary=talk.summary(), source="caller"
                )
            )
        return
    known = prompts.typed(entry.digits) if entry.digits else prompts.typed_hidden(entry.keys)
    talk.tell(known, step)
    if talk.farewell.purpose is None:
        talk.ask(Request(Kind.TOOL), step)
