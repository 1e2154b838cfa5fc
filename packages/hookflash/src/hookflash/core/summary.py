"""A summary of a call, in a few sentences picked from the call itself, without a model.

It says why a human was asked for, what the caller said, what the tools found, what the human said,
and how the call ended. The same call always gives the same text. So a human who takes over gets it
at once, and a call without a language model has a summary, too.
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
"""Words that do not say what somebody wants; a turn of these alone is left out."""

_HANDOFF = {
    "bridged": "The caller spoke with {name}.",
    "caller-gone": "The caller hung up before {name} was reached.",
    "cancelled": "The attempt to reach {name} was cancelled.",
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
    """Return the sentences, or an empty text if there is nothing to say.

    `reason` is why a human was asked for, `outcome` a sentence about the end; both may be empty.
    """
    sentences: list[str] = []
    if reason.strip():
        sentences.append(f"Wanted: {_sentence(reason)}")
    # A reason in the caller's own words need not be said twice.
    own = [each for each in utterances if each.speaker != "caller" or not _same(each.text, reason)]
    sentences += _said("caller", own)
    sentences += [_tool(use) for use in tools[-_TOOLS:]]
    sentences += _said("human", utterances)
    if outcome.strip():
        sentences.append(_sentence(outcome))
    return " ".join(sentences)


def summarise(record: CallRecord) -> str:
    """Return the summary of a call that is over."""
    reasons = [attempt.reason for attempt in record.handoffs if attempt.reason.strip()]
    return extract(
        record.utterances, record.tools, reasons[-1] if reasons else "", outcome=_outcome(record)
    )


def _outcome(record: CallRecord) -> str:
    sentences: list[str] = []
    reached = {each.destination for each in record.handoffs if each.outcome == "bridged"}
    for attempt in record.handoffs:
        if attempt.outcome == "cancelled" and attempt.destination in reached:
            # The other legs of a ring group are cancelled when one human takes the call.
            continue
        text = _HANDOFF.get(attempt.outcome, "{Name} could not be reached.")
        name = attempt.destination.replace("_", " ").replace("-", " ")
        sentence = text.format(name=name, Name=name[:1].upper() + name[1:])
        if sentence not in sentences:
            sentences.append(sentence)
    if record.disposition in _ENDINGS and not sentences:
        sentences.append(_ENDINGS[record.disposition])
    return " ".join(sentences)


def _said(speaker: Literal["caller", "human"], utterances: Sequence[Utterance]) -> list[str]:
    quotes = [f'"{_short(each)}"' for each in _turns(speaker, utterances)]
    if not quotes:
        return []
    # A question or an exclamation ends the sentence, too.
    end = "" if quotes[-1].endswith(('?"', '!"', '..."')) else "."
    return [f"The {speaker} said: {', then '.join(quotes)}{end}"]


def _turns(speaker: str, utterances: Sequence[Utterance]) -> list[str]:
    """Return the turns of one speaker that say most, in their order.

    The first turn that says something comes first: it is why the caller called. Then come the turns
    with the most new words.
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
        # Of two turns with as many new words, take the earlier one.
        best = max(rest, key=lambda turn: (len(turn[2] - known), -turn[0]))
        rest.remove(best)
        if best[2] - known:
            chosen.append(best)
    return [text for _, text, _ in sorted(chosen)]


def _tool(use: ToolUse) -> str:
    name = use.name.replace("_", " ").replace("-", " ")
    result = "has failed" if use.failed else "says"
    return f'The tool "{name}" {result}: {_sentence(_plain(use.output))}'


def _plain(output: str) -> str:
    """Return the output of a tool as text: the values of an object as `name: value`."""
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


def _same(text: str, other: str) -> bool:
    """Whether two texts have the same words, in any case of letters."""
    return re.findall(r"\w+", text.lower()) == re.findall(r"\w+", other.lower())


def _sentence(text: str) -> str:
    text = _short(text)
    return text if text.endswith(("?", "!", "...")) else f"{text}."
