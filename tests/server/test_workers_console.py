"""A console sees and reaches every worker's calls: several workers in one loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hookflash.cluster.claims import Claims, ClaimThread
from hookflash.cluster.worker_sockets import WorkerSockets
from hookflash.console.live_calls import LiveCalls
from hookflash.core.call import Call
from hookflash.core.events import AnyEvent, CallArrived, HandoffRequested, HintGiven
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.setup import CallSetup
from hookflash.server.carrier_answers import Question
from hookflash.server.metrics import Counts
from hookflash.server.workers import Workers

pytestmark = pytest.mark.usefixtures("virtual_workers")

NOW = 1_790_000_000.0


@dataclass
class Driven:
    call: Call


class Bureau:
    """A worker whose calls are real, and driven by hand; `showing`: consoles are told of them."""

    def __init__(self, name: str, folder: Path, *, showing: bool = True) -> None:
        worker_sockets = WorkerSockets(folder, public_url="https://line.example.com")
        self.draining = False
        self.calls: dict[str, Driven] = {}
        self.claims = ClaimThread(Claims(worker_sockets.claims, name))
        self.live_calls = LiveCalls(self.calls.get, lambda: NOW)
        self.workers = Workers(
            name,
            worker_sockets,
            local_answerer=self,
            calls=self,
            claims=self.claims,
            counts=Counts,
            live_calls=self.live_calls if showing else None,
        )

    @property
    def live(self) -> list[str]:
        return list(self.calls)

    def has(self, call_sid: str) -> bool:
        return call_sid in self.calls

    def arrive(self, call_sid: str) -> None:
        self.calls[call_sid] = Driven(Call(CallSetup(agent="shop")))
        self._happen(call_sid, CallArrived(call_sid, "+15550142", "+15550100"))

    async def answer(self, question: Question) -> str:
        raise AssertionError("no carrier asks here")

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        self._happen(call_sid, event)
        return True

    def _happen(self, call_sid: str, event: AnyEvent) -> None:
        commands = self.calls[call_sid].call.receive(event, NOW)
        self.live_calls.watch(call_sid, event, commands)


@contextlib.asynccontextmanager
async def bureaus(folder: Path, *showing: bool) -> AsyncIterator[list[Bureau]]:
    async with contextlib.AsyncExitStack() as stack:
        made = [
            Bureau(f"w{number}", folder, showing=each)
            for number, each in enumerate(showing, start=1)
        ]
        for each in made:
            stack.enter_context(each.claims)
            await stack.enter_async_context(each.workers.serving_peers(lambda *_: None))
        for each in made:
            await each.workers._peers.refresh()
        yield made


async def test_a_console_is_told_of_every_workers_calls(tmp_path: Path) -> None:
    async with bureaus(tmp_path, True, True) as (one, two):
        one.arrive("CA1")
        two.arrive("CA2")
        assert list(one.workers.processes()) == ["w1", "w2"]
        for name, sid in (("w1", "CA1"), ("w2", "CA2")):
            first = await one.workers.next_report(name, "", 0, seconds=5)
            assert first is not None and first.whole
            assert [entry.call_sid for entry in first.calls] == [sid]
            nothing = await one.workers.next_report(name, first.epoch, first.version, seconds=20)
            assert nothing is not None and not nothing.calls and not nothing.whole


async def test_a_console_looks_at_a_call_wherever_it_is(tmp_path: Path) -> None:
    async with bureaus(tmp_path, True, True) as (one, two):
        one.arrive("CA1")
        two.arrive("CA2")
        for sid in ("CA1", "CA2"):
            detail = await one.workers.look_at(sid)
            assert detail is not None and detail.entry.call_sid == sid
            assert [stage.name for stage in detail.parts.stages] == ["answering"]
        assert await one.workers.look_at("CA404") is None
        del two.calls["CA2"]
        assert await one.workers.look_at("CA2") is None
        one.arrive("CA2")
        assert await two.workers.look_at("CA2") is not None


async def test_a_worker_that_does_not_greet_is_silent_until_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bureaus(tmp_path, True, True) as (one, two):
        two.arrive("CA2")
        assert one.workers.silent() == ()
        with monkeypatch.context() as patched:
            patched.setattr(two.workers, "_load", lambda: 1 / 0)
            await one.workers._peers.refresh()
            assert one.workers.silent() == ("w2",)
            assert list(one.workers.processes()) == ["w1"]
        await one.workers._peers.refresh()
        assert one.workers.silent() == ()
        assert list(one.workers.processes()) == ["w1", "w2"]


async def test_an_action_reaches_the_call_wherever_it_is(tmp_path: Path) -> None:
    async with bureaus(tmp_path, True, True) as (one, two):
        two.arrive("CA2")
        plan = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm")
        for event in (
            HintGiven("a regular", "anna"),
            HandoffRequested("anna", "mine", source="console", plan=plan, by="anna"),
        ):
            assert await one.workers.take("CA2", event)
            assert not await one.workers.take("CA404", event)
        detail = await one.workers.look_at("CA2")
        assert detail is not None
        assert [action.kind for action in detail.parts.actions] == ["hint", "handoff"]


async def test_a_worker_without_a_console_has_nothing_to_show(tmp_path: Path) -> None:
    async with bureaus(tmp_path, True, False) as (one, two):
        two.arrive("CA2")
        report = await one.workers.next_report("w2", "", 0, seconds=20)
        assert report is not None and report.whole and not report.calls
        assert await one.workers.look_at("CA2") is None


async def test_a_worker_that_is_gone_or_silent_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bureaus(tmp_path, True, True) as (one, two):
        two.arrive("CA2")
        assert await one.workers.next_report("w9-gone", "", 0, seconds=0.1) is None

        async def hang(*_: object, **__: object) -> None:
            await asyncio.sleep(3600)

        assert await one.workers.look_at("CA2") is not None
        monkeypatch.setattr(two.live_calls, "next_report", hang)
        monkeypatch.setattr(two.live_calls, "detail", hang)
        assert await one.workers.next_report("w2", "", 0, seconds=20) is None
        assert await one.workers.look_at("CA2") is None
