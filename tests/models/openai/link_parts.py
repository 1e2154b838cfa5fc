"""A small server that plays the model, and where a link delivers."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve

from hookflash.core import events
from hookflash.core.setup import ModelSetup
from hookflash.models.openai import OpenAIConnector

WIRE = Path(__file__).parents[2] / "wire" / "openai"
PCMU = {"type": "audio/pcmu"}
UPDATED = json.dumps(
    {
        "type": "session.updated",
        "session": {
            "id": "sess_1",
            "audio": {"input": {"format": PCMU}, "output": {"format": PCMU}},
        },
    }
)
SETUP = ModelSetup(instructions="You answer the phone.")
Play = Callable[[ServerConnection], Awaitable[None]]


class Heard:
    """Where a link delivers: a list, and a way to wait for the next event."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    def __call__(self, event: Any) -> None:
        self.events.append(event)
        self._queue.put_nowait(event)

    async def next(self) -> Any:
        return await asyncio.wait_for(self._queue.get(), 60)


async def accept(connection: ServerConnection) -> None:
    """Read the session.update and accept it."""
    assert json.loads(await connection.recv())["type"] == "session.update"
    await connection.send(UPDATED)


@contextlib.asynccontextmanager
async def model(play: Play, **options: Any) -> AsyncIterator[str]:
    async with serve(
        play, "127.0.0.1", 0, ping_interval=None, close_timeout=0.1, **options
    ) as server:
        yield address(server)


def address(server: Server | asyncio.Server) -> str:
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/v1/realtime"


@contextlib.asynccontextmanager
async def raw(
    play: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that speaks whatever `play` does; its connections end with the block."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await play(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield address(server)
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def connector(url: str, **options: Any) -> AsyncIterator[OpenAIConnector]:
    opened = OpenAIConnector(url, **{"api_key": "sk-test", "close_seconds": 1.0} | options)
    before = asyncio.all_tasks()
    try:
        yield opened
    finally:
        await opened.aclose()
        assert not [t for t in asyncio.all_tasks() - before if "OpenAIConnector" in repr(t)]


async def the_end_of(play: Play, **options: Any) -> tuple[Any, list[Any]]:
    """Open a session with a model that does `play`; return the last event and all of them."""
    async with model(play) as url, connector(url, **options) as opened:
        heard = Heard()
        opened.open(SETUP, heard)
        while not isinstance(event := await heard.next(), events.ModelLost):
            pass
        return event, heard.events
