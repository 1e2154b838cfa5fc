"""The demo's agent: a bookshop's receptionist with one tool and one hand-off destination."""

from __future__ import annotations

from hookflash import Agent, Target, ToolError, Warm

agent = Agent(
    "Riverside Books",
    instructions="""
        You answer the telephone of Riverside Books, a small bookshop. Be brief and friendly.
        On Saturday we are open from nine in the morning until one in the afternoon, and we are
        closed on Sundays and on all public holidays.
        From Monday to Friday we are open from nine in the morning until six in the evening.
        The shop is at twelve Mill Lane, next to the old bridge.
        Returns are free within thirty days, with the receipt.
    """,
    greeting="Hello, this is Riverside Books. How can I help you?",
    # Order numbers are no secrets.
    digits="shown",
    # You are the only caller of the demo, so nobody has to be asked.
    record=True,
    consent=None,
)

SENTENCES = (
    "When are you open on Saturday?",
    "Where is my order? It is number 4571.",
    "Can I talk to a person?",
)
"""What the demo's page suggests to say."""

_ORDERS = {
    "4571": "Order 4571 left our warehouse yesterday and arrives on Friday.",
    "1234": "Order 1234 is ready to be picked up at the shop.",
}


@agent.tool
async def order_status(number: str) -> str:
    """Tell where an order is.

    Args:
        number: The order's number, four digits.
    """
    digits = "".join(character for character in number if character.isdigit())
    if digits not in _ORDERS:
        raise ToolError(f"There is no order with the number {number}.")
    return _ORDERS[digits]


agent.handoff(
    "support",
    when="the caller asks for a person or for customer support, complains, or wants a refund",
    plan=Warm(
        Target.phone("+15550102"),
        ring_seconds=30,
        otherwise="return",
    ),
)
