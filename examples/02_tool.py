# Try it without an account: a caller asks for an order.
#
#     hookflash call --agent examples/02_tool.py \
#         --say "Where is my order? The number is one zero zero one."
#
# On a real line: hookflash serve examples/02_tool.py
"""An agent that looks things up and writes things down with plain Python functions."""

from typing import Annotated, Literal

from hookflash import Agent, CallContext, ToolError

ORDERS = {1001: "on its way and will arrive tomorrow", 1002: "waiting for a spare part"}

agent = Agent(
    "orders",
    greeting="Riverside Bicycles, orders and repairs. What can I do for you?",
    instructions="""
    You answer questions about orders and repairs of Riverside Bicycles on the telephone, in one
    or two short sentences. Ask for what a tool needs before you call it, and never make up the
    state of an order.

    An order number has four digits and is printed on the receipt.
    Repairs can be brought in Monday to Friday from nine to six.
    """,
)


# A waiting caller hears this line, unless the tool answers at once.
@agent.tool(filler="Let me look that up.")
def order_status(number: int) -> str:
    """Look up the state of an order or a repair.

    Args:
        number: The order number, four digits.
    """
    if number not in ORDERS:
        raise ToolError(f"There is no order {number}.")
    return f"Order {number} is {ORDERS[number]}."


@agent.tool(timeout_seconds=5)
async def book_repair(
    call: CallContext,
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday"],
    problem: Annotated[str, "What is broken, in the caller's words"],
) -> dict[str, str]:
    """Book a day on which the caller brings a bicycle in for repair."""
    # `call.state` is for your own data: all tools share it, as long as the call lasts.
    if "booked" in call.state:
        raise ToolError(f"This caller already has a repair booked for {call.state['booked']}.")
    call.state["booked"] = day
    return {"booked": day, "problem": problem, "phone": "the number they are calling from"}
