"""A page without a browser: the other end of a phone's socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


class Served(Protocol):
    """Whatever has a page of phones: a `PhoneServer`, or a demo."""

    @property
    def url(self) -> str: ...


class Page:
    """`shown` is the last state, `heard` all sound, `refusals` what was refused."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.shown: dict[str, Any] = {}
        self.heard = bytearray()
        self.refusals: list[str] = []
        self.replaced = False
        self.over = False
        self._grown = asyncio.Event()

    async def read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in self.socket:
                self._take(message)
        self.over = True
        self._grown.set()

    def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.heard += message
        elif (told := json.loads(message))["type"] == "phone":
            self.shown = told
        elif told["type"] == "refused":
            self.refusals.append(told["why"])
        else:
            self.replaced = True
        self._grown.set()
        self._grown = asyncio.Event()

    async def ask(self, kind: str, **more: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **more}))

    async def until(self, true: Callable[[Page], object]) -> None:
        """Wait until something is true of this page."""
        async with asyncio.timeout(30):
            while not true(self):
                assert not self.over, f"the socket closed; last shown: {self.shown}"
                await self._grown.wait()

    async def state(self, state: str) -> dict[str, Any]:
        await self.until(lambda page: page.shown.get("state") == state)
        return self.shown


@contextlib.asynccontextmanager
async def page(server: Served, role: str = "", **more: Any) -> AsyncIterator[Page]:
    """Open a socket; with a role, register and wait until the phone is shown."""
    address = server.url.replace("http:", "ws:") + "phones"
    async with connect(address, compression=None) as socket:
        the_page = Page(socket)
        reader = asyncio.create_task(the_page.read())
        try:
            if role:
                await the_page.ask("register", role=role, **more)
                await the_page.until(lambda page: page.shown)
            yield the_page
        finally:
            await socket.close()
            await reader
