"""The agent that is measured: a tool and a hand-off, as a small shop would have."""

from __future__ import annotations

from hookflash import Agent, Cold, Target

agent = Agent(
    "bench",
    instructions="You answer the telephone of a bicycle shop.",
    greeting="Hello, this is the bicycle shop.",
    fallback="desk",
    # With HOOKFLASH_RECORD=on, recording starts with the call.
    consent=None,
)
agent.handoff(
    "desk",
    when="somebody asks for a person",
    plan=Cold(Target.phone("+15550100002")),
)


@agent.tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    return "closed" if day.lower() == "sunday" else "9 to 18"
