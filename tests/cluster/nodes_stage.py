"""Several nodes of one line on one virtual clock, between the stand-ins.

    async with nodes_stage(folder, agent) as s:
        s.route("/twilio/voice", "a")          # which node a path of the carrier's requests reaches
        call = await s.call(script)

Each node is a process of the simulated machine with its own data folder: it can be killed, paused
and cut off from the store. All share one database and one store in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hookflash import Agent, CallRecord
from hookflash.cluster.memory import MemoryEngine, MemoryStore, StoreLink
from hookflash.core.call import Call
from hookflash.server.app import serve
from hookflash.server.assembly import Line, open_line
from hookflash.server.cluster_setup import ClusterPorts
from hookflash.server.nodes import Nodes
from hookflash_local.carrier import Leg, NumberConfig, StandinCarrier
from hookflash_local.carrier.parties import Script
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.simulation.loop import PROCESS, VirtualLoop
from hookflash_local.simulation.world import SimulatedWorld, make_database

from ..scenarios.conftest import CALLER, LINE, PUBLIC, eventually
from ..settings_parts import settings_of

LONGEST_SECONDS = 300.0
SECRET = "a secret of sixteen or more"


@dataclass
class NodeProcess:
    """A node: a process of the simulated machine. `own` is its name in the registry."""

    name: str
    loop: VirtualLoop
    engine: MemoryEngine
    world: SimulatedWorld
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    line: Line | None = None
    port: int = 0
    task: asyncio.Task[None] | None = None
    killed: bool = False

    @property
    def nodes(self) -> Nodes:
        assert self.line is not None and self.line.nodes is not None
        return self.line.nodes

    @property
    def link(self) -> StoreLink:
        """How this node's requests reach the store."""
        return self.engine.link(self.nodes.name)

    @property
    def task_done(self) -> bool:
        """Whether the process has ended by itself."""
        return self.task is not None and self.task.done()

    def calls(self) -> list[str]:
        assert self.line is not None
        return [each.call_sid for each in self.line.switchboard.live]

    def call(self, call_sid: str) -> Call | None:
        assert self.line is not None
        driver = self.line.switchboard.find(call_sid)
        return driver.call if driver is not None else None

    def kill(self) -> None:
        """End the process as SIGKILL does."""
        self.killed = True
        self.loop.kill(self.name)
        self.world.close()

    def pause(self) -> None:
        self.loop.pause(self.name)

    def resume(self) -> None:
        self.loop.resume(self.name)


