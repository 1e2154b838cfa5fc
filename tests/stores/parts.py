"""A database that a test gets, of whichever kind."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from hookflash.stores.database import open_database
from hookflash.stores.records import RecordStore, open_store
from hookflash.world import Connect


@dataclass(frozen=True)
class Database:
    """Where it is, and what opens its connections: None for the driver that serves calls."""

    url: str
    connect: Connect | None = None

    async def engine(self) -> AsyncEngine:
        return await open_database(self.url, connect=self.connect)

    async def records(self) -> RecordStore:
        return await open_store(self.url, connect=self.connect)
