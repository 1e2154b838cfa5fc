"""The words for the states of a call, its hand-offs and its deliveries: one table. No I/O.

The console, the record, the timelines and the API use these words and no others. The console's
pages get them as `console/static/state-words.js`, and the documentation as a table of
`docs/reference/states.md`; both are generated, and tests compare them with this file.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from hookflash.core.disposition import Disposition
from hookflash.core.phases import Phase

Kind = Literal["quiet", "agent", "handoff", "human", "asks"]
"""Who has the caller, which sets a state's colour: nobody yet, the agent, a hand-off, a human, or
an agent who asks a human."""


class StateWord(msgspec.Struct, frozen=True, kw_only=True):
    """A state as people read it: its key is its name, `means` explains it in a sentence."""

    means: str
    kind: Kind = "quiet"


ASKING = "asking"
"""The state of a call whose agent waits for the answer of a human at a console."""

_OF_PHASES = {Phase.RINGING: "answering", Phase.WITH_HUMAN: "with human"}
"""Phases whose names a state of the hand-off has as well, with another meaning or spelling."""

_SETTLED = frozenset(("idle", "done", "failed"))
"""The states of a hand-off that does not run (`HandoffState`)."""

_OVER = frozenset(phase.value for phase in (Phase.ENDING, Phase.ENDED))
_PHASES = {phase.value: name for phase, name in _OF_PHASES.items()}

CALL_STATES: dict[str, StateWord] = {
    "answering": StateWord(means="The call has arrived, and the agent has not answered yet."),
    "talking": StateWord(means="The caller talks with the agent.", kind="agent"),
    ASKING: StateWord(means="The agent waits for an answer from a console.", kind="asks"),
    "checking": StateWord(means="Hookflash asks who is free.", kind="handoff"),
    "farewell": StateWord(means="The agent speaks its last words to the caller.", kind="handoff"),
    "moving": StateWord(means="The carrier moves the caller off the stream.", kind="handoff"),
    "ringing": StateWord(means="A human's phone rings.", kind="handoff"),
    "screening": StateWord(means="A human answered and hears the whisper.", kind="handoff"),
    "closing": StateWord(
        means="A human accepted, and the agent speaks its last words.", kind="handoff"
    ),
    "bridging": StateWord(means="The caller and the human are connected.", kind="handoff"),
    "with human": StateWord(means="The caller talks with a human.", kind="human"),
    "parting": StateWord(means="The human is leaving the caller.", kind="handoff"),
    "returning": StateWord(means="The caller goes back to the agent.", kind="handoff"),
    "message": StateWord(means="Nobody was reached, and a message is taken.", kind="handoff"),
    "handing off": StateWord(means="The caller is on the way to a human.", kind="handoff"),
    "ending": StateWord(means="The call is about to end."),
    "ended": StateWord(means="The call is over."),
}
"""The states of a call, which are also the stages of its timeline, in their usual order."""

OUTCOMES: dict[str, str] = {
    "bridged": "The human talked with the caller",
    "busy": "was busy",
    "no-answer": "did not answer",
    "declined": "declined",
    "failed": "could not be rung",
    "machine": "had a mailbox answer",
    "timeout": "took too long",
    "refused": "was refused by the carrier",
    "human-gone": "took the call and hung up too soon",
    "closed": "was closed",
    "cancelled": "was cancelled",
    "caller-gone": "was too late: the caller hung up",
}
"""What a transcript says of an attempt, after the destination's name: "support was busy"."""

PARTINGS: dict[str, str] = {
    "human": "The human hung up",
    "caller": "The caller hung up",
    "returned": "The human gave the caller back",
    "": "The talk with the human was over",
}
"""How a talk between the caller and a human ended, by who ended it."""

DISPOSITIONS: dict[str, str] = {name: name.replace("_", " ") for name in get_args(Disposition)}

DELIVERY_STATES: dict[str, str] = {
    "waiting": "The next attempt is due.",
    "delivered": "A receiver has accepted it.",
    "dead": "All attempts failed. It can be retried.",
    "unroutable": "No function and no webhook accepts it. It can be retried.",
}

TOOL_STATES: dict[str, str] = {
    "running": "The tool runs.",
    "answered": "The tool has answered.",
    "failed": "The tool raised, took too long, or got arguments that do not fit.",
    "cancelled": "The answer was no longer needed.",
}

SOURCES: dict[str, str] = {
    "tool": "the agent",
    "caller": "the caller",
    "console": "a supervisor",
    "policy": "a policy",
    "failure": "a failure",
    "application": "an application of yours",
}
"""Who asked for a human, by the `source` of a hand-off."""


def state_of(phase: str, handoff: str) -> str:
    """Return the state of a call from its phase and the state of its hand-off."""
    if handoff in _SETTLED or phase in _OVER:
        return _PHASES.get(phase, phase)
    return handoff
