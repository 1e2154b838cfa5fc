"""Plays several nodes on one virtual clock: calls at once, webhooks that land anywhere, and faults.

    played = await play_nodes(folder, draw_nodes(seed))
    played.violations

The nodes share a store in memory. A balancer sends each request of the carrier to a node at random.
A fault kills, pauses or drains a node, cuts it off from the store, or stops the store. What must
hold whatever happens: no call has two owners, each call has an owner again soon, its caller is not
dropped, and each call has one record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import ItemsView, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hookflash_local.carrier import Human, Leg, Line

from ..cluster.nodes_stage import NodeProcess, NodesStage, nodes_stage
from ..scenarios.conftest import DESK, PUBLIC, shop
from ..scenarios.test_handoff import asked_to, desk, greeted, say

NODES = ("a", "b", "c")
LOOK_SECONDS = 0.05
OWNER_SECONDS = 8.0
"""How long a live call with a stream may have no owner: a lease lapses, and a webhook arrives."""

KINDS = (
    "kill",
    "pause",
    "drain",
    "cut-off",
    "store-down",
    "store-lost",
    "store-slow",
    "stream-cut",
)

_ALLOWED = (
    "the cluster's store does not answer",
    "the worker that has the call does not answer",
    "its stream is closed: no node gave the call up in time",
)


@dataclass(frozen=True)
class NodeFault:
    """Something that goes wrong `at` a time, with the node of a number, for `seconds`."""

    at: float
    kind: str
    node: int
    seconds: float


@dataclass(frozen=True)
class PlannedCall:
    """A call that begins `at` a time and is hung up after `seconds` with the agent."""

    at: float
    seconds: float
    wants_human: bool


@dataclass(frozen=True)
class NodesPlan:
    seed: int
    calls: tuple[PlannedCall, ...]
    faults: tuple[NodeFault, ...]


def draw_nodes(seed: int) -> NodesPlan:
    """Draw a plan; the same seed gives the same plan."""
    chance = Random(f"nodes {seed}")
    calls = tuple(
        PlannedCall(chance.uniform(0, 3), chance.uniform(14, 26), chance.random() < 0.3)
        for _ in range(chance.randint(2, 4))
    )
    faults = tuple(
        NodeFault(
            chance.uniform(2, 14), chance.choice(KINDS), chance.randrange(3), chance.uniform(2, 7)
        )
        for _ in range(chance.randint(1, 2))
    )
    return NodesPlan(seed, calls, faults)


@dataclass
class PlayedNodes:
    plan: NodesPlan
    violations: list[str] = field(default_factory=list)
    takeovers: int = 0
    """How often a call has changed its owner."""


class Balancer(dict[str, str]):
    """A table of the carrier's tunnel that names a healthy node for each request, at random."""

    def __init__(self, s: NodesStage, chance: Random) -> None:
        super().__init__()
        self.away: set[str] = set()
        self._stage = s
        self._chance = chance

    def items(self) -> ItemsView[str, str]:
        healthy = [
            node
            for node in self._stage.nodes.values()
            if not node.killed and not node.stop.is_set() and node.name not in self.away
        ]
        # One that has just become unready may still get a request.
        ready = [node for node in healthy if node.nodes.ready] or healthy
        node = self._chance.choice(ready)
        return {PUBLIC: f"http://127.0.0.1:{node.port}"}.items()


class _Errors(logging.Handler):
    def __init__(self, played: PlayedNodes) -> None:
        super().__init__(logging.ERROR)
        self._played = played

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if not any(each in text for each in _ALLOWED):
            self._played.violations.append(f"error: {text}")


async def play_nodes(folder: Path, plan: NodesPlan) -> PlayedNodes:
    """Play a plan from the first call to the last record."""
    played = PlayedNodes(plan)
    errors = _Errors(played)
    logging.getLogger("hookflash").addHandler(errors)
    try:
        async with nodes_stage(folder, shop, *NODES, settings={"drain_seconds": 3}) as s:
            await _NodesPlay(s, plan, played).run()
    finally:
        logging.getLogger("hookflash").removeHandler(errors)
    return played


