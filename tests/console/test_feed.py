"""The feed's pages: what they are told first, what then, and what after they were away."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from hookflash.console import feed as feed_module
from hookflash.console.feed import Feed, patch
from hookflash.console.feed_buffer import FeedBuffer
from hookflash.console.live_calls import Report
from hookflash.console.shapes import BargeIn, CallDetail, Line, Parts
from hookflash.core.events import AnyEvent

from .conftest import detail, entry


@dataclass
class Processes:
    """The processes of a line, which report when the test says so."""

    names: list[str] = field(default_factory=lambda: ["w1"])
    reports: dict[str, asyncio.Queue[Report | None]] = field(default_factory=dict)
    details: dict[str, CallDetail] = field(default_factory=dict)
    looks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    failing: bool = False
    mute: tuple[str, ...] = ()

    def say(self, process: str, *sids: str, gone: tuple[str, ...] = (), whole: bool = False):
        report = Report(epoch="e", version=1, calls=tuple(map(entry, sids)), gone=gone, whole=whole)
        self._queue(process).put_nowait(report)

    def lose(self, process: str) -> None:
        self._queue(process).put_nowait(None)

    def processes(self) -> Sequence[str]:
        return list(self.names)

    def silent(self) -> Sequence[str]:
        return self.mute

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        return await self._queue(process).get()

    async def look_at(self, call_sid: str) -> CallDetail | None:
        self.looks.release()
        if self.failing:
            raise RuntimeError("a bug of ours")
        return self.details.get(call_sid)

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        return False

    def _queue(self, process: str) -> asyncio.Queue[Report | None]:
        return self.reports.setdefault(process, asyncio.Queue())


class Page:
    """Reads a feed's events, one after another."""

    def __init__(self, stream: AsyncIterator[bytes]) -> None:
        self._stream = stream
        self._left: list[str] = []
        self.id = ""

    async def next(self) -> dict:
        async with asyncio.timeout(10):
            while True:
                while self._left:
                    event = self._left.pop(0)
                    if event.startswith("id: "):
                        head, name, data = event.split("\n", 2)
                        self.id = head.removeprefix("id: ")
                        told = json.loads(data.removeprefix("data: "))
                        assert told["type"] == name.removeprefix("event: ")
                        return told
                self._left += (await anext(self._stream)).decode().split("\n\n")

    async def names(self, number: int) -> list[str]:
        return [(await self.next())["type"] for _ in range(number)]


Open = Callable[..., contextlib.AbstractAsyncContextManager[Page]]


@pytest.fixture
def processes() -> Processes:
    made = Processes()
    made.say("w1", "CA1", whole=True)
    return made


@pytest.fixture
async def feed(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Feed]:
    monkeypatch.setattr(feed_module, "FOLLOW_SECONDS", 0.02)
    monkeypatch.setattr(feed_module, "OVER_SECONDS", 0.02)
    made = Feed(
        processes,
        lambda: 5.0,
        poll_seconds=0.01,
        idle_seconds=0.3,
        comment_seconds=0.05,
        make_buffer=lambda: FeedBuffer(max_events=20),
    )
    yield made
    await made.aclose()


async def always() -> bool:
    return True


@contextlib.asynccontextmanager
async def page(feed: Feed, call_sid: str = "", last_id: str = "", alive=always):
    stream = feed.stream(call_sid, last_id, alive)
    try:
        yield Page(stream)
    finally:
        await stream.aclose()


def line(number: int, text: str) -> Line:
    return Line(id=str(number), speaker="caller", text=text, started_at=float(number))


async def test_a_page_is_told_everything_and_then_what_changes(
    feed: Feed, processes: Processes
) -> None:
    async with page(feed) as one:
        first = await one.next()
        assert (first["type"], first["now"]) == ("Snapshot", 5.0)
        assert [each["call_sid"] for each in first["calls"]] == ["CA1"]
        processes.say("w1", "CA2")
        changed = await one.next()
        assert [each["call_sid"] for each in changed["calls"]] == ["CA2"]
        processes.say("w1", gone=("CA1", "CA7"))
        assert (await one.next())["gone"] == ["CA1"]


async def test_a_repeated_report_of_a_process_is_not_sent_again(
    feed: Feed, processes: Processes
) -> None:
    async with page(feed) as one:
        await one.next()
        processes.say("w1", "CA1")
        processes.say("w1", "CA1", "CA2", whole=True)
        changed = await one.next()
        assert [each["call_sid"] for each in changed["calls"]] == ["CA2"]


async def test_a_page_that_comes_back_gets_what_it_missed(feed: Feed, processes: Processes) -> None:
    async with page(feed) as one:
        await one.next()
    processes.say("w1", "CA2")
    async with page(feed, last_id=one.id) as again:
        changed = await again.next()
        assert (changed["type"], changed["calls"][0]["call_sid"]) == ("CallsChanged", "CA2")


