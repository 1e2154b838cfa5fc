"""What several nodes must survive. Each scenario plays calls on a `Rig` and returns its figures.

A scenario fails with an `AssertionError` if a caller was dropped, a call was forgotten, or a record
is missing. How long things took is a figure, except where the product promises a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tests.cluster.rig import (
    ANSWER,
    BACK,
    GREETING,
    HUMAN,
    SORRY,
    SUPPORT,
    Rig,
    eventually,
    first_at,
    samples,
)

from hookflash_local.carrier import Leg, Line
from hookflash_local.model.script_run import Unmet

Figures = dict[str, Any]
_ITEMS = itertools.count(1)
MANNERS = ("cold", "warm", "consult", "queue", "nobody")


async def greeted(line: Line) -> None:
    await line.wait_for_sound()
    await line.wait_for_silence(0.6)


async def speak(line: Line, byte: int) -> None:
    """Say half a second in the caller's own voice, by which the model's session is found."""
    await line.play(bytes([byte]) * 4000)


async def place(
    rig: Rig, number: int, talk: Callable[[Line, int], Awaitable[None]], *, apart: float = 0.05
) -> list[Leg]:
    """Place calls, `apart` seconds from one another."""
    legs = []
    for _ in range(number):
        legs.append(await rig.call(talk))
        await asyncio.sleep(apart)
    return legs


class Talking:
    """Callers who are greeted, say something that the model remembers, and stay until told."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.known: list[tuple[Leg, int]] = []
        self._leave = asyncio.Event()

    async def talk(self, line: Line, byte: int) -> None:
        await greeted(line)
        await speak(line, byte)
        session = await self._rig.session_of(byte)
        await self._rig.model.perform(
            [{"hears": {"text": f"my number is {byte}", "ms": 300}}], session=session
        )
        self.known.append((line.leg, byte))
        await self._leave.wait()
        await line.hang_up()

    async def begin(self, number: int) -> list[Leg]:
        legs = await place(self._rig, number, self.talk)
        await eventually(lambda: len(self.known) >= number, 60, "every caller is greeted")
        return legs

    async def leave(self) -> None:
        self._leave.set()
        await asyncio.gather(*(leg.ended() for leg, _ in self.known))

    def ended(self) -> list[int]:
        """Return the voices of the callers who are not on the line any more."""
        return [byte for leg, byte in self.known if leg.status != "in-progress"]


async def answered(rig: Rig, leg: Leg, byte: int, seconds: float = 15.0) -> float:
    """Let the caller speak and the model answer. Return the seconds until the answer is heard.

    The model may just be saying something of its own, such as whether the caller is still there.
    Then the caller speaks again.
    """
    loop = asyncio.get_running_loop()
    line = Line(leg, rig.carrier.exchange.settings.speak)
    before = samples(leg.recording().heard, ANSWER)
    end = loop.time() + seconds
    while True:
        began = loop.time()
        await speak(line, byte)
        session = await rig.session_of(byte)
        steps = [
            {"hears": {"text": "are you there", "ms": 300, "respond": True}},
            {"say": {"item": f"answer{next(_ITEMS)}", "ms": 400, "byte": ANSWER, "rate": 4}},
        ]
        with contextlib.suppress(Unmet):
            await rig.model.perform(steps, session=session)
        while loop.time() < min(began + 4.0, end):
            if samples(leg.recording().heard, ANSWER) >= before + 2400:
                return loop.time() - began
            await asyncio.sleep(0.02)
        assert loop.time() < end, f"the caller {byte:#x} hears no answer within {seconds:g} s"


def gaps(legs: Iterable[Leg]) -> list[float]:
    """Return for each stream that ended in a call the seconds until the next one was open."""
    found = []
    for leg in legs:
        stopped = leg.timeline.find("stream-stopped", leg.sid)
        started = leg.timeline.find("stream-started", leg.sid)[1:]
        found += [later.at - earlier.at for earlier, later in zip(stopped, started, strict=False)]
    return found


