"""Callers who type a code, which a tool waits for."""

from __future__ import annotations

import pytest

from ..plan import Act, Fault, Order, Plan, Trouble
from ..play import play

CODE = (Act("say", "code", 1.0), Act("listen", seconds=8.0), Act("press", digits="7398"))
LEAVES = (Act("say", "Is it far?", 1.0), Act("wait", seconds=8.0))


@pytest.mark.parametrize("seed", [1, 2], ids=["open", "secret"])
@pytest.mark.parametrize(
    "happens",
    [
        {},
        {"troubles": (Trouble("no-speech-stopped", 2),)},
        {"faults": (Fault("model-dropped", at=9.0),)},
        {"faults": (Fault("stream-cut", at=9.5),)},
        {"faults": (Fault("kill", at=9.5),)},
        {"orders": (Order("hand-off", at=9.5),)},
    ],
    ids=["undisturbed", "turn-missed", "model-lost", "stream-cut", "killed", "handed-off"],
)
def test_who_types_a_code_is_not_left_in_silence(seed: int, happens: dict[str, object]):
    played = play(Plan(seed=seed, acts=(*CODE, *LEAVES), **happens))  # type: ignore[arg-type]
    assert [str(each) for each in played.violations] == []
    assert any("< DigitsWanted" in line for line in played.timeline)


@pytest.mark.parametrize("seed", [1, 2], ids=["open", "secret"])
def test_the_tool_gets_the_code_and_the_model_its_length(seed: int):
    played = play(Plan(seed=seed, acts=(*CODE, *LEAVES)))
    assert any("4 digits came." in line for line in played.timeline)
    assert not any("7398" in line for line in played.timeline if "presses" not in line)
    assert not any(b"7398" in data for data in played.files.values())
