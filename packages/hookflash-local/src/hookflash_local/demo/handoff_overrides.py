"""Change an agent's hand-off plans for a local call: another manner, more humans."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.core.handoff_plan import HandoffPlan, Manner, Target
from hookflash.errors import ConfigError
from hookflash_local.demo.scripted_parties import HUMAN_CHOICES, HumanChoice

RING_SECONDS = 8
"""The longest ring time in a changed plan: a local call need not wait longer for no answer."""


def read_humans(text: str) -> list[HumanChoice]:
    """Parse a list such as `busy,no-answer,accepts`. Raises `ConfigError` for an unknown choice."""
    found: list[HumanChoice] = []
    for word in (part.strip() for part in text.split(",")):
        choice = next((each for each in HUMAN_CHOICES if each == word), None)
        if choice is None:
            raise ConfigError(
                f"--human: expected {', '.join(HUMAN_CHOICES)}, or several of them separated by"
                f" commas, got {word!r}"
            )
        found.append(choice)
    return found


def with_overrides(
    target: Agent | Directory, *, manner: Manner | None, humans: Sequence[HumanChoice]
) -> Agent | Directory:
    """Return `target` with every plan in `manner` (None keeps it) and one target for each human.

    Raises `ConfigError` if a plan does not allow this, or if `target` is a directory of agents.
    """
    if manner is None and len(humans) == 1:
        return target
    if isinstance(target, Directory):
        raise ConfigError(
            "--manner and several humans need a single agent, got a directory: name one, such as"
            " agents.py:shop"
        )

    def change(plan: HandoffPlan) -> HandoffPlan:
        targets = plan.targets
        # Fictional numbers for the humans that the plan has no target for.
        extra = range(len(targets), len(humans))
        targets += tuple(Target.phone(f"+1555010{900 + number}") for number in extra)
        return replace(
            plan,
            targets=targets,
            manner=manner or plan.manner,
            ring_seconds=min(plan.ring_seconds, RING_SECONDS),
        )

    return target.with_plans(change)
