"""Invariants that today's product breaks in known ways, each with a named sequence that shows it.

A violation that one of these describes is counted and told, and does not fail the run. Whoever
mends the product takes the entry away.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .checks import Violation
from .plan import Act, Plan


@dataclass(frozen=True)
class Known:
    """`kind` and `text` (a pattern) describe the violation, `when` the calls that can have it."""

    name: str
    kind: str
    text: str
    when: Callable[[Plan, Violation], bool] = lambda plan, violation: True

    def describes(self, violation: Violation, plan: Plan) -> bool:
        return (
            violation.kind == self.kind
            and re.search(self.text, violation.text) is not None
            and self.when(plan, violation)
        )


def _after(*kinds: str) -> Callable[[Plan, Violation], bool]:
    """One of these has really happened before the violation."""
    return lambda plan, violation: not violation.struck.isdisjoint(kinds)


_MODEL_FAILS = _after(
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
    "model-dropped",
    "model-complains",
    "error-event",
)

_BRINGING = r"a human is being brought \({}\)"

KNOWN: tuple[Known, ...] = (
    Known(
        "nobody fills the gaps while a human is rung and the caller stays with the agent",
        "silence",
        _BRINGING.format("(checking|ringing|screening|closing|bridging|farewell)"),
        lambda plan, _: plan.manner in ("warm", "consult") or plan.asks == "slow",
    ),
    Known(
        "an answer that takes longer than 3 s has no filler",
        "silence",
        r"^[345]\.\d s while an answer",
    ),
    Known(
        "an answer that the model owes is never missed",
        "silence",
        rf"while (an answer|the greeting|{_BRINGING.format('(farewell|closing|returning)')})",
        _MODEL_FAILS,
    ),
    Known(
        "a media stream that carries nothing any more is not noticed",
        "silence",
        rf"while (an answer|the greeting|{_BRINGING.format('.*')})",
        _after("stream-frozen"),
    ),
    Known(
        "a media stream that carries nothing any more keeps the caller from the human",
        "accepted",
        r"pressed 1 at .* in vain",
        _after("stream-frozen"),
    ),
    Known(
        "a line that is talked over, or whose response is refused, is begun anew",
        "twice",
        r"the (greeting|consent) was heard 2 times",
        lambda plan, violation: (
            plan.record
            or not plan.greeting_interruptible
            or plan.acts[:1] == (Act("say", "hello", 0.6),)
            or _MODEL_FAILS(plan, violation)
        ),
    ),
    Known(
        "the memory of a session that replaced another is not corrected",
        "model-error",
        r"item_truncate_invalid_item_id",
        _MODEL_FAILS,
    ),
    Known(
        "a tool's answer goes to the session that replaced the one that asked",
        "tool-answer",
        r"answered to a session that did not ask",
        lambda plan, _: plan.asks != "nobody",
    ),
    Known(
        "who calls a hand-off off while it is checked leaves the caller without an answer",
        "silence",
        r"while an answer to",
        lambda plan, violation: plan.asks != "nobody" and "cancel" in violation.struck,
    ),
    Known(
        "a move that was carried out without an answer is ordered again, and fails its own dial",
        "outcome",
        r"a human was connected; no attempt is recorded",
        _after("rest-broken", "rest-silent", "rest-late", "rest-500", "rest-429"),
    ),
    Known(
        "a human who meets the caller while no process serves is not recorded",
        "outcome",
        r"a human was connected; no attempt is recorded",
        _after("kill", "restart", "webhook-never", "webhook-late"),
    ),
)


def known(violation: Violation, plan: Plan) -> Known | None:
    """Return the entry that describes a violation, or None: it is news."""
    return next((each for each in KNOWN if each.describes(violation, plan)), None)
