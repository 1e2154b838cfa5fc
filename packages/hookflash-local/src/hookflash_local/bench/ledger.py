"""Compare what the model was told about each item with what the caller heard.

A scenario (`ledger_scenarios.py`) is played, simulated or over real sockets, into a `Measured`.
`judge` compares it. A scenario passes if the expected items are truncated within `FRAME_MS` and
items of which nothing was heard are removed. The model must be told nothing about the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from hookflash.core.conversation.playout import FRAME_MS
from hookflash_local.bench.ledger_scenarios import SCENARIOS, Scenario
from hookflash_local.bench.ledger_simulated import Measured, simulate


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one scenario.

    `item`, `heard_ms` and `reported_ms` describe the item that was truncated last, or are None.
    `error_ms` is the largest error of all items; it is positive if too much was reported as heard.
    """

    scenario: str
    item: str | None
    heard_ms: float | None
    reported_ms: int | None
    error_ms: float
    removed: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        """Whether the scenario passed."""
        return not self.problems


def judge(scenario: Scenario, measured: Measured) -> Row:
    """Compare what the model was told about each item with what the caller heard."""
    heard = measured.heard_ms
    nothing = {item for item, reported_ms in measured.truncated.items() if reported_ms == 0}
    removed = tuple(item for item in scenario.items if item in measured.deleted or item in nothing)
    truncated = [item for item in measured.truncated if item not in nothing]
    problems = []
    if sorted(truncated) != sorted(scenario.truncated):
        problems.append(f"truncated {_names(truncated)}, not {_names(scenario.truncated)}")
    if sorted(removed) != sorted(scenario.removed):
        problems.append(f"removed {_names(removed)}, not {_names(scenario.removed)}")
    # The heard length of each item by the model's knowledge: cut, removed, or complete.
    reported = {
        item: measured.truncated.get(item, 0 if item in removed else scenario.generated_ms(item))
        for item in scenario.items
    }
    errors: dict[str, float] = {
        item: reported_ms - heard[item] for item, reported_ms in reported.items()
    }
    for item, error in errors.items():
        if abs(error) > FRAME_MS:
            problems.append(f"{item}: reported {reported[item]} ms, heard {heard[item]:g} ms")
    worst: float = max(errors.values(), key=abs)
    last = truncated[-1] if truncated else None
    return Row(
        scenario=scenario.name,
        item=last,
        heard_ms=None if last is None else heard[last],
        reported_ms=None if last is None else reported[last],
        error_ms=round(worst, 3),
        removed=removed,
        problems=tuple(problems),
    )


def measure(
    scenarios: Sequence[Scenario] = SCENARIOS,
    play: Callable[[Scenario], Measured] = simulate,
) -> list[Row]:
    """Play the scenarios with `play` and return one row for each."""
    return [judge(scenario, play(scenario)) for scenario in scenarios]


def _names(items: Sequence[str]) -> str:
    return ", ".join(items) or "nothing"
