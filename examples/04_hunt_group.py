# Try it without an account: the first two do not take the call, and the third does. The agent
# talks with the caller meanwhile:
#
#     hookflash call --agent examples/04_hunt_group.py \
#         --human busy,no-answer,accepts
#
# On a real line, put your own numbers below: hookflash serve examples/04_hunt_group.py
"""A hunt group, warm: one after another is called, told what it is about, and asked to accept."""

from hookflash import Agent, Target, Warm

agent = Agent(
    "front-desk",
    greeting="Riverside Bicycles, good day. How can I help you?",
    key_to_human="0",  # callers who know the key need not ask
    key_destination="workshop",
    instructions="""
    You are the front desk of Riverside Bicycles. You are on the telephone: answer in one or two
    short sentences. Ask for the number of the order and for what is broken, while somebody is
    being called.
    """,
)

agent.handoff(
    "workshop",
    when="the caller wants a mechanic, a person or somebody who knows about a repair",
    plan=Warm(
        [Target.phone("+15550101"), Target.phone("+15550102"), Target.client("anna")],
        whisper="A call for the workshop: {reason}. {summary} {learned}",
        ring_seconds=15,
        total_seconds=90,  # the longest time for all targets together
        otherwise="return",
        offers=("voicemail",),  # what the agent may offer then
        afterwards="return",  # the mechanic hangs up: the caller is back with the agent
    ),
)
