"""What the examples mean; that each runs a call is tested with the stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from hookflash import Agent, CallContext, ToolError
from hookflash.agents.load_agent import load_agent

EXAMPLES = Path(__file__).parents[2] / "examples"


def load(name: str) -> Agent:
    agent = load_agent(str(EXAMPLES / name))
    assert isinstance(agent, Agent)
    return agent


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: str(file.name))
def test_an_example_is_short_and_says_how_to_run_it(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert len(lines) < 80
    assert lines[0].startswith("# Try it without an account")
    assert any(f"--agent examples/{file.name}" in line for line in lines[:8])
    load(file.name).call_setup()


def test_the_hello_example_greets_and_answers_from_its_facts() -> None:
    agent = load("01_hello.py")
    assert agent.greeting is not None
    assert "We are open Monday to Friday" in agent.instructions


async def test_the_tools_of_the_second_example_are_plain_functions() -> None:
    tools = load("02_tool.py").tools
    assert tools["order_status"].function(1001).startswith("Order 1001 is on its way")
    with pytest.raises(ToolError, match="no order 7"):
        tools["order_status"].function(7)
    call = CallContext(call_sid="CA1")
    book = tools["book_repair"].function
    assert (await book(call, "monday", "flat tyre"))["booked"] == "monday"
    with pytest.raises(ToolError, match="already has a repair booked for monday"):
        await book(call, "friday", "flat tyre")


def test_the_third_example_shows_the_model_keys_and_no_numbers() -> None:
    agent = load("03_handoff.py")
    transfer = next(t for t in agent.model_setup().tools if t.name == "transfer_to_human")
    assert transfer.parameters["properties"]["destination"]["enum"] == ["billing", "support"]
    assert "555" not in str(agent.model_setup())
    assert agent.call_setup().fallback == "support"
