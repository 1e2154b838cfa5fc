# Run it with plain pytest, without an account: pytest examples/tests
"""Calls against two of the examples. The fixture `line` comes with hookflash-local."""

from pathlib import Path

from hookflash import Agent
from hookflash.agents.load_agent import load_agent
from hookflash_local.testing.agent_line import AgentLine

EXAMPLES = Path(__file__).parent.parent


def example(name: str) -> Agent:
    """Return the agent of an example; in your project, import it: `from agent import agent`."""
    agent = load_agent(str(EXAMPLES / name))
    assert isinstance(agent, Agent)
    return agent


async def test_an_order_is_looked_up(line: AgentLine) -> None:
    call = await line.call(example("02_tool.py"))
    call.expect.agent_said("orders and repairs")
    await call.caller_says("Where is my order 1001?")
    output = await call.model_calls("order_status", number=1001)
    assert "tomorrow" in output
    await call.model_says("It will arrive tomorrow.")
    call.expect.called("order_status", number=1001).agent_said("tomorrow")


async def test_a_tool_is_replaced(line: AgentLine) -> None:
    def closed_shop(number: int) -> str:
        return f"Order {number} is lost."

    call = await line.call(example("02_tool.py"), tools={"order_status": closed_shop})
    await call.caller_says("Where is my order 7?")
    assert await call.model_calls("order_status", number=7) == "Order 7 is lost."


async def test_billing_is_busy_and_the_caller_is_back_with_the_agent(line: AgentLine) -> None:
    call = await line.call(example("03_handoff.py"), humans={"billing": ["busy", "no-answer"]})
    await call.caller_says("My invoice is wrong.")
    assert await call.model_hands_off("billing", reason="a wrong invoice") == "no-answer"
    call.expect.handed_off("billing", outcome="busy").agent_said("could not reach billing")
    record = await call.caller_hangs_up()
    assert record.disposition == "handled_by_agent"


async def test_a_human_takes_the_call(line: AgentLine) -> None:
    call = await line.call(example("03_handoff.py"), humans={"support": "answers"})
    await call.caller_says("I want to speak to a person.")
    await call.model_hands_off("support")
    await call.caller_waits(180)
    record = await call.caller_hangs_up()
    assert record.disposition == "handed_off" and record.seconds > 180
