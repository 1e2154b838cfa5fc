# Try it without an account: the caller joins a queue, hears their position, and is taken from it:
#
#     hookflash call --agent examples/07_queue.py --human answers
#
# On a real line: hookflash serve examples/07_queue.py, and let your people take callers with
# <Dial><Queue>support</Queue></Dial> or by TaskRouter.
"""A queue for any free human. Callers hear their place, and can go back to the agent by a key."""

from hookflash import Agent, Queue

agent = Agent(
    "hotline",
    greeting="Riverside Internet, good day. How can I help you?",
    instructions="""
    You answer the hotline of an internet provider: one or two short sentences at a time. Try to
    solve simple problems: cables, switching the box off and on. Otherwise bring in a human.
    """,
)

agent.handoff(
    "support",
    when="the caller wants a person, or the problem is not solved by simple means",
    plan=Queue(
        "support",
        total_seconds=900,
        announce_seconds=30,
        leave_key="1",
        otherwise="return",
        offers=("callback",),
    ),
)
