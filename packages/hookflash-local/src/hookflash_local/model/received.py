"""What the client sent, kept so that a script and a test can ask for it.

Whoever waits for something looks again at each `news`: an event, some sound, a session.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hookflash_local.model.script import Pattern, difference

APPEND = "input_audio_buffer.append"


class Received:
    """The client's events in order, over all sessions of one scripted model."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    def add(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        self._news.set()
        self._news = asyncio.Event()

    async def news(self) -> None:
        await self._news.wait()

    def types(self) -> list[str]:
        """Return the types in order, without the appends of sound."""
        return [event["type"] for event in self.events if event["type"] != APPEND]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == kind]

    async def find(self, kind: str, where: Pattern, begin: int) -> int:
        """Wait for an event at `begin` or later that matches; return the place after it."""
        place = begin
        while True:
            while place < len(self.events):
                event = self.events[place]
                place += 1
                if event["type"] == kind and difference(event, where) is None:
                    return place
            await self.news()

    def instead(self, kind: str, where: Pattern, begin: int) -> str:
        """Say what came since `begin`, and why it did not match."""
        came = []
        for event in self.events[begin:]:
            if event["type"] == kind:
                came.append(f"{kind} ({difference(event, where)})")
            elif event["type"] != APPEND:
                came.append(event["type"])
        return "; ".join(came) or "nothing"
