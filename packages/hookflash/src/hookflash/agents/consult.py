"""The instructions of a model session in which the agent talks with a human about a waiting caller.

It is the same agent with the same voice, on a call of its own. It has none of the owner's tools and
decides one thing: whether the human takes the call. The caller's words are quoted as data, because
a caller might try to give the model orders.
"""

from __future__ import annotations

from collections.abc import Sequence

from hookflash.agents.builtin_tool_specs import CONSULT_TOOLS
from hookflash.core.commands import Message
from hookflash.core.setup import ModelSetup

MAX_LINES = 60
"""How much of a conversation is told, the newest: enough for any question that a human asks."""

_WHO = {"user": "Caller", "assistant": "You", "system": "Note"}

_TASK = """\
You are on the telephone with a human who is asked to take over a call. The caller waits with your
colleague, another voice of yours, and does not hear this.

Say in one or two short sentences who is on the line and why, and ask whether they take the call.
Answer what they ask from the facts below; if you do not know, say so. Do not talk about anything
else, and make nothing up.

When they take the call, use connect_caller. When they do not, ask for the reason if they gave none,
and use decline. When a mailbox or a machine has answered, use left_voicemail at once.

Speak the human's language."""


def consult_setup(
    *,
    instructions: str,
    briefing: str,
    conversation: Sequence[Message],
    history: Sequence[Message],
    voice: str | None,
    language: str | None,
    safety_identifier: str | None,
) -> ModelSetup:
    """Return what the session is set up with.

    `instructions` are the agent's own, `briefing` says what the caller wants, `conversation` is
    what was said with the caller so far, `history` what was said with the human.
    """
    parts = [
        _TASK,
        f"# What you want of the human\n\n{briefing.strip() or 'Somebody is to take this call.'}",
        f"# What was said with the caller so far\n\n{_told(conversation)}",
        f"# What you know as the agent who answers the callers\n\n{instructions}",
    ]
    return ModelSetup(
        instructions="\n\n".join(parts),
        voice=voice,
        language=language,
        tools=CONSULT_TOOLS,
        history=tuple(history),
        safety_identifier=safety_identifier,
    )


def _told(conversation: Sequence[Message]) -> str:
    """Return the newest lines, each on one line of its own, so that none can pose as another."""
    lines = [
        f"{_WHO[message.role]}: {' '.join(message.text.split())}"
        for message in conversation[-MAX_LINES:]
    ]
    return "\n".join(lines) or "Nothing yet."