def knows(rig: Rig, byte: int) -> bool:
    """Return whether a later model session was told what this caller had said before."""
    told = [
        part.get("text", "")
        for event in rig.model.received.events
        if event["type"] == "conversation.item.create"
        for part in event["item"].get("content", ())
    ]
    return any(f"my number is {byte}" in text for text in told)


def spread(before: dict[int, int]) -> str:
    return " ".join(f"{number}:{live}" for number, live in sorted(before.items()))


# --- the scenarios --------------------------------------------------------------------------------


async def hand_offs(rig: Rig, calls: int = 30) -> Figures:
    """Calls at once, with hand-offs of each manner, whose webhooks land on any node."""
    queued: set[str] = set()

    async def take_from_queue() -> None:
        while True:
            await asyncio.sleep(0.2)
            for leg in rig.calls:
                if leg.sid not in queued and leg.timeline.find("queued", leg.sid):
                    queued.add(leg.sid)
                    await rig.carrier.take_from_queue("support", SUPPORT)

    async def talk(line: Line, byte: int) -> None:
        await greeted(line)
        await speak(line, byte)
        session = await rig.session_of(byte)
        manner = MANNERS[(byte - 0xA0) % len(MANNERS)]
        arguments = {"destination": manner, "reason": "a person", "summary": "A bicycle."}
        await rig.model.perform(
            [
                {"hears": {"text": "a person please", "ms": 300, "respond": True}},
                {"call_tool": {"name": "transfer_to_human", "arguments": arguments}},
            ],
            session=session,
        )
        if manner == "nobody":
            while samples(line.heard, SORRY) < 4000:
                await line.pause(0.2)
            await line.hang_up()
        await line.leg.ended()

    taking = asyncio.create_task(take_from_queue())
    try:
        legs = await place(rig, calls, talk)
        async with asyncio.timeout(120):
            await asyncio.gather(*(leg.ended() for leg in legs))
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)
    records = {record.call_sid: record for record in await rig.records()}
    outcomes: Counter[str] = Counter()
    for number, leg in enumerate(legs):
        manner = MANNERS[number % len(MANNERS)]
        record = records[leg.sid]
        heard = leg.recording().heard
        outcomes[f"{manner}: {', '.join(each.outcome for each in record.handoffs)}"] += 1
        if manner == "nobody":
            assert record.disposition == "handled_by_agent", (manner, record)
        else:
            assert record.disposition == "handed_off", (manner, record)
            assert samples(heard, HUMAN) >= 7000, (manner, samples(heard, HUMAN))
    forwarded = {node.number: await node.metrics() for node in rig.nodes}
    return {
        "calls": calls,
        "outcomes": dict(outcomes),
        "webhooks": len(rig.carrier.requests),
        "forwarded": {
            number: round(found.get(("hookflash_webhooks_forwarded_total", ""), 0))
            for number, found in forwarded.items()
        },
        "alerts": len(rig.carrier.alerts.entries),
    }


async def killed(rig: Rig, calls: int = 30) -> Figures:
    """kill -9 of the node with the most calls: each goes on elsewhere and is remembered."""
    talking = Talking(rig)
    legs = await talking.begin(calls)
    before = await rig.owners()
    victim = max(rig.nodes, key=lambda node: before[node.number])
    heard_before = {leg.sid: len(leg.recording().heard) for leg in legs}
    loop = asyncio.get_running_loop()
    at = loop.time()
    victim.send(signal.SIGKILL)
    await victim.ended()
    moved = before[victim.number]
    back: dict[int, float] = {}

    def count() -> bool:
        for leg, byte in talking.known:
            if byte not in back and samples(leg.recording().heard, BACK) >= 800:
                back[byte] = loop.time() - at
        return len(back) >= moved

    await eventually(count, 30, f"{moved} callers hear the agent again")
    assert talking.ended() == [], "callers were dropped"
    silent = {}
    for leg, byte in talking.known:
        if byte in back:
            start = first_at(leg.recording().heard, BACK, heard_before[leg.sid])
            assert start is not None
            silent[byte] = (start - heard_before[leg.sid]) / 8000
    for byte in back:
        assert knows(rig, byte), f"what the caller {byte:#x} said is forgotten"
    answers = await asyncio.gather(*(answered(rig, leg, byte) for leg, byte in talking.known))
    after = await rig.owners()
    await talking.leave()
    await rig.records()
    await victim.start()
    return {
        "calls": spread(before),
        "killed": f"node {victim.number} with {moved} calls",
        "afterwards": spread(after),
        "next stream after s": _range(gaps(leg for leg, byte in talking.known if byte in back)),
        "heard again after s": _range(silent.values()),
        "answered again within s": _range(answers),
    }


