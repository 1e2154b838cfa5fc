"""Telephone keys that a tool presses during the call, such as an extension or the key of a menu.

    NONE --wanted--> DUE --the agent is silent--> SENT --the stream is open again--> NONE
                      +-- the call goes elsewhere: the tool is told that nothing was pressed

A media stream cannot carry keys. So the leg leaves the stream, the carrier plays the tones to the
other side, and the leg comes back to a new stream. The next session is opened meanwhile and knows
the conversation.

Functions of (conversation, ..., step).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import signals as s
from hookflash.core.commands import ReportKeys
from hookflash.core.conversation import speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.states import KeysState


def keys_wanted(talk: Conversation, event: e.KeysWanted, step: s.Step) -> None:
    """A tool wants keys to be pressed: first the agent finishes its sentence."""
    elsewhere = talk.farewell.purpose is not None or talk.handoff.running
    if not talk.live or elsewhere or talk.press is not None:
        step.do(ReportKeys(event.press_id, False))
        return
    talk.press = event.press_id, event.digits
    talk.keys.enter(KeysState.DUE, step.now)
    speaking.after_heard(talk, step)


def expire(talk: Conversation, step: s.Step) -> None:
    """The agent still speaks: press the keys all the same."""
    if talk.keys.expired(step.now):
        speaking.press_keys(talk, step)
