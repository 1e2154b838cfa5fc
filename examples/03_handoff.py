# Try it without an account: a recorded caller asks for a person, and a simulated one answers
# (or is busy, or does not answer):
#
#     hookflash call --agent examples/03_handoff.py --human answers
#
# On a real line, put your own numbers below: hookflash serve examples/03_handoff.py
"""An agent that brings a human onto the call. The model chooses a key and never sees a number."""

from hookflash import Agent, CallContext, Cold, Target

agent = Agent(
    "front-desk",
    greeting="Riverside Bicycles, good day. How can I help you?",
    fallback="support",  # rung when no model is available
    instructions="""
    You are the front desk of Riverside Bicycles. You are on the telephone: answer in one or two
    short sentences. Bring in a human as soon as the caller asks for one or you cannot help.
    If nobody can take the call, say so, and offer to take a message.

    We are open Monday to Friday from nine in the morning to six in the evening.
    Invoices are sent by e-mail on the first day of the month.
    """,
)

agent.handoff(
    "billing",
    when="the caller disputes an invoice, has a question about a payment or asks for a refund",
    plan=Cold(
        # One after another, each for 15 seconds; then the caller is back with the agent.
        [Target.phone("+15550101"), Target.sip("sip:billing@example.com")],
        order="hunt",
        ring_seconds=15,
        otherwise="return",
    ),
)
agent.handoff(
    "support",
    when="the caller asks to speak to a person, an operator, somebody or customer support",
    plan=Cold(
        # All at once: the first to answer has the call.
        [Target.phone("+15550102"), Target.client("anna")],
        order="ring",
        ring_seconds=20,
    ),
)


@agent.tool
def report_accident(call: CallContext, what_happened: str) -> str:
    """Report that somebody was hurt with one of our bicycles.

    Args:
        what_happened: What happened, in one sentence.
    """
    # A tool can bring in a human too, whatever the model thinks of it.
    call.handoff("support", "an accident", what_happened)
    return "A human is being called. Tell the caller in one sentence that help is coming."