@dataclass
class NodesStage:
    model: ScriptedModel
    carrier: StandinCarrier
    engine: MemoryEngine
    nodes: dict[str, NodeProcess]
    settings: dict[str, Any]
    agent: Callable[[], Agent]
    folder: Path

    def __getitem__(self, name: str) -> NodeProcess:
        return self.nodes[name]

    def route(self, path: str, name: str) -> None:
        """Let the carrier's requests to paths that begin with `path` reach a node.

        What was routed last counts first.
        """
        tunnel = self.carrier.tunnel
        others = {origin: at for origin, at in tunnel.items() if origin != f"{PUBLIC}{path}"}
        tunnel.clear()
        tunnel[f"{PUBLIC}{path}"] = f"http://127.0.0.1:{self.nodes[name].port}"
        tunnel.update(others)

    def route_all(self, name: str) -> None:
        """Let all of the carrier's requests reach one node."""
        self.carrier.tunnel.clear()
        self.route("", name)

    async def call(self, script: Script | None = None, *, caller: str = CALLER) -> Leg:
        return await self.carrier.place_call(from_=caller, to=LINE, script=script)

    def owners(self, call_sid: str) -> list[str]:
        """Return the nodes that act for a call now: never more than one."""
        return [
            node.name
            for node in self.nodes.values()
            if not node.killed
            and not node.task_done
            and node.line is not None
            and node.nodes._acts_for(call_sid)
        ]

    async def record(self, call: Leg) -> CallRecord:
        """Return the record of a call that has ended, as the database has it."""
        await call.ended()
        await self.carrier.callbacks_sent()
        found: list[CallRecord] = []

        async def stored() -> bool:
            for node in self.nodes.values():
                if not node.killed and not node.task_done and node.line is not None:
                    await node.line.writer.flush()
                    record = await node.line.store.get(call.sid)
                    if record is not None:
                        found.append(record)
                        return True
            return False

        for _ in range(3000):
            if await stored():
                return found[0]
            await asyncio.sleep(0.01)
        raise AssertionError("the call has no record")

    async def start(self, name: str) -> NodeProcess:
        """Start a node."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        world = SimulatedWorld(f"{self.folder}/{name}/{len(self.nodes)}")
        node = NodeProcess(name, loop, self.engine, world)
        ready: asyncio.Future[int] = loop.create_future()
        settings = settings_of(**self.settings | {"data_dir": self.folder / name})

        async def run() -> None:
            ports = ClusterPorts(lambda own: MemoryStore(self.engine, own), loop.listen)
            async with open_line(
                settings, self.agent(), world=world, cluster_ports=ports
            ) as node.line:
                await serve(
                    node.line.app,
                    node.line.switchboard,
                    listener=loop.listen("127.0.0.1", 0),
                    drain_seconds=settings.server.drain_seconds,
                    on_listening=ready.set_result,
                    stop=node.stop,
                )

        context = contextvars.copy_context()
        context.run(PROCESS.set, name)
        node.task = loop.create_task(run(), name=f"node {name}", context=context)
        await asyncio.wait((ready, node.task), return_when=asyncio.FIRST_COMPLETED)
        if node.task.done():
            node.task.result()
        node.port = ready.result()
        self.nodes[name] = node
        return node


@contextlib.asynccontextmanager
async def nodes_stage(
    folder: Path,
    agent: Callable[[], Agent],
    *names: str,
    settings: dict[str, Any] | None = None,
    notices: bool = False,
    network_ms: float = 0.0,
) -> AsyncIterator[NodesStage]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.limit_seconds = LONGEST_SECONDS
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    outer = SimulatedWorld(0)
    (folder / "shared").mkdir()
    await make_database(folder / "shared" / "hookflash.db")
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(outer.close)
        model = await stack.enter_async_context(
            ScriptedModel(network_ms=network_ms, wall=outer.wall)
        )
        carrier = await stack.enter_async_context(
            StandinCarrier(network_ms=network_ms, wall=outer.wall)
        )
        carrier.numbers[LINE] = NumberConfig(
            f"{PUBLIC}/twilio/voice",
            fallback_url=f"{PUBLIC}/twilio/voice",
            status_callback=f"{PUBLIC}/twilio/status",
        )
        chosen = {
            "public_url": PUBLIC,
            "openai_api_key": "any",
            "twilio_account_sid": carrier.account_sid,
            "twilio_auth_token": carrier.auth_token,
            "twilio_api_url": carrier.api_url,
            "model_url": model.url,
            "database_url": f"sqlite:///{folder / 'shared' / 'hookflash.db'}",
            "max_call_seconds": 0,
            "speech_url": "off",
            "drain_seconds": 0,
            "cluster_secret": SECRET,
            "node_host": "127.0.0.1",
        }
        engine = MemoryEngine(loop.time)
        s = NodesStage(model, carrier, engine, {}, chosen | (settings or {}), agent, folder)
        for name in names or ("a", "b", "c"):
            await s.start(name)
        # Each node learns of the others with its next heartbeat.
        await asyncio.sleep(1.5)
        s.route_all(next(iter(s.nodes)))
        try:
            yield s
            for call in carrier.calls:
                call.end("completed", by="test")
            await asyncio.gather(*(call.ended() for call in carrier.calls))
            await carrier.callbacks_sent()
            await eventually(lambda: not carrier.leftovers())
        finally:
            for node in s.nodes.values():
                node.resume()
                node.stop.set()
            running = [node.task for node in s.nodes.values() if node.task and not node.killed]
            await asyncio.gather(*running)
            for node in s.nodes.values():
                node.world.close()
        if notices:
            assert carrier.alerts.entries == []
