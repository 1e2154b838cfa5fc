# Try it without an account: a call is told to your other software while it happens:
#
#     hookflash call --agent examples/13_hooks.py --human answers
#
# On a real line, put your own numbers below: hookflash serve examples/13_hooks.py
"""Hooks: your CRM learns of each call, each line that is said, each hand-off and each record."""

from hookflash import Agent, CallRecord, CallStarted, Cold, HandoffEnded, Target, TranscriptLine

agent = Agent(
    "clinic",
    greeting="Harbour Clinic, good day. How can I help you?",
    instructions="""
    You are the front desk of Harbour Clinic: one or two short sentences at a time. You give no
    medical advice. Bring in a human as soon as the caller asks for one.
    """,
)

agent.handoff(
    "nurse",
    when="the caller asks for a person, or describes a symptom",
    plan=Cold(Target.phone("+15550101"), ring_seconds=15),
)


@agent.on_call_started
async def started(call: CallStarted) -> None:
    """The call does not wait for this: open the caller's file in your CRM."""
    print(f"call of {call.caller}")


@agent.on_transcript
async def said(line: TranscriptLine) -> None:
    """Show the conversation on a page of your own while it happens."""
    print(f"{line.speaker}: {line.text}")


@agent.on_handoff
def handed_off(outcome: HandoffEnded) -> None:
    """A plain function may block: it runs in a thread."""
    print(f"{outcome.attempt.destination}: {outcome.attempt.outcome}")


@agent.on_call_ended
async def ended(record: CallRecord) -> None:
    """The record is complete here, with a summary."""
    print(f"{record.disposition} after {record.seconds:.0f} s: {record.summary}")
