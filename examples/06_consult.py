# Try it without an account: the agent itself tells the human what the call is about, and the human
# takes it:
#
#     hookflash call --agent examples/06_consult.py --human answers
#
# On a real line, put your own numbers below: hookflash serve examples/06_consult.py
"""A consult: the agent talks with the human first, on a second stream, and then lets the caller
in, or tells the caller why not, in the human's words."""

from hookflash import Agent, Consult, Target

agent = Agent(
    "law-office",
    greeting="Miller and Partners, good day. What is it about?",
    instructions="""
    You answer the telephone of a law office: one or two short sentences at a time. Find out what
    it is about and whether there is a date by which something has to happen. You give no advice.
    """,
)

agent.handoff(
    "counsel",
    when="the caller wants a lawyer, or there is a date within the next days",
    plan=Consult(
        [Target.phone("+15550101"), Target.sip("sip:miller@example.com")],
        ring_seconds=20,
        otherwise="callback",  # the agent takes a number and a wish, which are delivered
        notes=True,  # what the two say is written down, too
    ),
)
