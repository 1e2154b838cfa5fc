# Try it without an account. A simulated caller says what a menu says:
#
#     hookflash call --agent examples/17_press_keys.py --say "For deliveries, press the key 2."
#
# On a real line: hookflash dial examples/17_press_keys.py +15550123 --on-machine talk
"""An agent that calls a company and finds its way through the telephone menu."""

from hookflash import Agent, CallContext

agent = Agent(
    "caller",
    # The other side speaks first: a menu, or a person.
    greeting="Hello?",
    language="en",
    instructions="""
    You call a company to ask when order 1001 is delivered, in one or two short sentences.
    If a telephone menu answers, say nothing and press the key for deliveries with your tool.
    """,
)


@agent.tool
async def press_keys(keys: str, call: CallContext) -> str:
    """Press telephone keys, as a menu asks for, or to dial an extension.

    Args:
        keys: The keys, such as 2 or 204#.
    """
    await call.press(keys)
    return "The keys were pressed. Listen to what comes next."
