"""The connections of strangers that the benchmark holds open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from hookflash_local.bench import strangers as module
from hookflash_local.bench.harness import Harness
from hookflash_local.bench.programs import BenchError, compiled
from hookflash_local.bench.strangers import Kind, measure_strangers, strangers


@dataclass
class Counted:
    """A server that reads what comes, and closes connections when it is told to."""

    port: int = 0
    received: int = 0
    accepted: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.writers.append(writer)
        self.changed.set()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                self.received += len(data)
                self.changed.set()
        writer.close()

    async def until(self, accepted: int, received: int = 0) -> None:
        async with asyncio.timeout(100):
            while self.accepted < accepted or self.received < received:
                await self.changed.wait()
                self.changed.clear()


@contextlib.asynccontextmanager
async def counted() -> AsyncIterator[Counted]:
    found = Counted()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    async with server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("kind", "connections", "received"),
    [("idle", 20, 0), ("slow", 5, 5 * 50), ("endless", 1, 2_000_000)],
)
async def test_strangers_are_there_and_come_again(
    kind: Kind, connections: int, received: int
) -> None:
    async with counted() as server:
        async with strangers(server.port, kind, connections):
            await server.until(connections, received)
            server.writers[0].close()
            await server.until(connections + 1)
        assert kind != "idle" or server.received == 0


@pytest.mark.realtime
async def test_strangers_that_cannot_come_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_OPEN_SECONDS", 0.0)
    with pytest.raises(BenchError, match="expected 5 open connections"):
        async with strangers(1, "idle", 5):
            pass


@pytest.mark.realtime
async def test_calls_are_measured_before_and_while_strangers_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(module, "ROWS", {"few": ("slow", 50, {"HOOKFLASH_MAX_CONNECTIONS": "20"})})
    with compiled() as programs:
        (found,) = await measure_strangers(Harness(programs), 2, 0.3, told.append)
    assert told == ["fault: few"]
    assert (found.fault, found.calls, found.lost, found.gone) == ("few", 2, 0, 0)
    assert found.before_p99 > 0
    assert found.during_p99 > 0
