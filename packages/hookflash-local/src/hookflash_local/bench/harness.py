"""Place calls on a relay under test, measure them, and end them.

    async with Harness(programs).hookflash() as loaded:
        await loaded.place(50)
        window = await loaded.measure(5)

The relay and the load generator have one core each, if there are two. Only the relay's CPU time
counts. The generator's share is reported too: near a whole core it is the limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hookflash_local.bench import relays
from hookflash_local.bench.processes import (
    Placement,
    busy_seconds,
    cores,
    cpu_seconds,
    exclusive_lock,
    resident_bytes,
)
from hookflash_local.bench.programs import BenchError, LoadGenerator, Programs
from hookflash_local.bench.relays import Relay

SETTLE_SECONDS = 1.5
"""How long calls run before they are measured."""

STEADY, BURSTS = LOADS = ("steady", "bursts")
"""The loads of the load generator: `load.c` describes them."""


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """The delay of audio messages through the relay, in ms. `lost` messages never came out."""

    count: int
    sent: int
    lost: int
    mean: float
    p50: float
    p99: float
    p999: float
    max: float


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """The measurement of `calls` calls over `seconds`.

    `up` is from carrier to model, `down` from model to carrier, `barge_in` from `speech_started` to
    `clear`. `ledger` is the error of what the model was told of each cut turn; its `sent` counts
    the cut turns. The `odd_` fields are of calls with an injected fault. `late` is how late the
    generator itself was. `cpu_ms` is the relay's CPU time per second of a call.

    Shares are in cores (1 is a whole core). `foreign_share` is what other processes used of the
    measured cores. A relay that waits for its core handles several messages at once, so it seems
    cheaper.
    """

    calls: int
    seconds: float
    cpu_ms: float
    cpu_share: float
    load_share: float
    foreign_share: float
    up: Delay
    down: Delay
    barge_in: Delay
    odd_up: Delay
    odd_down: Delay
    odd_barge_in: Delay
    ledger: Delay
    odd_ledger: Delay
    late: Delay
    unreadable: int
    skipped: int

    @property
    def p99(self) -> float:
        """The 99th percentile of the slower direction, in ms."""
        return max(self.up.p99, self.down.p99)

    def check(self) -> Window:
        """Return itself, or raise `BenchError` if messages were unreadable or missing."""
        if self.unreadable:
            raise BenchError(
                f"expected valid messages from the relay, got {self.unreadable} invalid"
            )
        for name, delay in (("up", self.up), ("down", self.down)):
            if delay.sent and delay.count < 0.9 * delay.sent:
                raise BenchError(
                    f"{name}: expected at least 90 % of the {delay.sent} audio messages sent,"
                    f" got {delay.count}"
                )
        return self


class LoadedRelay:
    """A relay, a load generator and the calls between them."""

    def __init__(self, relay: Relay, load: LoadGenerator, speech: str = STEADY) -> None:
        self.relay = relay
        self.load = load
        self.started_ms: list[float] = []
        """From the voice webhook to the agent's first audio, for each call."""
        self.live: list[str] = []
        self._placed = 0
        load.order("load", speech)
        load.order("relay", relay.port)

    async def place(self, calls: int) -> None:
        """Place calls one after another; each waits until its agent is heard."""
        for _ in range(calls):
            self._placed += 1
            call_sid = f"CA{self._placed:032x}"
            posted = relays.monotonic_ns()
            stream = await self.relay.arrive(call_sid)
            speaking = self.load.expect("speaking", call_sid)
            self.load.order("call", call_sid, *stream, posted)
            self.started_ms.append((await speaking)["ms"])
            self.live.append(call_sid)

    async def end(self, calls: int | None = None) -> None:
        """End the oldest `calls` calls, or all of them: their callers hang up."""
        ending, self.live = self.live[:calls], self.live[len(self.live[:calls]) :]
        for call_sid in ending:
            ended = self.load.expect("ended", call_sid)
            self.load.order("end", call_sid)
            await ended
            await self.relay.completed(call_sid)

    async def measure(self, seconds: float, *, settle: float = SETTLE_SECONDS) -> Window:
        """Measure the live calls for `seconds`, after `settle` seconds."""
        await asyncio.sleep(settle)
        measured = self.load.expect("measured", seconds=seconds + 20)
        before, began = self._used(), time.monotonic()
        self.load.order("measure", seconds)
        said = await measured
        took = time.monotonic() - began
        relay, load, *busy = (
            (now - was) / took for now, was in zip(self._used(), before, strict=True)
        )
        foreign = sum(busy) - relay - load
        said |= {
            "cpu_ms": 1000 * relay / max(1, said["calls"]),
            "cpu_share": relay,
            "load_share": load,
            "foreign_share": max(0.0, foreign),
        }
        return msgspec.convert(said, Window)

    def _used(self) -> list[float]:
        """Return CPU seconds used by the relay, by the load generator, and on each core by all."""
        return [
            cpu_seconds(self.relay.pid),
            cpu_seconds(self.load.pid),
            *map(busy_seconds, cores()),
        ]

    @property
    def resident_bytes(self) -> int:
        """The relay's resident memory."""
        return resident_bytes(self.relay.pid)


@dataclass(frozen=True)
class Harness:
    """Starts relays to measure, each with its own load generator.

    The relay and the generator have one core each, if there are two. Several workers use all cores
    and share one with the generator. `certificate` (and key) are for TLS on the model side.
    `realtime` gives both real-time priority. `exclusive` waits for other benchmarks. `load` is one
    of `LOADS`.
    """

    programs: Programs
    certificate: tuple[Path, Path] | None = None
    realtime: bool = False
    exclusive: bool = False
    load: str = STEADY

    @contextlib.asynccontextmanager
    async def reference(self, *, tls: bool = False) -> AsyncIterator[LoadedRelay]:
        """Start the bare relay in C."""
        async with self._load(tls) as load:
            async with relays.reference(
                self.programs.relay, load.model_port, placement=self._placement(1), tls=tls
            ) as relay:
                yield LoadedRelay(relay, load, self.load)

    @contextlib.asynccontextmanager
    async def minimal(self, *, tls: bool = False) -> AsyncIterator[LoadedRelay]:
        """Start the minimal relay in Python."""
        async with self._load(tls) as load:
            async with relays.minimal(
                load.model_port, placement=self._placement(1), tls=tls
            ) as relay:
                yield LoadedRelay(relay, load, self.load)

    @contextlib.asynccontextmanager
    async def hookflash(
        self, *, tls: bool = False, workers: int = 1, environ: Mapping[str, str] | None = None
    ) -> AsyncIterator[LoadedRelay]:
        """Start `hookflash serve` with all features on; `environ` is added to its environment."""
        async with self._load(tls) as load:
            async with relays.served(
                load.model_port,
                placement=self._placement(workers),
                workers=workers,
                trusted=self.certificate[0] if tls and self.certificate else None,
                environ=environ,
            ) as relay:
                yield LoadedRelay(relay, load, self.load)

    @contextlib.asynccontextmanager
    async def _load(self, tls: bool) -> AsyncIterator[LoadGenerator]:
        async with exclusive_lock() if self.exclusive else contextlib.nullcontext():
            load = await LoadGenerator.start(
                self.programs.load,
                placement=Placement(tuple(cores()[-1:]), self.realtime),
                certificate=self.certificate if tls else None,
            )
            try:
                yield load
            finally:
                await load.stop()

    def _placement(self, workers: int) -> Placement:
        mine = tuple(cores())
        return Placement(mine[:1] if workers == 1 else mine, self.realtime)
