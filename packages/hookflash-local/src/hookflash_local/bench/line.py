"""The agent that is measured: what a small shop's line has, so that nothing is left out."""

from __future__ import annotations

from hookflash import Agent, HandoffPlan, Target

agent = Agent(
    "bench",
    instructions="You answer the telephone of a bicycle shop.",
    greeting="Hello, this is the bicycle shop.",
    fallback="desk",
    # With HOOKFLASH_RECORD=on it is recorded from the first moment.
    consent=None,
)
agent.handoff(
    "desk",
    when="somebody asks for a person",
    plan=HandoffPlan(targets=(Target.phone("+15550100002"),)),
)


@agent.tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    return "closed" if day.lower() == "sunday" else "9 to 18"
