# Try it without an account: nobody owns this account, so the sales team is rung and accepts:
#
#     hookflash call --agent examples/14_account_owner.py --human accepts
#
# On a real line, put your own numbers below: hookflash serve examples/14_account_owner.py
"""Ring the person who knows this caller. The number comes from your data, never from the model."""

from hookflash import Agent, CallContext, Target, Warm

agent = Agent(
    "accounts",
    greeting="Riverside Bicycles, business sales, good day. How can I help you?",
    instructions="""
    You answer for the business customers of a bicycle maker: one or two short sentences at a time.
    Bring in a human as soon as the caller asks for one or wants an offer.
    """,
)

# Ask your customer database here; it may be async, and has one second.
OWNERS = {"+15550111": "+15550105", "+15550112": "+15550106"}


def account_owner(call: CallContext) -> Target | None:
    """Return who looks after this caller; None rings only the team."""
    number = OWNERS.get(call.caller)
    return Target.phone(number) if number else None


agent.handoff(
    "sales",
    when="the caller asks for a person, or wants an offer",
    plan=Warm([account_owner, Target.phone("+15550101")], ring_seconds=15),
)
