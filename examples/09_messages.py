# Try it without an account: nobody answers, and the caller leaves a message:
#
#     hookflash call --agent examples/09_messages.py --human no-answer \
#         --say "I want to speak with a mechanic." --say "Can I leave a message?" \
#         --say "The chain of my bicycle is broken. Please call me back tomorrow."
#
# On a real line: hookflash serve examples/09_messages.py
"""An agent that takes a message when nobody can be reached, and how you get it."""

from hookflash import Agent, Cold, Delivery, Target

agent = Agent(
    "workshop",
    greeting="Riverside Bicycles, workshop. How can I help you?",
    instructions="""
    You answer for a bicycle workshop: in one or two short sentences. Bring in a mechanic if the
    caller asks for one. If none can be reached, offer to take a message or to have them called
    back.
    """,
)

agent.handoff(
    "mechanic",
    when="the caller wants to speak with a mechanic",
    plan=Cold(
        [Target.phone("+15550104"), Target.client("ben")],
        ring_seconds=15,
        otherwise="return",
        offers=("voicemail", "callback"),  # what the agent may offer instead
        # hours="mon-fri 09:00-18:00 Europe/Berlin", holidays=("12-25 Christmas Day",),
    ),
)


@agent.presence
async def is_free(target: Target) -> bool:
    """Ask your calendar or your chat here. A target that is not free is not rung."""
    return target.address != "ben"


@agent.on_delivery
def take(delivery: Delivery) -> None:
    """Called until it returns. The same delivery may come twice: its `id` tells."""
    said = delivery.wish or delivery.transcript or delivery.summary
    print(f"{delivery.kind} for {delivery.destination}: {delivery.number} {said}")
