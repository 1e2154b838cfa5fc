# The same on Hookflash: uvicorn after:app --port 5050
"""A caller talks with the model, and a human joins the call when one is needed."""

from fastapi import FastAPI

import hookflash
from hookflash import Agent, Cold, Target

INSTRUCTIONS = """
You answer the telephone of Riverside Bicycles: one or two short sentences at a time. We are open
Monday to Friday from nine in the morning to six in the evening.
"""
VOICE = "marin"

agent = Agent("bicycles", instructions=INSTRUCTIONS, voice=VOICE, fallback="shop")
agent.handoff(
    "shop",
    when="the caller asks for a person, or you cannot help",
    plan=Cold([Target.phone("+15550102"), Target.phone("+15550103")], ring_seconds=15),
)

voice = hookflash.asgi_app(agent)
app = FastAPI(lifespan=voice.lifespan)
app.mount("/voice", voice)


@app.get("/")
async def index() -> str:
    return "Riverside Bicycles"
