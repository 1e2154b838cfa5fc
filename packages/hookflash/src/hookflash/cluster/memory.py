"""The cluster store in memory, for nodes in one event loop: development, tests and simulations.

    engine = MemoryEngine(world.monotonic)
    a, b = MemoryStore(engine, "a"), MemoryStore(engine, "b")

The nodes share an engine, which has what a Redis server would have, with the same meaning. Each
node's `StoreLink` says how its requests reach the engine, so that a test can cut it off.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from hookflash.cluster.port import (
    AGAIN,
    JOURNAL_BYTES,
    JOURNAL_SECONDS,
    KEPT,
    LOST,
    Append,
    Appended,
    Lease,
    Node,
    StoreDown,
)

TIMEOUT_SECONDS = 0.5


@dataclass
class StoreLink:
    """How the requests of one node reach the engine. `delay` is for each direction, in seconds.

    `down`: nothing arrives, and each request fails after `TIMEOUT_SECONDS`. `deaf`: requests arrive
    and have their effect, and the answers are lost.
    """

    delay: float = 0.0
    down: bool = False
    deaf: bool = False


@dataclass
class _Call:
    """What the engine has of one call."""

    owner: Lease | None = None
    lapses_at: float = 0.0
    fence: int = 0
    journal: list[bytes] = field(default_factory=list)
    size: int = 0
    expires_at: float = 0.0


class MemoryEngine:
    """What the nodes share. `now` is a clock in seconds that never goes back."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.operations = 0
        """How many requests have arrived."""
        self.calls: dict[str, _Call] = {}
        self.links: dict[str, StoreLink] = {}
        self.registry: dict[str, tuple[Node, float]] = {}
        self.used: dict[str, float] = {}

    def link(self, node: str) -> StoreLink:
        """Return the link of a node."""
        return self.links.setdefault(node, StoreLink())

    def clear(self) -> None:
        """Lose everything, as a server without persistence does when it starts again."""
        self.calls.clear()
        self.registry.clear()
        self.used.clear()

    # --- the operations, without the links ----------------------------------------------------

    def call(self, call_sid: str) -> _Call:
        """Return a call's entry, without what has expired."""
        now = self._now()
        call = self.calls.setdefault(call_sid, _Call())
        if call.owner is not None and call.lapses_at <= now:
            call.owner = None
        if call.expires_at <= now:
            call.journal, call.size = [], 0
        return call

    def number(self, call: _Call) -> int:
        """Return a new fencing number: higher than all before, even after `clear`."""
        call.fence = max(call.fence + 1, int(self._now() * 1000))
        return call.fence

    def is_owner(self, lease: Lease) -> bool:
        return self.call(lease.call_sid).owner == lease

    def renew(self, lease: Lease, seconds: float) -> bool:
        call = self.call(lease.call_sid)
        if call.owner is None and call.fence in (0, lease.number):
            call.owner, call.fence = lease, lease.number
        if call.owner != lease:
            return False
        call.lapses_at = self._now() + seconds
        return True

    def append(self, append: Append, seconds: float) -> Appended:
        call = self.call(append.lease.call_sid)
        if not self.renew(append.lease, seconds):
            return Appended("fenced")
        if call.size != append.offset:
            return Appended("gap", call.size)
        if call.size + len(append.data) > JOURNAL_BYTES:
            return Appended("full", call.size)
        call.journal.append(append.data)
        call.size += len(append.data)
        call.expires_at = self._now() + JOURNAL_SECONDS
        return Appended("done", call.size)

    def up(self) -> list[Node]:
        now = self._now()
        return [node for _, (node, until) in sorted(self.registry.items()) if now < until]


class MemoryStore:
    """The store as node `name` uses it: a `port.ClusterStore`."""

    def __init__(self, engine: MemoryEngine, name: str) -> None:
        self._engine = engine
        self._name = name

    @contextlib.asynccontextmanager
    async def _request(self) -> AsyncIterator[MemoryEngine]:
        """Carry one request to the engine, and its answer back."""
        link = self._engine.link(self._name)
        if link.down:
            await asyncio.sleep(TIMEOUT_SECONDS)
            raise StoreDown("the link is down")
        if link.delay:
            await asyncio.sleep(link.delay)
        self._engine.operations += 1
        yield self._engine
        if link.deaf or link.down:
            await asyncio.sleep(TIMEOUT_SECONDS)
            raise StoreDown("the answer is lost")
        if link.delay:
            await asyncio.sleep(link.delay)

    # --- ownership ----------------------------------------------------------------------------

    async def acquire(self, call_sid: str, *, seconds: float) -> Lease:
        async with self._request() as engine:
            call = engine.call(call_sid)
            if call.owner is None:
                call.owner = Lease(call_sid, self._name, engine.number(call))
            if call.owner.node == self._name:
                engine.renew(call.owner, seconds)
            lease = call.owner
        return lease

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Sequence[int]:
        async with self._request() as engine:
            held = []
            for lease in leases:
                forgotten = not engine.call(lease.call_sid).fence
                kept = engine.renew(lease, seconds)
                held.append((AGAIN if forgotten else KEPT) if kept else LOST)
        return held

    async def owner(self, call_sid: str) -> Lease | None:
        async with self._request() as engine:
            lease = engine.call(call_sid).owner
        return lease

    async def pass_on(self, lease: Lease, node: str, *, seconds: float) -> Lease | None:
        async with self._request() as engine:
            call, passed = engine.call(lease.call_sid), None
            if engine.is_owner(lease):
                call.owner = passed = Lease(lease.call_sid, node, engine.number(call))
                engine.renew(passed, seconds)
        return passed

    async def release(self, lease: Lease) -> None:
        async with self._request() as engine:
            if engine.is_owner(lease):
                engine.call(lease.call_sid).owner = None

    # --- journals -----------------------------------------------------------------------------

    async def append(self, appends: Sequence[Append], *, seconds: float) -> Sequence[Appended]:
        async with self._request() as engine:
            answers = [engine.append(append, seconds) for append in appends]
        return answers

    async def replace(self, lease: Lease, data: bytes, *, seconds: float) -> Appended:
        async with self._request() as engine:
            if not engine.renew(lease, seconds):
                answer = Appended("fenced")
            else:
                call = engine.call(lease.call_sid)
                call.journal, call.size = [], 0
                answer = engine.append(Append(lease, 0, data), seconds)
        return answer

    async def journal(self, call_sid: str) -> bytes:
        async with self._request() as engine:
            data = b"".join(engine.call(call_sid).journal)
        return data

    async def retire(self, lease: Lease, *, seconds: float) -> None:
        async with self._request() as engine:
            if engine.is_owner(lease):
                call = engine.call(lease.call_sid)
                call.owner = None
                call.expires_at = engine._now() + seconds

    async def forget(self, call_sid: str) -> None:
        async with self._request() as engine:
            engine.calls.pop(call_sid, None)

    # --- nodes and tokens -------------------------------------------------------------------

    async def announce(self, node: Node, *, seconds: float) -> None:
        async with self._request() as engine:
            engine.registry[node.name] = (node, engine._now() + seconds)

    async def leave(self) -> None:
        async with self._request() as engine:
            engine.registry.pop(self._name, None)

    async def nodes(self) -> Sequence[Node]:
        async with self._request() as engine:
            nodes = engine.up()
        return nodes

    async def use_once(self, token: str, *, seconds: float) -> bool:
        async with self._request() as engine:
            now = engine._now()
            first = engine.used.get(token, 0.0) <= now
            if first:
                engine.used[token] = now + seconds
        return first

    async def close(self) -> None:
        """Do nothing: there is no connection."""
