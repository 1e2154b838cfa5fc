# Try it without an account: a recorded caller, whom the shop does not know:
#
#     hookflash call --agent examples/15_known_caller.py
#
# On a real line: hookflash serve examples/15_known_caller.py
"""An agent that knows who calls, with a model of its own and tools for customers only."""

from hookflash import Agent, CallContext, ServerVad

# Ask your customer database here; the functions below may be async.
CUSTOMERS = {"+15550111": ("Ada", "a touring bicycle, in repair until Friday")}
FACTS = "You answer for Riverside Bicycles, in one or two short sentences. We close at six."


def greeting(call: CallContext) -> str:
    name = CUSTOMERS.get(call.caller, ("", ""))[0]
    return f"Hello{f' {name}' if name else ''}, Riverside Bicycles. How can I help you?"


def instructions(call: CallContext) -> str:
    if call.caller not in CUSTOMERS:
        return FACTS
    name, order = CUSTOMERS[call.caller]
    return f"{FACTS} You speak with {name}, who has {order}."


def is_customer(call: CallContext) -> bool:
    return call.caller in CUSTOMERS


agent = Agent(
    "workshop",
    greeting=greeting,
    instructions=instructions,
    instructions_fallback=FACTS,  # if the function fails or takes longer than two seconds
    turn_detection=ServerVad(silence_ms=700),  # this agent's callers pause while they look
    speed=1.1,
)


@agent.tool(offered=is_customer)
def move_appointment(call: CallContext, day: str) -> str:
    """Move the caller's appointment to another day.

    Args:
        day: The day of the week.
    """
    return f"The appointment is moved to {day}."
