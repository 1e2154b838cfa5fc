"""Invariants that today's product breaks in known ways, each with a named sequence that shows it.

A violation that one of these describes is counted and told, and does not fail the run. Whoever mends
the product takes the entry away.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .checks import Violation
from .plan import Plan


@dataclass(frozen=True)
class Known:
    """`kind` and `text` (a pattern) describe the violation, `when` the plans that can have it."""

    name: str
    kind: str
    text: str
    when: Callable[[Plan], bool] = lambda plan: True

    def describes(self, violation: Violation, plan: Plan) -> bool:
        return (
            violation.kind == self.kind
            and re.search(self.text, violation.text) is not None
            and self.when(plan)
        )


def _has(*kinds: str) -> Callable[[Plan], bool]:
    return lambda plan: any(
        each.kind in kinds for each in (*plan.troubles, *plan.faults, *plan.orders)
    )


_MODEL_FAILS = _has(
    "failed",
    "rate-limited",
    "incomplete",
    "empty",
    "text-only",
    "silent",
    "freeze",
    "no-response",
    "no-speech-stopped",
    "drop",
    "close",
    "close-while-speaking",
    "refuse-upgrade",
    "no-session-created",
    "short-session",
    "model-frozen",
    "error-event",
)

KNOWN: tuple[Known, ...] = (
    Known(
        "nobody fills the gaps while a human is rung and the caller stays with the agent",
        "silence",
        r"a human is being brought \((checking|ringing|screening|closing|bridging|farewell)\)",
        lambda plan: plan.manner in ("warm", "consult") or plan.asks == "slow",
    ),
    Known(
        "an answer that takes longer than 3 s has no filler",
        "silence",
        r"^[345]\.\d s while an answer",
    ),
    Known(
        "an answer that the model owes is never missed",
        "silence",
        r"while (an answer|the greeting|a human is being brought \((farewell|closing|returning))",
        _MODEL_FAILS,
    ),
    Known(
        "a media stream that carries nothing any more is not noticed",
        "silence",
        r"while (an answer|the greeting|a human is being brought)",
        _has("stream-frozen"),
    ),
    Known(
        "a line that is talked over, or whose response is refused, is begun anew",
        "twice",
        r"the (greeting|consent) was heard 2 times",
    ),
)


def known(violation: Violation, plan: Plan) -> Known | None:
    """Return the entry that describes a violation, or None: it is news."""
    return next((each for each in KNOWN if each.describes(violation, plan)), None)
