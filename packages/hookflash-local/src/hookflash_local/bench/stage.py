"""Calls on a relay under test: placed, held while a window is measured, ended.

    async with Rig(programs).hookflash() as stage:
        await stage.place(50)
        window = await stage.measure(5)

The relay has one core and the load generator another, where there are two; only the relay's time
is counted. What the generator itself uses is told too: near a whole core it is the limit.
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
    Seat,
    alone,
    busy_seconds,
    cores,
    cpu_seconds,
    resident_bytes,
)
from hookflash_local.bench.programs import BenchError, Load, Programs
from hookflash_local.bench.relays import Relay

SETTLE_SECONDS = 1.5
"""How long calls go on before anything of them is measured."""


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """How long pieces took through the relay, in ms; `lost` never came out."""

    count: int
    sent: int
    lost: int
    mean: float
    p50: float
    p99: float
    p999: float
    max: float


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured over `seconds` of `calls` calls.

    `up` is from the carrier to the model, `down` back, `barge_in` from `speech_started` to
    `clear`. `ledger` is by how much what the model was told of a turn that was cut differs from
    what the ear got; `sent` there are the turns that were cut. The `odd_` ones are of calls that a
    fault was put into. `late` is how much later than due the generator itself was. `cpu_ms` is of
    the relay, for a second of a call.
    `foreign_share` is what others have used of all our cores meanwhile (1 is a whole core): a
    relay that has to wait for its core does several pieces at once and seems cheaper.
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
        """The slower direction's."""
        return max(self.up.p99, self.down.p99)

    def check(self) -> Window:
        """Return it, or raise `BenchError` if the relay did not do its work."""
        if self.unreadable:
            raise BenchError(f"{self.unreadable} messages of the relay could not be read")
        for name, delay in (("up", self.up), ("down", self.down)):
            if delay.sent and delay.count < 0.9 * delay.sent:
                raise BenchError(
                    f"{name}: {delay.sent} pieces of sound went in, {delay.count} came out"
                )
        return self


class Stage:
    """A relay, a load generator and the calls between them."""

    def __init__(self, relay: Relay, load: Load) -> None:
        self.relay = relay
        self.load = load
        self.started_ms: list[float] = []
        """From the voice webhook to the first sound of the agent, for each call."""
        self.live: list[str] = []
        self._placed = 0
        load.order("relay", relay.port)

    async def place(self, calls: int) -> None:
        """Add calls, one after another, each until its agent is heard."""
        for _ in range(calls):
            self._placed += 1
            call_sid = f"CA{self._placed:032x}"
            posted = relays.posted_at()
            stream = await self.relay.arrive(call_sid)
            speaking = self.load.expect("speaking", call_sid)
            self.load.order("call", call_sid, *stream, posted)
            self.started_ms.append((await speaking)["ms"])
            self.live.append(call_sid)

    async def end(self, calls: int | None = None) -> None:
        """End the oldest `calls` calls, or all: the callers hang up."""
        ending, self.live = self.live[:calls], self.live[len(self.live[:calls]) :]
        for call_sid in ending:
            ended = self.load.expect("ended", call_sid)
            self.load.order("end", call_sid)
            await ended
            await self.relay.completed(call_sid)

    async def measure(self, seconds: float, *, settle: float = SETTLE_SECONDS) -> Window:
        """Measure what is going on, for `seconds`, after it had time to settle."""
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
        """Return the seconds used by the relay, by the load, and of each core by anybody."""
        return [
            cpu_seconds(self.relay.pid),
            cpu_seconds(self.load.pid),
            *map(busy_seconds, cores()),
        ]

    @property
    def resident_bytes(self) -> int:
        """The relay's memory of now."""
        return resident_bytes(self.relay.pid)


@dataclass(frozen=True)
class Rig:
    """Sets relays up to be measured, each on a stage of its own.

    The relay and the generator have a core each, where there is more than one; several workers
    have all cores, and share one with the generator. `certificate` (and key) are for TLS on the
    model's side. `realtime` lets both go before whatever else the machine is doing; `alone` has
    them wait for other measurements on this machine.
    """

    programs: Programs
    certificate: tuple[Path, Path] | None = None
    realtime: bool = False
    alone: bool = False

    @contextlib.asynccontextmanager
    async def reference(self, *, tls: bool = False) -> AsyncIterator[Stage]:
        """Yield the bare relay in C."""
        async with self._load(tls) as load:
            async with relays.reference(
                self.programs.relay, load.model_port, seat=self._seat(1), tls=tls
            ) as relay:
                yield Stage(relay, load)

    @contextlib.asynccontextmanager
    async def hookflash(
        self, *, tls: bool = False, workers: int = 1, environ: Mapping[str, str] | None = None
    ) -> AsyncIterator[Stage]:
        """Yield `hookflash serve`, everything on; `environ` is added to its environment."""
        async with self._load(tls) as load:
            async with relays.line(
                load.model_port,
                seat=self._seat(workers),
                workers=workers,
                trusted=self.certificate[0] if tls and self.certificate else None,
                environ=environ,
            ) as relay:
                yield Stage(relay, load)

    @contextlib.asynccontextmanager
    async def _load(self, tls: bool) -> AsyncIterator[Load]:
        async with alone() if self.alone else contextlib.nullcontext():
            load = await Load.start(
                self.programs.load,
                seat=Seat(tuple(cores()[-1:]), self.realtime),
                certificate=self.certificate if tls else None,
            )
            try:
                yield load
            finally:
                await load.stop()

    def _seat(self, workers: int) -> Seat:
        mine = tuple(cores())
        return Seat(mine[:1] if workers == 1 else mine, self.realtime)