async def stopped(rig: Rig, calls: int = 12, seconds: float = 30.0) -> Figures:
    """SIGSTOP of a node: its calls go on elsewhere, and when it wakes up it changes nothing."""
    talking = Talking(rig)
    await talking.begin(calls)
    before = await rig.owners()
    victim = max(rig.nodes, key=lambda node: before[node.number])
    loop = asyncio.get_running_loop()
    at = loop.time()
    victim.send(signal.SIGSTOP)
    moved = before[victim.number]
    back: dict[int, float] = {}

    def count() -> bool:
        for leg, byte in talking.known:
            if byte not in back and samples(leg.recording().heard, BACK) >= 800:
                back[byte] = loop.time() - at
        return len(back) >= moved

    try:
        await eventually(count, seconds, f"{moved} callers of the stopped node go on elsewhere")
        await asyncio.sleep(max(0.0, at + seconds - loop.time()))
    finally:
        victim.send(signal.SIGCONT)
    # It wakes up, and must not act for its former calls.
    await asyncio.sleep(3.0)
    assert talking.ended() == [], "callers were dropped"
    answers = await asyncio.gather(*(answered(rig, leg, byte) for leg, byte in talking.known))
    assert await victim.live() == 0, "the node that woke up still has calls"
    await talking.leave()
    records = await rig.records()
    assert {record.disposition for record in records} <= {"handled_by_agent", "handed_off"}
    return {
        "calls": spread(before),
        "stopped": f"node {victim.number} with {moved} calls for {seconds:g} s",
        "next stream after s": _range(gaps(leg for leg, byte in talking.known if byte in back)),
        "heard again after s": _range(back.values()),
        "answered afterwards within s": _range(answers),
    }


async def without_redis(rig: Rig, calls: int = 12, seconds: float = 20.0) -> Figures:
    """Redis is gone for a while: no live call notices, and new calls are answered."""
    talking = Talking(rig)
    await talking.begin(calls)
    before = await rig.owners()
    loop = asyncio.get_running_loop()
    rig.redis.stop()
    at = loop.time()
    try:
        await asyncio.sleep(2.0)
        during = [await answered(rig, leg, byte) for leg, byte in talking.known[:6]]
        newcomer = Talking(rig)
        (new,) = await newcomer.begin(1)
        assert samples(new.recording().heard, GREETING) == 800 * 8
        for node in rig.nodes:
            await node.metrics()
        await asyncio.sleep(max(0.0, at + seconds - loop.time()))
    finally:
        rig.redis.start()
    await asyncio.sleep(5.0)
    assert talking.ended() == newcomer.ended() == [], "callers were dropped"
    after = await asyncio.gather(*(answered(rig, leg, byte) for leg, byte in talking.known))
    legs = [leg for leg, _ in talking.known]
    assert gaps(legs) == [], "a stream of a live call ended"
    assert not any(samples(leg.recording().heard, BACK) for leg in legs), "a call was interrupted"
    await asyncio.gather(talking.leave(), newcomer.leave())
    await rig.records()
    return {
        "calls": spread(before),
        "answered meanwhile within s": _range(during),
        "answered afterwards within s": _range(after),
    }


