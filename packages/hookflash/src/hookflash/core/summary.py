"""What a call was about, in a few plain sentences picked from the call itself. No model.

Why a human was wanted, what the caller asked for in their own words, what the tools found, what a
human said where that was written down, and how it ended. The same call always gives the same text,
so a human who is about to take over can be told at once, and a call has a summary even where no
model is there to write one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal

from hookflash.core.record import CallRecord, ToolUse, Utterance

_TURNS = 3
_TOOLS = 3
_QUOTE = 160
_FILLERS = frozenset(
    "a ah all alright and bye fine good goodbye great hello hey hi hm hmm i it just mm much no nope"
    " of oh ok okay one please right so sorry sure thank thanks that the there um uh very well yeah"
    " yes yep you".split()
)
"""Words that say nothing of what somebody wants; a turn of nothing else is left out."""

_HANDOFF = {
    "bridged": "The caller spoke with {name}.",
    "caller-gone": "The caller hung up before {name} was reached.",
    "cancelled": "The caller decided against being connected with {name}.",
    "busy": "{Name} could not be reached: the line was busy.",
    "no-answer": "{Name} could not be reached: nobody answered.",
    "declined": "{Name} did not take the call.",
    "machine": "{Name} could not be reached: only a mailbox answered.",
}
_ENDINGS = {
    "abandoned": "The caller hung up before anybody could help.",
    "failed": "Neither the agent nor a human could take the call.",
    "voicemail": "The caller left a message.",
    "callback": "The caller wants to be called back.",
}


def extract(
    utterances: Sequence[Utterance], tools: Sequence[ToolUse], reason: str, *, outcome: str = ""
) -> str:
    """Return the sentences. `reason` is why a human is wanted, `outcome` a sentence on the end;
    both may be empty. Nothing at all to tell gives an empty text."""
    told: list[str] = []
    if reason.strip():
        told.append(f"Wanted: {_sentence(reason)}")
    told += _said("caller", utterances)
    told += [_tool(use) for use in tools[-_TOOLS:]]
    told += _said("human", utterances)
    if outcome.strip():
        told.append(_sentence(outcome))
    return " ".join(told)


def summarise(record: CallRecord) -> str:
    """Return the sentences about a call that is over."""
    reasons = [attempt.reason for attempt in record.handoffs if attempt.reason.strip()]
    return extract(
        record.utterances, record.tools, reasons[-1] if reasons else "", outcome=_outcome(record)
    )


def _outcome(record: CallRecord) -> str:
    told: list[str] = []
    for attempt in record.handoffs:
        text = _HANDOFF.get(attempt.outcome, "{Name} could not be reached.")
        name = attempt.destination.replace("_", " ").replace("-", " ")
        sentence = text.format(name=name, Name=name[:1].upper() + name[1:])
        if sentence not in told:
            told.append(sentence)
    if record.disposition in _ENDINGS and not told:
        told.append(_ENDINGS[record.disposition])
    return " ".join(told)


def _said(speaker: Literal["caller", "human"], utterances: Sequence[Utterance]) -> list[str]:
    quotes = [f'"{_short(each)}"' for each in _turns(speaker, utterances)]
    return [f"The {speaker} said: {', then '.join(quotes)}."] if quotes else []


def _turns(speaker: str, utterances: Sequence[Utterance]) -> list[str]:
    """Return the turns of one side that tell most, in the order in which they came.

    The first that says anything is what a caller called for; after that, those with most that is
    new.
    """
    turns: list[tuple[int, str, frozenset[str]]] = []
    for number, each in enumerate(utterances):
        words = frozenset(re.findall(r"\w+", each.text.lower())) - _FILLERS
        if each.speaker == speaker and words:
            turns.append((number, each.text, words))
    chosen = turns[:1]
    rest = turns[1:]
    while rest and len(chosen) < _TURNS:
        known = frozenset().union(*(words for _, _, words in chosen))
        # Of two that are equally new the earlier one counts.
        best = max(rest, key=lambda turn: (len(turn[2] - known), -turn[0]))
        rest.remove(best)
        if best[2] - known:
            chosen.append(best)
    return [text for _, text, _ in sorted(chosen)]


def _tool(use: ToolUse) -> str:
    name = use.name.replace("_", " ")
    return f"{name} {'failed' if use.failed else 'answered'}: {_sentence(_plain(use.output))}"


def _plain(output: str) -> str:
    """Return what a tool gave: a text as it is, the plain values of an object as `name: value`."""
    try:
        value = json.loads(output)
    except ValueError:
        return output
    if isinstance(value, dict):
        parts = [
            f"{str(name).replace('_', ' ')}: {each}"
            for name, each in value.items()
            if isinstance(each, str | int | float) and each != ""
        ]
        return ", ".join(parts) or output
    return str(value) if isinstance(value, str | int | float) else output


def _short(text: str) -> str:
    """Return `text` on one line, cut at a word if it is long, without its last full stop."""
    text = " ".join(text.replace('"', "'").split())
    if len(text) > _QUOTE:
        text = text[:_QUOTE].rsplit(" ", 1)[0] + " ..."
    return text.removesuffix(".")


def _sentence(text: str) -> str:
    text = _short(text)
    return text if text.endswith(("?", "!", "...")) else f"{text}."
