# Try it without an account. A caller asks where order 1001 is:
#
#     hookflash call --agent examples/11_mcp.py --say "Where is order one zero zero one?"
#
# On a real line: hookflash serve examples/11_mcp.py   (needs: pip install "mcp>=2.3,<3")
"""An agent with the tools of an MCP server. A human approves refunds while the agent talks on."""

from mcp.server.mcpserver import MCPServer

from hookflash import Agent, CallView

ORDERS = {1001: "on its way, and arrives tomorrow"}

# Your server runs elsewhere, in most cases. This one is in this program, so that you can try it.
server = MCPServer("orders")


@server.tool()
def order_status(number: int) -> str:
    """Look up where an order is."""
    return f"Order {number} is {ORDERS.get(number, 'unknown')}."


@server.tool()
def refund(number: int) -> str:
    """Refund an order."""
    return f"Order {number} is refunded."


agent = Agent(
    "shop",
    greeting="Riverside Bicycles, good day. What can I do for you?",
    language="en",
    instructions="""
    You answer the telephone of a bicycle shop, in one or two short sentences.
    Look up orders with your tools, and refund an order if the caller asks for it.
    """,
)

agent.mcp(
    # Or the URL of a server, with headers={"Authorization": "Bearer ..."}; or
    # command=["npx", "-y", "..."] for one that is a program on this machine.
    server,
    allowed_tools=["order_status", "refund"],
    timeout_seconds=10,
    filler="One moment, I am looking it up.",
    approve=["refund"],
)


@agent.answers
async def answer(question: str, call: CallView) -> str:
    """Ask your team here; without this hook, the console asks. Only "yes" approves."""
    return "Yes."
