"""Every question finds its call: several workers in one loop, over their sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.webhooks import Forwarded
from hookflash.cluster.claims import Claims, ClaimThread
from hookflash.cluster.worker_sockets import WorkerSockets
from hookflash.core.events import (
    AnyEvent,
    CallArrived,
    CallCompleted,
    HumanAsked,
    InstructionsAsked,
    LegChanged,
    Recording,
    RecordingReady,
    StreamStopped,
    VoicemailTranscribed,
)
from hookflash.server import workers
from hookflash.server.carrier_answers import Question
from hookflash.server.metrics import Counts
from hookflash.server.workers import Workers

pytestmark = pytest.mark.usefixtures("virtual_workers")

URL = "https://line.example.com"


@dataclass
class Office:
    """A worker whose answerer notes each question; a call is where it was answered."""

    name: str
    folder: Path
    keeps: bool = True
    draining: bool = False
    calls: dict[str, list[object]] = field(default_factory=dict)
    taken: list[tuple[str, AnyEvent]] = field(default_factory=list)
    arrivals: asyncio.Queue[tuple[socket.socket, bytes]] = field(default_factory=asyncio.Queue)
    stuck: asyncio.Event | None = None
    rung: str = ""

    def __post_init__(self) -> None:
        worker_sockets = WorkerSockets(self.folder, public_url=URL)
        self.claims = ClaimThread(Claims(worker_sockets.claims, self.name))
        self.workers = Workers(
            self.name,
            worker_sockets,
            local_answerer=self,
            calls=self,
            claims=self.claims,
            counts=lambda: Counts(slot=int(self.name[1:]), barge_ins=len(self.calls)),
        )

    # The calls.

    @property
    def live(self) -> list[str]:
        return list(self.calls)

    def has(self, call_sid: str) -> bool:
        return call_sid in self.calls

    # The answerer.

    async def answer(self, question: Question) -> str:
        if self.stuck is not None:
            await self.stuck.wait()
        if question.loops:
            return f"{self.name} rejects {question.call_sid}"
        if self.keeps:
            self.calls.setdefault(question.call_sid, []).append(question.asked)
        return f"{self.name} answers {question.call_sid}"

    def rings(self, forwarded: Forwarded) -> bool:
        return forwarded.by == self.rung

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        self.taken.append((call_sid, event))
        return True

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Office]:
        def adopt(connection: socket.socket, request: bytes) -> None:
            self.arrivals.put_nowait((connection, request))

        with self.claims:
            async with self.workers.serving_peers(adopt):
                yield self


Offices = Callable[..., contextlib.AbstractAsyncContextManager[list[Office]]]


@pytest.fixture
def offices(tmp_path: Path) -> Offices:
    @contextlib.asynccontextmanager
    async def open_offices(number: int, **options: bool) -> AsyncIterator[list[Office]]:
        async with contextlib.AsyncExitStack() as stack:
            made = [Office(f"w{slot}", tmp_path, **options) for slot in range(1, number + 1)]
            for office in made:
                await stack.enter_async_context(office.open())
            await meet(made)
            yield made

    return open_offices


async def meet(made: list[Office]) -> None:
    for office in made:
        await office.workers._peers.refresh()


def arrived(call_sid: str) -> Question:
    return Question(
        call_sid=call_sid,
        names=(("/voice", call_sid),),
        asked=CallArrived(call_sid, "", ""),
        parties=Parties(call_sid=call_sid, own_number="+15550100"),
    )


def asked(call_sid: str) -> Question:
    return Question(
        call_sid=call_sid, names=(("/dial", call_sid),), asked=InstructionsAsked(1, "dial")
    )


async def test_new_calls_go_to_the_least_busy_worker_whichever_is_asked(offices: Offices) -> None:
    async with offices(3) as (one, two, three):
        for number in range(9):
            await one.workers.answer(arrived(f"CA{number}"))
        assert [len(office.calls) for office in (one, two, three)] == [3, 3, 3]
        assert one.workers.forwarded == 6


async def test_calls_that_come_all_at_once_are_spread_too(offices: Offices) -> None:
    async with offices(2) as (one, two):
        await asyncio.gather(*(one.workers.answer(arrived(f"CA{number}")) for number in range(8)))
        assert (len(one.calls), len(two.calls)) == (4, 4)


async def test_a_worker_that_drains_gets_no_new_call(offices: Offices) -> None:
    async with offices(2) as (one, two):
        one.draining = True
        await meet([one, two])
        for number in range(3):
            await one.workers.answer(arrived(f"CA{number}"))
        assert (len(one.calls), len(two.calls)) == (0, 3)


async def test_a_question_is_answered_where_its_call_is_and_arrives_whole(offices: Offices) -> None:
    async with offices(3) as (one, two, three):
        two.calls["CA1"] = []
        for office in (one, two, three, three):
            assert await office.workers.answer(asked("CA1")) == "w2 answers CA1"
        assert two.calls["CA1"] == [InstructionsAsked(1, "dial")] * 4
        assert one.calls == three.calls == {}


async def test_the_same_new_call_at_every_worker_at_once_is_one_call(offices: Offices) -> None:
    async with offices(3) as made:
        answers = await asyncio.gather(
            *(office.workers.answer(arrived("CA1")) for office in made * 4)
        )
        assert len(set(answers)) == 1
        assert sum("CA1" in office.calls for office in made) == 1


async def test_the_calls_of_a_worker_that_is_gone_are_gone_on_with_by_one_other(
    offices: Offices, tmp_path: Path
) -> None:
    async with offices(2) as (one, two):
        gone = Office("w9", tmp_path)
        async with gone.open():
            assert (await gone.claims.take("CA1")) == "w9"
            gone.calls["CA1"] = []
            await meet([one, two])
            assert await one.workers.answer(asked("CA1")) == "w9 answers CA1"
        answers = await asyncio.gather(
            *(office.workers.answer(asked("CA1")) for office in (one, two, one, two))
        )
        assert len(set(answers)) == 1
        assert ("CA1" in one.calls) != ("CA1" in two.calls)


async def test_a_worker_that_has_just_come_is_found_by_its_claim(
    offices: Offices, tmp_path: Path
) -> None:
    async with offices(1) as (one,), Office("w9", tmp_path).open() as new:
        assert (await new.claims.take("CA1")) == "w9"
        new.calls["CA1"] = []
        assert await one.workers.answer(asked("CA1")) == "w9 answers CA1"


async def test_a_worker_that_lives_but_is_silent_keeps_its_calls(offices: Offices) -> None:
    async with offices(2) as (one, two):
        two.calls["CA1"] = []
        two.stuck = asyncio.Event()
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await one.workers.answer(asked("CA1"))
        assert loop.time() - began == pytest.approx(workers.OWNER_SECONDS)
        assert one.calls == {}
        two.stuck.set()


async def test_a_call_that_is_not_kept_is_not_claimed_for_longer_than_its_answer(
    offices: Offices,
) -> None:
    async with offices(2, keeps=False) as (one, two):
        await one.workers.answer(arrived("CA1"))
        await one.claims.take("CA2")
        assert await two.claims.take("CA1") == "w2"


async def test_a_call_that_was_let_go_can_be_had_by_another(offices: Offices) -> None:
    async with offices(2) as (one, two):
        await one.workers.answer(arrived("CA1"))
        assert await two.claims.take("CA1") == "w1"
        one.workers.release("CA1")
        assert await two.claims.take("CA1") == "w1", "it still lives there"
        del one.calls["CA1"]
        one.workers.release("CA1")
        await one.claims.take("CA2")
        assert await two.claims.take("CA1") == "w2"


async def test_a_telephone_that_forwards_back_is_known_whichever_worker_rings_it(
    offices: Offices,
) -> None:
    async with offices(2) as (one, two):
        one.rung = "+15550177"
        for office in (one, two):
            question = msgspec.structs.replace(
                arrived("CA1"), forwarded=Forwarded("CA9", "+15550177", "+15550100")
            )
            said = await office.workers.answer(question)
            assert said == f"{office.name} rejects CA1"
        other = msgspec.structs.replace(
            arrived("CA2"), forwarded=Forwarded("CA9", "+15550178", "+15550100")
        )
        assert "answers CA2" in await two.workers.answer(other)
        own = msgspec.structs.replace(arrived("CA3"), loops=True)
        assert await two.workers.answer(own) == "w2 rejects CA3"


async def test_what_happened_to_a_call_is_told_where_it_is(offices: Offices) -> None:
    async with offices(2) as (one, two):
        two.calls["CA1"] = []
        assert await one.workers.take("CA1", CallCompleted())
        assert await two.workers.take("CA1", CallCompleted())
        assert two.taken == [("CA1", CallCompleted())] * 2
        assert one.taken == []


async def test_only_a_final_webhook_restores_a_call_without_a_worker(offices: Offices) -> None:
    async with offices(2) as (one, two):
        assert not await one.workers.take("CA1", StreamStopped("MZ1"))
        assert one.taken == []
        assert await one.workers.take("CA1", CallCompleted())
        assert one.taken == [("CA1", CallCompleted())]
        await one.claims.take("CA2")
        assert await two.claims.take("CA1") == "w2"


@pytest.mark.parametrize(
    "event",
    [
        LegChanged("CA9", "completed", 2, "busy", 0),
        RecordingReady(4, Recording("https://api.twilio.com/RE1", 5.0)),
        VoicemailTranscribed(4, "Call me back."),
    ],
)
async def test_news_of_a_humans_leg_and_of_a_message_bring_a_call_back(
    offices: Offices, event: AnyEvent
) -> None:
    async with offices(2) as (one, two):
        assert await one.workers.take("CA1", event)
        assert one.taken == [("CA1", event)]
        two.calls["CA2"] = []
        assert await one.workers.take("CA2", event)
        assert two.taken == [("CA2", event)]


async def test_a_humans_question_is_answered_where_the_callers_call_is(offices: Offices) -> None:
    question = Question(
        call_sid="CA1",
        leg_sid="CA9",
        names=(),
        asked=HumanAsked(2, 0, "CA9", "pressed", "1"),
        over=LegChanged("CA9", "completed", 2, leg=0),
    )
    async with offices(2) as (one, two):
        two.calls["CA1"] = []
        assert await one.workers.answer(question) == "w2 answers CA1"
        assert two.calls["CA1"] == [question.asked]


async def test_a_final_webhook_of_a_dead_workers_call_is_taken_by_another(
    offices: Offices, tmp_path: Path
) -> None:
    async with offices(1) as (one,):
        async with Office("w9", tmp_path).open() as gone:
            gone.calls["CA1"] = []
            await meet([one])
            assert await one.workers.take("CA1", CallCompleted())
        assert await one.workers.take("CA1", CallCompleted())
        assert one.taken == [("CA1", CallCompleted())]


async def test_a_disk_that_fails_or_is_slow_keeps_no_caller_waiting(
    offices: Offices, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with offices(1) as (one,):

        def fails(call_sid: str) -> asyncio.Future[str]:
            future = asyncio.get_running_loop().create_future()
            future.set_exception(OSError(28, "No space left on device"))
            return future

        monkeypatch.setattr(one.claims, "take", fails)
        assert await one.workers.answer(arrived("CA1")) == "w1 answers CA1"
        assert "No space left" in caplog.text
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        monkeypatch.setattr(one.claims, "take", lambda call_sid: never)
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert await one.workers.answer(arrived("CA2")) == "w1 answers CA2"
        assert loop.time() - began == pytest.approx(workers.CLAIM_SECONDS)
        assert "too slow" in caplog.text


async def test_the_numbers_of_all_are_told_by_any(offices: Offices) -> None:
    async with offices(3) as (one, two, three):
        two.calls["CA1"] = []
        for office in (one, two, three):
            counts = await office.workers.gather_counts()
            assert sorted((each.slot, each.barge_ins) for each in counts) == [
                (1, 0),
                (2, 1),
                (3, 0),
            ]


async def test_a_worker_that_is_silent_gets_no_call_until_it_answers_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = Office("w1", tmp_path), Office("w2", tmp_path)
    go_on = asyncio.Event()
    answer = two.workers._asked

    async def stuck(body: bytes) -> bytes:
        await go_on.wait()
        return await answer(body)

    monkeypatch.setattr(two.workers, "_asked", stuck)
    async with two.open(), one.open():
        assert one.workers._peers.load == {}
        assert "w2 does not answer" in caplog.text
        for number in range(2):
            assert await one.workers.answer(arrived(f"CA{number}")) == f"w1 answers CA{number}"
        go_on.set()
        await meet([one])
        assert await one.workers.answer(arrived("CA2")) == "w2 answers CA2"


async def test_the_address_of_a_worker_that_crashed_is_cleared_away(
    offices: Offices, tmp_path: Path
) -> None:
    worker_sockets = WorkerSockets(tmp_path, public_url=URL)
    async with offices(2) as (one, two):
        with socket.socket(socket.AF_UNIX) as crashed:
            crashed.bind(str(worker_sockets.request_path("w9")))
            crashed.listen()
        assert worker_sockets.names() == ["w1", "w2", "w9"]
        await meet([one])
        assert worker_sockets.names() == ["w1", "w2", "w9"]
        await meet([one])
        assert worker_sockets.names() == ["w1", "w2"]
        assert set(one.workers._peers.load) == {"w2"}
    assert worker_sockets.names() == []


@pytest.mark.realtime
async def test_a_media_socket_goes_to_the_worker_that_its_url_names(offices: Offices) -> None:
    caller, ours = socket.socketpair()
    async with offices(2) as (one, two):
        with caller, ours:
            for name in ("w1", "w7", "", "../w2", "W2"):
                assert not one.workers.transfer(ours, b"GET", name)
            assert one.workers.transfer(ours, b"GET", "w2")
            connection, request = await two.arrivals.get()
            connection.close()
            assert request == b"GET"
        counts = Counts()
        one.workers.fill_counts(counts)
        assert (counts.streams_handed_over, counts.webhooks_forwarded) == (1, 0)