async def without_postgres(rig: Rig, calls: int = 12, seconds: float = 20.0) -> Figures:
    """PostgreSQL is gone while calls end: every record is stored afterwards."""
    talking = Talking(rig)
    await talking.begin(calls)
    rig.postgres.stop()
    loop = asyncio.get_running_loop()
    at = loop.time()
    try:
        await answered(rig, *talking.known[0])
        await talking.leave()
        await asyncio.sleep(max(0.0, at + seconds - loop.time()))
    finally:
        rig.postgres.start()
    back = loop.time()
    records = await rig.records(150)
    return {
        "calls": calls,
        "records": len(records),
        "stored s after its return": round(loop.time() - back, 1),
    }


async def rolling_restart(rig: Rig, calls: int = 12) -> Figures:
    """Each node is stopped by SIGTERM and started again: no call is dropped."""
    talking = Talking(rig)
    await talking.begin(calls)
    before = await rig.owners()
    loop = asyncio.get_running_loop()
    seconds = []
    for node in rig.nodes:
        at = loop.time()
        node.send(signal.SIGTERM)
        assert await node.ended() == 0, node.log[-2000:]
        await node.start()
        seconds.append(loop.time() - at)
        await asyncio.sleep(1.0)
        assert talking.ended() == [], f"callers were dropped with node {node.number}"
    answers = await asyncio.gather(*(answered(rig, leg, byte) for leg, byte in talking.known))
    after = await rig.owners()
    await talking.leave()
    await rig.records()
    return {
        "calls": spread(before),
        "afterwards": spread(after),
        "restarted within s": _range(seconds),
        "answered afterwards within s": _range(answers),
        "moved": sum(samples(leg.recording().heard, BACK) > 0 for leg, _ in talking.known),
    }


async def costs(rig: Rig, calls: int = 10, seconds: float = 60.0) -> Figures:
    """What a minute of a call costs Redis, and what a call leaves: a turn every 6 s."""
    quiet = rig.redis_use()
    await asyncio.sleep(seconds / 2)
    idle = (rig.redis_use() - quiet) * (60 / (seconds / 2) / len(rig.nodes))
    talking = Talking(rig)
    await talking.begin(calls)
    loop = asyncio.get_running_loop()
    before, began, turns = rig.redis_use(), loop.time(), 0
    balanced = rig.balancer_seconds()
    while loop.time() < began + seconds:
        at = loop.time()
        await asyncio.gather(*(answered(rig, leg, byte) for leg, byte in talking.known))
        turns += calls
        await asyncio.sleep(max(0.0, at + 6.0 - loop.time()))
    minutes = (loop.time() - began) / 60
    # Without what the nodes need by themselves.
    used = (rig.redis_use() - before - idle * (minutes * len(rig.nodes))) * (1 / minutes / calls)
    balanced = (rig.balancer_seconds() - balanced) / (minutes * 60) / calls
    memory = rig.redis_bytes([leg.sid for leg, _ in talking.known])
    written = await rig.written_by_postgres()
    await talking.leave()
    await rig.records()
    written = await rig.written_by_postgres() - written
    return {
        "calls": calls,
        "turns a call-minute": round(turns / minutes / calls, 1),
        "Redis, a node without calls, a minute": str(idle),
        "Redis, a call-minute": str(used),
        "Redis memory of a call at the end, bytes": memory,
        "HAProxy, ms for a second of a call": round(1000 * balanced, 2),
        "PostgreSQL, bytes of WAL for a call": round(written / calls),
    }


SCENARIOS: dict[str, Callable[..., Awaitable[Figures]]] = {
    "hand-offs": hand_offs,
    "killed": killed,
    "stopped": stopped,
    "without-redis": without_redis,
    "without-postgres": without_postgres,
    "rolling-restart": rolling_restart,
    "costs": costs,
}


def _range(values: Any) -> str:
    found = sorted(values)
    if not found:
        return "-"
    return f"{found[0]:.2f} to {found[-1]:.2f}, median {found[len(found) // 2]:.2f}"
