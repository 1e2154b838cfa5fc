# Try it without an account. A caller wants to rent a bicycle:
#
#     hookflash call --agent examples/16_two_agents.py --say "I want to rent a bicycle."
#
# On a real line: hookflash serve examples/16_two_agents.py
"""Two agents with different voices, instructions and tools give each other the call."""

from hookflash import Agent, Cold, Target

reception = Agent(
    "reception",
    greeting="Riverside Bicycles, good day. What can I do for you?",
    voice="marin",
    language="en",
    instructions="""
    You answer the telephone of a bicycle shop, in one or two short sentences.
    Give the call to the rental assistant if the caller wants to rent a bicycle.
    """,
)

rental = Agent(
    "rental",
    voice="cedar",
    language="en",
    instructions="""
    You rent out bicycles on the telephone, in one or two short sentences. A day costs 20 euros.
    Give the call back to reception for anything else.
    """,
)

reception.transfer_to(rental, when="the caller wants to rent a bicycle")
rental.transfer_to(reception, when="the caller wants anything but to rent a bicycle")

# The hand-off to a human is that of the agent who speaks.
rental.handoff(
    "rental_desk",
    when="the caller wants a person, or more than five bicycles",
    plan=Cold(Target.phone("+15550101"), ring_seconds=15),
)


@rental.tool
def free_bicycles(day: str) -> str:
    """Look up how many bicycles are free on a day.

    Args:
        day: The day of the week.
    """
    return "none" if day.lower() == "sunday" else "seven"


# `hookflash serve` takes the only Agent with this name, of the two in this file.
agent = reception
