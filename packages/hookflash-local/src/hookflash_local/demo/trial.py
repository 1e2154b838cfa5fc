"""An agent's hand-offs as they are to be tried: in another manner, with more humans."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from hookflash.agents.agent import Agent
from hookflash.agents.directory import Directory
from hookflash.core.handoff_plan import HandoffPlan, Manner, Target
from hookflash.errors import ConfigError
from hookflash_local.demo.story import HUMAN_CHOICES, HumanChoice

RING_SECONDS = 8
"""Who does not answer in a trial need not ring for longer."""


def read_humans(text: str) -> list[HumanChoice]:
    """Read `busy,no-answer,accepts`. Raises `ConfigError` for what nobody can do."""
    found: list[HumanChoice] = []
    for word in (part.strip() for part in text.split(",")):
        choice = next((each for each in HUMAN_CHOICES if each == word), None)
        if choice is None:
            raise ConfigError(
                f"--human: expected {', '.join(HUMAN_CHOICES)}, or several of them with commas"
                f" between, got {word!r}"
            )
        found.append(choice)
    return found


def arranged(
    target: Agent | Directory, *, manner: Manner | None, humans: Sequence[HumanChoice]
) -> Agent | Directory:
    """Return `target` with every plan in `manner` (None: its own) and a target for each human.

    Raises `ConfigError` where a plan cannot be carried out like that, and for a directory, whose
    agents would have to be changed one by one.
    """
    if manner is None and len(humans) == 1:
        return target
    if isinstance(target, Directory):
        raise ConfigError(
            "--manner and several humans are tried with one agent; name it, such as agents.py:shop"
        )

    def change(plan: HandoffPlan) -> HandoffPlan:
        targets = plan.targets
        # Numbers that belong to nobody, for humans that the plan has no place for.
        extra = range(len(targets), len(humans))
        targets += tuple(Target.phone(f"+1555010{900 + number}") for number in extra)
        return replace(
            plan,
            targets=targets,
            manner=manner or plan.manner,
            ring_seconds=min(plan.ring_seconds, RING_SECONDS),
        )

    return target.with_plans(change)