@pytest.mark.parametrize(
    "last_id", ["another-1", "nonsense", "-", "é", "{epoch}-9999", "{epoch}-x"]
)
async def test_an_unknown_event_id_gets_a_full_snapshot(feed: Feed, last_id: str) -> None:
    async with page(feed) as one:
        await one.next()
        epoch = one.id.partition("-")[0]
        async with page(feed, last_id=last_id.format(epoch=epoch)) as other:
            assert (await other.next())["type"] == "Snapshot"


async def test_a_page_that_reads_too_slowly_is_told_everything_afresh(
    feed: Feed, processes: Processes
) -> None:
    async with page(feed) as slow, page(feed) as quick:
        assert await slow.names(1) == await quick.names(1) == ["Snapshot"]
        for number in range(30):
            processes.say("w1", f"CB{number}")
            await quick.next()
        told = await slow.next()
        assert (told["type"], len(told["calls"])) == ("Snapshot", 31)


async def test_processes_come_and_go_with_their_calls(
    feed: Feed, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with page(feed) as one:
        await one.next()
        processes.names.append("w2")
        processes.say("w2", "CA2", whole=True)
        assert (await one.next())["calls"][0]["call_sid"] == "CA2"
        processes.lose("w2")
        assert (await one.next())["missing"] == ["w2"]
        assert (await one.next())["gone"] == ["CA2"]
        processes.say("w2", "CA3", whole=True)
        assert (await one.next())["calls"][0]["call_sid"] == "CA3"
        assert (await one.next())["missing"] == []
        monkeypatch.setattr(feed_module, "LOST_SECONDS", 0.05)
        processes.names.remove("w2")
        assert (await one.next())["gone"] == ["CA3"]


async def test_a_process_that_is_busy_for_a_moment_keeps_its_calls(
    feed: Feed, processes: Processes
) -> None:
    async with page(feed) as one:
        await one.next()
        processes.names.clear()
        await asyncio.sleep(0.1)
        processes.names.append("w1")
        processes.say("w1", "CA2")
        changed = await one.next()
        assert (changed["calls"][0]["call_sid"], changed["gone"]) == ("CA2", [])


async def test_a_process_that_does_not_answer_is_told_and_keeps_its_calls(
    feed: Feed, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "LOST_SECONDS", 0.05)
    processes.details["CA2"] = detail("CA2")
    processes.names.append("w2")
    processes.say("w2", "CA2", whole=True)
    async with page(feed, "CA2") as one:
        assert await one.names(2) == ["Snapshot", "CallShown"]
        processes.names.remove("w2")
        processes.mute = ("w2",)
        del processes.details["CA2"]
        assert await one.next() == {"type": "PartMissing", "missing": ["w2"]}
        processes.lose("w2")
        processes.looks = asyncio.Semaphore(0)
        async with page(feed) as late:
            told = await late.next()
            assert (told["missing"], len(told["calls"])) == (["w2"], 2)
        async with asyncio.timeout(10):
            for _ in range(6):
                await processes.looks.acquire()
        processes.names.append("w2")
        processes.mute = ()
        processes.details["CA2"] = detail("CA2", phase="ending")
        processes.say("w2", "CA2", "CA3", whole=True)
        # Nothing was said to be over meanwhile: what comes is what has changed.
        told = [await one.next() for _ in range(3)]
        assert {each["type"] for each in told} == {"PartMissing", "CallsChanged", "CallPatched"}


async def test_a_call_that_moves_to_another_process_is_not_over(
    feed: Feed, processes: Processes
) -> None:
    processes.names.append("w2")
    processes.say("w2", whole=True)
    async with page(feed) as one:
        await one.next()
        processes.say("w2", "CA1", "CA2")
        await one.next()
        processes.say("w1", gone=("CA1",))
        processes.say("w2", gone=("CA2",))
        assert (await one.next())["gone"] == ["CA2"]


async def test_a_process_that_says_nothing_does_not_hold_up_the_others(
    feed: Feed, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "SETTLE_SECONDS", 0.05)
    processes.names.append("mute")
    async with page(feed) as one:
        assert [each["call_sid"] for each in (await one.next())["calls"]] == ["CA1"]


async def test_an_open_call_is_shown_whole_and_then_by_what_changes(
    feed: Feed, processes: Processes
) -> None:
    processes.details["CA1"] = detail("CA1", Parts(lines=(line(1, "he"), line(2, "x"))))
    async with page(feed, "CA1") as one:
        assert await one.names(2) == ["Snapshot", "CallShown"]
        processes.details["CA1"] = detail(
            "CA1", Parts(lines=(line(1, "hello"), line(2, "x"), line(3, "y")))
        )
        patched = await one.next()
        assert (patched["type"], patched["entry"]) == ("CallPatched", None)
        assert [each["text"] for each in patched["parts"]["lines"]] == ["hello", "y"]
        processes.details["CA1"] = detail("CA1", Parts(lines=(line(1, "hello"),)))
        shown = await one.next()
        assert (shown["type"], len(shown["detail"]["parts"]["lines"])) == ("CallShown", 1)
        processes.details["CA1"] = detail("CA1", Parts(lines=(line(1, "hello"),)), phase="ending")
        assert (await one.next())["entry"]["phase"] == "ending"
        async with page(feed, "CA1") as late, page(feed) as other:
            assert await late.names(2) == ["Snapshot", "CallShown"]
            assert await other.names(1) == ["Snapshot"]
            processes.details["CA1"] = detail("CA1", Parts(lines=(line(1, "hello!"),)))
            assert (await late.next())["type"] == "CallPatched"
            processes.say("w1", "CA9")
            assert (await other.next())["type"] == "CallsChanged"


async def test_a_page_that_comes_back_to_its_call_misses_nothing_of_it(
    feed: Feed, processes: Processes
) -> None:
    processes.details["CA1"] = detail("CA1", Parts(lines=(line(1, "he"),)))
    async with page(feed, "CA1") as one:
        await one.names(2)
    processes.details["CA1"] = detail("CA1", Parts(lines=(line(1, "hello"),)))
    async with page(feed, "CA1", one.id) as again:
        assert (await again.next())["parts"]["lines"][0]["text"] == "hello"
    processes.details["CA2"] = detail("CA2")
    processes.say("w1", "CA2")
    async with page(feed, "CA2", again.id) as another:
        assert "CallShown" in await another.names(2)


async def test_a_call_that_ends_is_told_and_one_that_comes_back_is_shown_again(
    feed: Feed, processes: Processes
) -> None:
    processes.details["CA1"] = detail("CA1")
    async with page(feed, "CA1") as one:
        await one.names(2)
        processes.details["CA1"] = detail("CA1", phase="ended")
        assert await one.names(2) == ["CallPatched", "CallOver"]
        async with page(feed, "CA1") as late:
            assert await late.names(2) == ["Snapshot", "CallOver"]
        processes.details["CA1"] = detail("CA1")
        assert await one.names(1) == ["CallShown"]
        del processes.details["CA1"]
        assert await one.names(1) == ["CallOver"]


async def test_a_call_that_nobody_has_is_unknown_and_not_over(
    feed: Feed, processes: Processes
) -> None:
    async with page(feed, "CA404") as one:
        assert await one.names(2) == ["Snapshot", "CallUnknown"]
        async with page(feed, "CA404") as late:
            assert await late.names(2) == ["Snapshot", "CallUnknown"]
        processes.details["CA404"] = detail("CA404")
        assert await one.names(1) == ["CallShown"]


async def test_a_quiet_feed_says_that_it_is_alive_and_asks_whether_the_page_may_go_on(
    feed: Feed,
) -> None:
    asked = []

    async def alive() -> bool:
        asked.append(1)
        return len(asked) < 3

    stream = feed.stream("", "", alive)
    said = [part async for part in stream]
    assert said[1:] == [b":\n\n", b":\n\n"]
    assert feed.pages == 0


async def test_nobody_is_asked_when_nobody_listens(feed: Feed, processes: Processes) -> None:
    processes.details["CA1"] = detail("CA1")
    async with page(feed, "CA1") as one:
        await one.names(2)
    keeper = feed._follower
    assert keeper is not None
    await asyncio.wait((keeper,), timeout=10)
    processes.looks = asyncio.Semaphore(0)
    await asyncio.sleep(0.1)
    assert processes.looks.locked()
    processes.say("w1", "CA5", whole=True)
    async with page(feed, last_id=one.id) as again:
        told = await again.next()
        assert [each["call_sid"] for each in told["calls"]] == ["CA5"]


async def test_a_failed_poll_is_retried(
    feed: Feed, processes: Processes, caplog: pytest.LogCaptureFixture
) -> None:
    processes.failing = True
    processes.details["CA1"] = detail("CA1")
    async with page(feed, "CA1") as one:
        await one.names(1)
        await asyncio.sleep(0.05)
        processes.failing = False
        assert await one.names(1) == ["CallShown"]
    assert "a bug of ours" in caplog.text


async def test_a_feed_that_is_closed_ends_its_streams(feed: Feed) -> None:
    async with page(feed) as one:
        await one.names(1)
        feed.close()
        with pytest.raises(StopAsyncIteration):
            await one.next()
    assert [part async for part in feed.stream("", "", always)] == []


def test_a_patch_has_what_is_new_or_different() -> None:
    before = Parts(lines=(line(1, "a"), line(2, "b")), barge_ins=(BargeIn(id="0", at=1.0),))
    after = Parts(
        lines=(line(1, "a"), line(2, "c")),
        barge_ins=(BargeIn(id="0", at=1.0), BargeIn(id="1", at=2.0)),
    )
    assert patch(before, after) == Parts(
        lines=(line(2, "c"),), barge_ins=(BargeIn(id="1", at=2.0),)
    )
    assert patch(after, after) == Parts()
    assert patch(after, before) is None
