# Try it without an account: nobody answers, and the agent takes the number and the wish:
#
#     hookflash call --agent examples/08_callback.py --human no-answer \
#         --say "I need a plumber, please." \
#         --say "Five five five, zero one two three. The tap in my kitchen is broken."
#
# On a real line, put your own numbers below: hookflash serve examples/08_callback.py
"""Call backs: when nobody is there the agent asks for a number, reads it back and passes it on."""

from hookflash import Agent, Delivery, Target, Warm

agent = Agent(
    "plumber",
    greeting="Brook Plumbing, good day. What can we do for you?",
    instructions="""
    You answer the telephone of a plumber: one or two short sentences at a time. If water is
    running where it should not, tell the caller to close the main valve first.
    """,
)

agent.handoff(
    "plumber",
    when="the caller wants a plumber to come or to call, or asks for a person",
    plan=Warm(Target.phone("+15550101"), otherwise="callback"),
)


@agent.on_delivery
async def call_back(delivery: Delivery) -> None:
    """Kept and tried again until this returns; put it where your people look."""
    print(f"{delivery.kind}: {delivery.number or delivery.caller}: {delivery.wish}")
