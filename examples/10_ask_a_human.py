# Try it without an account. A caller asks for a discount, and your code is asked:
#
#     hookflash call --agent examples/10_ask_a_human.py \
#         --say "May I have a discount of ten percent?"
#
# On a real line: hookflash serve examples/10_ask_a_human.py
"""An agent that asks a human something while it talks with the caller, and that notices when a
caller has had enough of it."""

import asyncio

from hookflash import Agent, CallContext, CallView, Cold, Frustration, Target

agent = Agent(
    "sales",
    greeting="Riverside Bicycles, sales, good day. What can I do for you?",
    language="en",
    instructions="""
    You sell bicycles on the telephone: answer in one or two short sentences.
    You may not give a discount yourself. If the caller wants one, ask with your tool.
    """,
)

agent.handoff(
    "sales",
    when="the caller asks for a person",
    plan=Cold(Target.phone("+15550103"), ring_seconds=15),
)

# Brings in a human when the signs are enough, whatever the model thinks.
agent.policy(Frustration("sales", words=("sales team",)))


@agent.tool
async def ask_for_discount(percent: int, call: CallContext) -> str:
    """Ask whether the caller may have a discount.

    Args:
        percent: How much the caller wants, in percent.
    """
    question = f"May {call.caller or 'a caller'} have {percent} percent off?"
    # The caller stays with the agent. Without an answer this says so, after 30 seconds.
    return await call.ask_human(question, seconds=30)


@agent.answers
async def answer(question: str, call: CallView) -> str:
    """Ask your team here, in its chat or wherever they are; without this hook, the console asks."""
    await asyncio.sleep(4)  # as long as a colleague thinks about it
    return "Up to ten percent is fine."


@agent.policy
async def large_orders(call: CallView) -> tuple[str, str] | None:
    """Your own policy: it sees the call after each turn of the caller."""
    if "bicycles for our company" in call.said.lower():
        return "sales", "a large order"
    return None
