# Your own bridge, and a human by REST: uvicorn with_a_human:app --port 5050
"""The bridge of before.py keeps its calls; Hookflash only brings a human to one of them."""

import asyncio
import os

from before import app as bridge  # your FastAPI app with its own /media-stream
from fastapi import FastAPI

import hookflash
from hookflash import Target, Warm

voice = hookflash.asgi_app()  # without an agent: it answers no calls
app = FastAPI(lifespan=voice.lifespan)
app.mount("/voice", voice)

SHOP = Warm([Target.phone("+15550102"), Target.phone("+15550103")], ring_seconds=15)


@app.post("/calls/{call_sid}/human")
async def human(call_sid: str, summary: str = "") -> dict[str, str]:
    """Call this from a tool of your model; it answers at once, and the outcome is logged."""
    task = asyncio.create_task(bring(call_sid, summary))
    running.add(task)
    task.add_done_callback(running.discard)
    return {"status": "ringing"}


async def bring(call_sid: str, summary: str) -> None:
    outcome = await hookflash.bring_human(
        call_sid, SHOP, summary=summary, return_url=f"{os.environ['OWN_URL']}/incoming-call"
    )
    print(f"{call_sid}: {outcome.outcome}, {outcome.disposition}")


running: set[asyncio.Task[None]] = set()
app.mount("/", bridge)