class _NodesPlay:
    def __init__(self, s: NodesStage, plan: NodesPlan, played: PlayedNodes) -> None:
        self._s = s
        self._plan = plan
        self._played = played
        self._calls: list[Leg] = []
        self._owner: dict[str, str] = {}
        self._owned_at: dict[str, float] = {}
        self._finished: set[str] = set()
        self._balancer = Balancer(s, Random(f"balancer {plan.seed}"))
        self._loop = asyncio.get_running_loop()

    async def run(self) -> None:
        s = self._s
        s.carrier.exchange.webhooks.tunnel = self._balancer
        on = s.model.on
        on("response.create", [say("greeting", 800, 0x11, "Hello.")], where=asked_to("just begun"))
        on("response.create", [say("again", 900, 0x2B, "We were cut off.")])
        s.carrier.humans[DESK] = Human(1.0, desk)
        looking = asyncio.create_task(self._look())
        faults = [asyncio.create_task(self._cause(fault)) for fault in self._plan.faults]
        try:
            await asyncio.gather(*(self._call(call) for call in self._plan.calls))
            await asyncio.gather(*faults)
        finally:
            looking.cancel()
            await asyncio.gather(looking, *faults, return_exceptions=True)
        for node in self._running():
            node.link.down = False
        for call in self._calls:
            await self._check_record(call)

    def _running(self) -> Iterator[NodeProcess]:
        for node in self._s.nodes.values():
            if not node.killed and node.line is not None and not node.task_done:
                yield node

    async def _call(self, planned: PlannedCall) -> None:
        await asyncio.sleep(planned.at)

        async def script(line: Line) -> None:
            await greeted(line)
            if planned.wants_human:
                await line.pause(2.0)
            await line.pause(planned.seconds)
            self._finished.add(line.leg.sid)
            await line.hang_up()

        number = 10 + len(self._calls)
        call = await self._s.call(script, caller=f"+155501000{number}")
        self._calls.append(call)
        await call.ended()
        if call.sid not in self._finished:
            self._played.violations.append(f"dropped: {call.sid} ended before its caller hung up")

    async def _check_record(self, call: Leg) -> None:
        try:
            record = await self._s.record(call)
        except AssertionError:
            self._played.violations.append(f"record: {call.sid} has none")
            return
        if record.agent != "shop" or not record.caller.startswith("+155501000"):
            self._played.violations.append(f"record: {call.sid} is of another call: {record}")

    async def _look(self) -> None:
        """Check again and again that each call has one owner."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = self._loop.time()
            for call in self._calls:
                owners = self._s.owners(call.sid)
                if len(owners) > 1:
                    self._played.violations.append(f"owners: {call.sid} has {owners} at {now:.2f}")
                if owners and self._owner.get(call.sid) != owners[0]:
                    self._played.takeovers += call.sid in self._owner
                    self._owner[call.sid] = owners[0]
                if owners or not call.live or call.sid not in self._owner:
                    self._owned_at[call.sid] = now
                elif now - self._owned_at[call.sid] > OWNER_SECONDS:
                    self._played.violations.append(f"owners: {call.sid} has none at {now:.2f}")
                    self._owned_at[call.sid] = now

    # --- faults -----------------------------------------------------------------------------------

    async def _cause(self, fault: NodeFault) -> None:
        await asyncio.sleep(fault.at)
        nodes = [node for node in self._running() if node.name not in self._balancer.away]
        node = nodes[fault.node % len(nodes)]
        if fault.kind in ("kill", "pause", "drain") and len(nodes) < 2:
            return
        await getattr(self, f"_{fault.kind.replace('-', '_')}")(node, fault.seconds)

    async def _kill(self, node: NodeProcess, seconds: float) -> None:
        node.kill()
        await asyncio.sleep(seconds)
        await self._s.start(f"{node.name}+")

    async def _drain(self, node: NodeProcess, seconds: float) -> None:
        node.stop.set()
        await asyncio.sleep(seconds)
        await self._s.start(f"{node.name}-")

    async def _pause(self, node: NodeProcess, seconds: float) -> None:
        self._balancer.away.add(node.name)
        node.pause()
        # The balancer's check fails, and it closes what it has open to that node.
        await asyncio.sleep(1.0)
        for call in self._calls:
            if self._owner.get(call.sid) == node.name and call.streams and call.streams[-1].open:
                call.streams[-1].cut()
        await asyncio.sleep(seconds)
        node.resume()
        await asyncio.sleep(0.5)
        self._balancer.away.discard(node.name)

    async def _cut_off(self, node: NodeProcess, seconds: float) -> None:
        node.link.down = True
        await asyncio.sleep(seconds)
        node.link.down = False

    async def _store_down(self, node: NodeProcess, seconds: float) -> None:
        before = list(self._running())
        for each in before:
            each.link.down = True
        await asyncio.sleep(seconds)
        for each in before:
            each.link.down = False

    async def _store_lost(self, node: NodeProcess, seconds: float) -> None:
        self._s.engine.clear()

    async def _store_slow(self, node: NodeProcess, seconds: float) -> None:
        node.link.delay = 0.15
        await asyncio.sleep(seconds)
        node.link.delay = 0.0

    async def _stream_cut(self, node: NodeProcess, seconds: float) -> None:
        for call in self._calls:
            if call.live and call.streams and call.streams[-1].open:
                call.streams[-1].cut()


def describe(plan: NodesPlan) -> dict[str, Any]:
    """Return what happens in a plan, for the message of a failed test."""
    return {
        "calls": [f"{each.at:.1f} for {each.seconds:.0f} s" for each in plan.calls],
        "faults": [
            f"{each.at:.1f} {each.kind} {NODES[each.node]} {each.seconds:.1f} s"
            for each in plan.faults
        ],
    }
