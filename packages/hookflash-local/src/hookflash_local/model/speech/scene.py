"""The conversation as the receptionist sees it at the moment of answering. No I/O.

A pause in mid-sentence ends a turn in the ears, which answer fast rather than wait; so what the
caller says in a row, with nothing heard in between, is one utterance here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from hookflash_local.model.parts import Turn

_TYPED = re.compile(r"^The caller typed (\S+) on the telephone's keypad\.?$")


class Scene(msgspec.Struct, frozen=True):
    """What was said and what is open.

    `said` are the caller's utterances, oldest first, the last of them `latest` if it is still
    unanswered. `heard` is what the agent said last. `outputs` are the tools' answers that nobody
    has told the caller yet.
    """

    said: tuple[str, ...]
    latest: str
    heard: str
    asked_times: dict[str, int]
    outputs: tuple[Turn, ...]


def read_scene(conversation: Sequence[Turn]) -> Scene:
    """Read the turns, oldest first; system turns are for language models and are passed over."""
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
    return Scene(tuple(said), latest, heard, asked, tuple(outputs))
