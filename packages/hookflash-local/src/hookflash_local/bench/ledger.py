"""How exact the playout ledger is: what the model is told was heard, against the caller's ear.

A scenario (`scenarios.py`) is played, simulated or over real sockets, which gives a `Measured`;
`judge` compares. Right is: the right items truncated, each within `FRAME_MS` of what the ear got,
items of which nothing was heard taken out of the model's conversation, nothing said of others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from hookflash.core.conversation.playout import FRAME_MS
from hookflash_local.bench.scenarios import SCENARIOS, Scenario
from hookflash_local.bench.simulated import Measured, simulate


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `item`, `heard_ms` and `told_ms` are of the item truncated last,
    None if none was; `error_ms` is the largest of all items, positive where too much was told."""

    scenario: str
    item: str | None
    heard_ms: float | None
    told_ms: int | None
    error_ms: float
    removed: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def right(self) -> bool:
        return not self.problems


def judge(scenario: Scenario, measured: Measured) -> Row:
    """Compare what the model was told with what the ear got."""
    ear = measured.heard_ms
    nothing = {item for item, told_ms in measured.truncated.items() if told_ms == 0}
    removed = tuple(item for item in scenario.items if item in measured.deleted or item in nothing)
    truncated = [item for item in measured.truncated if item not in nothing]
    problems = []
    if sorted(truncated) != sorted(scenario.truncated):
        problems.append(f"truncated {_names(truncated)}, not {_names(scenario.truncated)}")
    if sorted(removed) != sorted(scenario.removed):
        problems.append(f"removed {_names(removed)}, not {_names(scenario.removed)}")
    # What the model was told of each item: cut there, removed, or that it was said to its end.
    told = {
        item: measured.truncated.get(item, 0 if item in removed else scenario.generated_ms(item))
        for item in scenario.items
    }
    errors: dict[str, float] = {item: told_ms - ear[item] for item, told_ms in told.items()}
    for item, error in errors.items():
        if abs(error) > FRAME_MS:
            problems.append(f"{item}: told {told[item]} ms, heard {ear[item]:g} ms")
    worst: float = max(errors.values(), key=abs)
    last = truncated[-1] if truncated else None
    return Row(
        scenario=scenario.name,
        item=last,
        heard_ms=None if last is None else ear[last],
        told_ms=None if last is None else told[last],
        error_ms=round(worst, 3),
        removed=removed,
        problems=tuple(problems),
    )


def measure(
    scenarios: Sequence[Scenario] = SCENARIOS,
    play: Callable[[Scenario], Measured] = simulate,
) -> list[Row]:
    """Play the scenarios with `play` and return the table."""
    return [judge(scenario, play(scenario)) for scenario in scenarios]


def _names(items: Sequence[str]) -> str:
    return ", ".join(items) or "nothing"
