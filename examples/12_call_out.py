# Try it without an account. The agent answers a call as well:
#
#     hookflash call --agent examples/12_call_out.py --say "When are you open?"
#
# On a real line, with HOOKFLASH_CALLER_ID: hookflash dial examples/12_call_out.py +15550123
# All of PEOPLE, one after another: python examples/12_call_out.py
"""An agent that calls people: a campaign is a loop of your own."""

import asyncio

from hookflash import Agent, CallNotPlaced, CarrierError, RunningLine

PEOPLE = {"+15550107": "Ms Miller", "+15550108": "Mr Brown"}
MESSAGE = "This is Riverside Bicycles. Your bicycle is ready. We are open until six o'clock."

agent = Agent(
    "reminders",
    greeting="Hello, this is the assistant of Riverside Bicycles.",
    language="en",
    instructions="""
    You call customers of a bicycle shop whose bicycle is repaired: one or two short sentences.
    Tell them that it is ready and that the shop is open until six o'clock, and say goodbye.
    """,
)


async def remind(line: RunningLine, people: dict[str, str]) -> dict[str, str]:
    """Call everybody once; return what came of each call."""
    outcomes = {}
    for number, name in people.items():
        try:
            call = await line.place(
                number,
                known=f"You call {name}, whose bicycle is ready.",
                on_machine="leave_message",
                message=MESSAGE,
                time_zone="America/New_York",
            )
        except CallNotPlaced as error:
            # On the do-not-call list, or it is night where they are: try again later.
            outcomes[number] = error.reason
        except CarrierError as error:
            outcomes[number] = f"refused by the carrier: {error}"
        else:
            outcomes[number] = (await call.ended()).disposition
    return outcomes


async def main() -> None:
    async with RunningLine(agent) as line:
        for number, outcome in (await remind(line, PEOPLE)).items():
            print(f"{number}: {outcome}")


if __name__ == "__main__":
    asyncio.run(main())
