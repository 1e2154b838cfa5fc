"""The dialogue state: what was said and what is unanswered. No I/O.

A pause in a sentence ends a turn, because turn detection prefers a fast answer. So consecutive
caller turns, with no agent speech between them, are one utterance here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hookflash_local.model.components import Turn

_TYPED = re.compile(r"^The caller typed (\S+) on the telephone's keypad\.?$")


class DialogueState(msgspec.Struct, frozen=True):
    """What was said and what is unanswered.

    `said` are the caller's utterances, oldest first. `latest` is the last one if it is unanswered,
    else empty. `heard` is the agent's last speech. `times_said` counts each text of the agent.
    `outputs` are tool outputs that the caller has not been told yet.
    """

    said: tuple[str, ...]
    latest: str
    heard: str
    times_said: dict[str, int]
    outputs: tuple[Turn, ...]


def read_dialogue_state(conversation: Sequence[Turn]) -> DialogueState:
    """Return the state after `conversation` (oldest first). System turns are ignored."""
    said: list[str] = []
    asked: dict[str, int] = {}
    outputs: list[Turn] = []
    latest, heard, goes_on = "", "", False
    for turn in conversation:
        text = turn.text.strip()
        if turn.role == "user" and text:
            typed = _TYPED.match(text)
            text = typed[1] if typed else text
            if goes_on:
                said[-1] += " " + text
            else:
                said.append(text)
            goes_on = True
            latest = said[-1]
        elif turn.role == "assistant" and text:
            heard, latest, goes_on, outputs = text, "", False, []
            asked[text] = asked.get(text, 0) + 1
        elif turn.role == "tool_call":
            latest, goes_on = "", False
        elif turn.role == "tool_output":
            outputs.append(turn)
            goes_on = False
    return DialogueState(tuple(said), latest, heard, asked, tuple(outputs))
