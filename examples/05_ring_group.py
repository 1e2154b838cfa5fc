# Try it without an account: both telephones ring, and the first to accept has the call:
#
#     hookflash call --agent examples/05_ring_group.py --human accepts
#
# On a real line, put your own numbers below: hookflash serve examples/05_ring_group.py
"""A ring group, warm: all are called at once; when one accepts, the others stop ringing."""

from hookflash import Agent, Target, Warm

agent = Agent(
    "clinic",
    greeting="Hillside Clinic, good day. How can I help you?",
    instructions="""
    You answer the telephone of a small clinic: one or two short sentences at a time. You give no
    medical advice. Bring in somebody as soon as the caller asks for one or describes symptoms.
    """,
)

agent.handoff(
    "reception",
    when="the caller asks for a person, wants to change an appointment or describes symptoms",
    plan=Warm(
        [Target.phone("+15550101"), Target.phone("+15550102")],
        order="ring",
        ring_seconds=20,
        attempts=2,  # once more, before the caller is asked for a message
        otherwise="voicemail",
    ),
)
