"""A whole line on one machine: three nodes behind a balancer, and all that they share.

    the local Twilio -- HAProxy (deploy/haproxy.cfg) -- node 1, 2, 3 -- the scripted model
                                                        |
                                            Redis, PostgreSQL, a shared folder

Redis, PostgreSQL and HAProxy are Debian's. Each node is a process of its own with a data folder of
its own. The balancer takes the nodes in turn for requests, and the one with the fewest for media
sockets. So a webhook lands on the node that has its call only by chance.

Nothing is compressed: leases, health checks and calls run in real time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from tests.cluster.redis_server import RedisServer, free_port
from tests.stores.postgres_server import PostgresServer

from hookflash.core.record import CallRecord
from hookflash.stores.records import RecordStore, open_store
from hookflash_local.carrier import Human, Leg, Line, NumberConfig, StandinCarrier
from hookflash_local.model.scripted import ScriptedModel
from hookflash_local.model.session import Session

ROOT = Path(__file__).parent.parent.parent
AGENT = Path(__file__).parent / "line_agent.py"
PUBLIC = "https://line.example.test"
LINE, CALLER = "+15550100001", "+15550100009"
DESK, OFFICE, LAWYER, NOBODY, SUPPORT = (f"+1555010010{number}" for number in range(1, 6))
METRICS_TOKEN = "who may read the metrics"
DRAIN_SECONDS = 2

# Sounds that are recognised: runs of one byte, as no voice has. Each caller has one of their own.
GREETING, BACK, SORRY, CLOSING, BRIEFING, COMPANY, HUMAN, ANSWER = range(0x11, 0x19)
FIRST_CALLER_BYTE = 0xA0
MOST_CALLS = 60


def samples(sound: bytes | bytearray, byte: int) -> int:
    """Count the samples of a recognisable sound."""
    return sum(len(run[0]) for run in re.finditer(re.escape(bytes([byte])) + b"{24,}", sound))


def first_at(sound: bytes | bytearray, byte: int, since: int = 0) -> int | None:
    """Return the sample at which a recognisable sound begins, from `since` on."""
    found = re.compile(re.escape(bytes([byte])) + b"{24,}").search(sound, since)
    return found.start() if found is not None else None


async def eventually(true: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until something is true. Raises `AssertionError` with `what` otherwise."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not true():
        assert loop.time() < end, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.05)


class Node:
    """One process of the line. It can be killed, stopped, and started again on its data."""

    def __init__(self, number: int, folder: Path, environ: dict[str, str]) -> None:
        self.number = number
        self.port, self.node_port = free_port(), free_port()
        self.said: list[str] = []
        self._folder = folder
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "hookflash", "serve", str(AGENT), "--port", str(self.port)),
            cwd=self._folder,
            env={
                **os.environ,
                **self._environ,
                "HOOKFLASH_DATA_DIR": str(self._folder),
                "HOOKFLASH_NODE_PORT": str(self.node_port),
            },
            stderr=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                assert self.is_running, self.log
                with contextlib.suppress(httpx.TransportError):
                    found = await client.get(f"http://127.0.0.1:{self.port}/readyz")
                    if found.status_code == 200:
                        return
                await asyncio.sleep(0.05)

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def ended(self, seconds: float = 90.0) -> int:
        """Wait until the process has ended. Return its exit code."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
            if self._reading is not None:
                await self._reading
        return code

    async def kill(self) -> None:
        if self._process is not None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGKILL)
            await self.ended()

    async def metrics(self) -> dict[tuple[str, str], float]:
        """Return the samples of `/metrics` by name and by what else labels them.

        The nodes of one machine report each other's numbers, too; a node's own come first.
        """
        async with httpx.AsyncClient(timeout=5.0) as client:
            page = await client.get(
                f"http://127.0.0.1:{self.port}/metrics",
                headers={"Authorization": f"Bearer {METRICS_TOKEN}"},
            )
        assert page.status_code == 200, page.text
        found: dict[tuple[str, str], float] = {}
        for family in text_string_to_metric_families(page.text):
            for sample in family.samples:
                labels = dict(sample.labels)
                labels.pop("worker", None)
                found.setdefault((sample.name, " ".join(labels.values())), sample.value)
        return found

    async def live(self) -> int:
        """Return the number of live calls on this node."""
        found = await self.metrics()
        return round(sum(value for (name, _), value in found.items() if name == "hookflash_calls"))

    @property
    def log(self) -> str:
        return "".join(self.said)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.said.append(line.decode(errors="replace"))


