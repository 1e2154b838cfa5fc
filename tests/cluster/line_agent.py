"""The agent of the rig: a destination for each manner of a hand-off."""

from hookflash import Agent, Cold, Consult, Queue, Target, Warm

agent = Agent("shop", instructions="We sell bicycles.", greeting="Hello.", fallback="cold")
DESK, OFFICE, LAWYER, NOBODY = (Target.phone(f"+1555010010{number}") for number in range(1, 5))

agent.handoff("cold", when="cold", plan=Cold([DESK], ring_seconds=20))
agent.handoff("warm", when="warm", plan=Warm([OFFICE], ring_seconds=20))
agent.handoff("consult", when="consult", plan=Consult([LAWYER], ring_seconds=20))
agent.handoff("queue", when="queue", plan=Queue("support", total_seconds=90))
agent.handoff("nobody", when="nobody", plan=Cold([NOBODY], ring_seconds=10))
