"""Invariants that today's product breaks in known ways, each with a named sequence that shows it.

A violation that one of these describes is counted and told, and does not fail the run. Whoever
mends the product takes the entry away.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .checks import Violation
from .plan import Plan


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


KNOWN: tuple[Known, ...] = ()


def known(violation: Violation, plan: Plan) -> Known | None:
    """Return the entry that describes a violation, or None: it is news."""
    return next((each for each in KNOWN if each.describes(violation, plan)), None)