@dataclass(frozen=True)
class RedisUse:
    """What Redis has done: scripts, all commands, bytes in and out, and processor time."""

    scripts: float
    commands: float
    received: float
    sent: float
    cpu_ms: float

    def __sub__(self, other: RedisUse) -> RedisUse:
        return RedisUse(*(mine - its for mine, its in zip(self, other, strict=True)))

    def __mul__(self, factor: float) -> RedisUse:
        return RedisUse(*(mine * factor for mine in self))

    def __iter__(self) -> Iterator[float]:
        return iter((self.scripts, self.commands, self.received, self.sent, self.cpu_ms))

    def __str__(self) -> str:
        return (
            f"{self.scripts:.1f} scripts, {self.commands:.1f} commands,"
            f" {self.received / 1000:.1f} kB received, {self.sent / 1000:.1f} kB sent,"
            f" {self.cpu_ms:.1f} ms of its core"
        )


def _names(key: bytes, call_sids: Sequence[str]) -> bool:
    return any(sid.encode() in key for sid in call_sids)


@dataclass
class Rig:
    """What a scenario plays with."""

    folder: Path
    nodes: Sequence[Node]
    redis: RedisServer
    postgres: PostgresServer
    carrier: StandinCarrier
    model: ScriptedModel
    store: RecordStore
    balancer: subprocess.Popen[bytes]
    calls: list[Leg] = field(default_factory=list)
    """The callers' legs, in the order in which they were placed."""

    async def call(self, talk: Callable[[Line, int], Any]) -> Leg:
        """Place a call. `talk` gets the telephone and the byte of this caller's voice."""
        byte = FIRST_CALLER_BYTE + len(self.calls) % MOST_CALLS

        async def script(line: Line) -> None:
            await talk(line, byte)

        leg = await self.carrier.place_call(from_=CALLER, to=LINE, script=script)
        self.calls.append(leg)
        return leg

    async def session_of(self, byte: int, seconds: float = 10.0) -> Session:
        """Return the newest model session that has heard a caller's voice."""
        found: list[Session] = []

        def look() -> bool:
            for session in reversed(self.model.server.sessions):
                if session.open and samples(self.model.heard[session], byte) >= 400:
                    found.append(session)
                    return True
            return False

        await eventually(look, seconds, f"a model session hears the caller {byte:#x}")
        return found[-1]

    async def owners(self) -> dict[int, int]:
        """Return how many live calls each running node has."""
        return {node.number: await node.live() for node in self.nodes if node.is_running}

    async def records(self, seconds: float = 30.0) -> list[CallRecord]:
        """Return the records of all calls so far, when every one of them is stored."""
        wanted = {leg.sid for leg in self.calls}
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(Exception):
                    # PostgreSQL may be down.
                    if await self.store.stored(wanted) == wanted:
                        break
                await asyncio.sleep(0.2)
        found = [await self.store.get(leg.sid) for leg in self.calls]
        return [each for each in found if each is not None]

    def redis_use(self) -> RedisUse:
        """Return what Redis has done since it was started."""
        with contextlib.closing(Redis(port=self.redis.port)) as client:
            totals: dict[str, int] = client.info("stats")
            kinds: dict[str, dict[str, int]] = client.info("commandstats")
            used: dict[str, float] = client.info("cpu")
        scripts = sum(
            kinds.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha")
        )
        return RedisUse(
            scripts,
            totals["total_commands_processed"],
            totals["total_net_input_bytes"],
            totals["total_net_output_bytes"],
            1000 * (used["used_cpu_user"] + used["used_cpu_sys"]),
        )

    def balancer_seconds(self) -> float:
        """Return the processor time that the balancer has used. Source: proc(5)."""
        fields = Path(f"/proc/{self.balancer.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def written_by_postgres(self) -> int:
        """Return the bytes of PostgreSQL's log of changes (WAL) so far."""
        connection = await asyncpg.connect(host=str(self.postgres.folder), user="postgres")
        try:
            return int(await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'"))
        finally:
            await connection.close()

    def redis_bytes(self, call_sids: Sequence[str]) -> int:
        """Return the memory in Redis of a call's keys, on average."""
        with contextlib.closing(Redis(port=self.redis.port)) as client:
            keys = [key for key in client.scan_iter(count=1000) if _names(key, call_sids)]
            return round(sum(client.memory_usage(key) or 0 for key in keys) / len(call_sids))

    def faults(self) -> list[str]:
        """Return what nodes have logged that must never happen."""
        return [
            f"node {node.number}: {line}"
            for node in self.nodes
            for line in node.said
            if "Traceback" in line or " ERROR " in line or " CRITICAL " in line
        ]


def _say(item: str, ms: int, byte: int) -> dict[str, Any]:
    return {"say": {"item": item, "ms": ms, "byte": byte, "rate": 4, "text": item}}


def _script_model(model: ScriptedModel) -> None:
    def on(text: str, *steps: dict[str, Any]) -> None:
        model.on(
            "response.create", steps, where={"response": {"instructions": {"$contains": text}}}
        )

    on("just begun", _say("hello", 800, GREETING))
    on("interrupted", _say("back", 900, BACK))
    on("could not reach", _say("sorry", 900, SORRY))
    on("has taken the call", _say("closing", 600, CLOSING))
    on("connected to", _say("closing", 600, CLOSING))
    connect = {"call_tool": {"name": "connect_caller", "arguments": {}}}
    on("A human has picked up", _say("briefing", 600, BRIEFING), connect)
    model.on("response.create", [_say("company", 500, COMPANY)])


async def _talk(line: Line) -> None:
    await line.connected()
    await line.play(bytes([HUMAN]) * 8000)
    await line.pause(1.0)
    await line.hang_up()


async def _consulted(line: Line) -> None:
    await line.wait_for("joined")
    await _talk(line)


def _set_humans(carrier: StandinCarrier) -> None:
    carrier.humans[DESK] = Human(0.5, _talk)
    carrier.humans[OFFICE] = Human.accepts(0.5, then=_talk)
    carrier.humans[LAWYER] = Human(0.5, _consulted)
    carrier.humans[NOBODY] = Human.busy()
    carrier.humans[SUPPORT] = Human(0.2, _talk)


@contextlib.contextmanager
def _balancer(port: int, nodes: Sequence[Node], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    addresses = {f"HOOKFLASH_NODE_{node.number}": f"127.0.0.1:{node.port}" for node in nodes}
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-db", "-f", str(ROOT / "deploy" / "haproxy.cfg")],
            env={**os.environ, **addresses, "HOOKFLASH_BIND": f"127.0.0.1:{port}"},
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def open_rig(*, nodes: int = 3, media_frame_ms: int = 40) -> AsyncIterator[Rig]:
    """Start everything, and end it afterwards. The nodes' logs stay in `Rig.nodes`."""
    folder = Path(tempfile.mkdtemp(prefix="hookflash-rig-"))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis_server = stack.enter_context(RedisServer(folder))
        postgres = stack.enter_context(PostgresServer())
        store = await open_store(postgres.url())
        stack.push_async_callback(store.close)
        model = await stack.enter_async_context(ScriptedModel())
        carrier = await stack.enter_async_context(
            StandinCarrier(media_frame_ms=media_frame_ms, calls_per_second=100.0)
        )
        environ = {
            "HOOKFLASH_PUBLIC_URL": PUBLIC,
            "HOOKFLASH_CLUSTER_URL": redis_server.url,
            "HOOKFLASH_CLUSTER_SECRET": "a secret of these nodes",
            "HOOKFLASH_NODE_HOST": "127.0.0.1",
            "HOOKFLASH_DATABASE_URL": postgres.url(),
            "HOOKFLASH_FILES_URL": (folder / "files").as_uri(),
            "HOOKFLASH_TRUSTED_PROXIES": "127.0.0.1",
            "HOOKFLASH_METRICS_TOKEN": METRICS_TOKEN,
            "HOOKFLASH_DRAIN_SECONDS": str(DRAIN_SECONDS),
            "HOOKFLASH_SPEECH_URL": "off",
            "HOOKFLASH_MAX_CALL_SECONDS": "0",
            "HOOKFLASH_RECORD": "off",
            "TWILIO_ACCOUNT_SID": carrier.account_sid,
            "TWILIO_AUTH_TOKEN": carrier.auth_token,
            "HOOKFLASH_TWILIO_API_URL": carrier.api_url,
            "HOOKFLASH_MODEL_URL": model.url,
            "OPENAI_API_KEY": "any",
        }
        made = [Node(number, folder / f"node{number}", environ) for number in range(1, nodes + 1)]
        for node in made:
            stack.push_async_callback(node.kill)
        await asyncio.gather(*(node.start() for node in made))
        port = free_port()
        balancer = stack.enter_context(_balancer(port, made, folder))
        async with asyncio.timeout(20), httpx.AsyncClient() as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    # A signed webhook is missing its signature: a node answers, not the balancer.
                    found = await client.post(f"http://127.0.0.1:{port}/twilio/voice")
                    if found.status_code == 403:
                        break
                await asyncio.sleep(0.05)
        carrier.tunnel[PUBLIC] = f"http://127.0.0.1:{port}"
        carrier.numbers[LINE] = NumberConfig(
            f"{PUBLIC}/twilio/voice",
            fallback_url=f"{PUBLIC}/twilio/voice",
            status_callback=f"{PUBLIC}/twilio/status",
        )
        _script_model(model)
        _set_humans(carrier)
        rig = Rig(folder, made, redis_server, postgres, carrier, model, store, balancer)
        yield rig
        for leg in carrier.calls:
            leg.end("completed", by="rig")
        await asyncio.gather(*(leg.ended() for leg in carrier.calls))
        await carrier.callbacks_sent()
