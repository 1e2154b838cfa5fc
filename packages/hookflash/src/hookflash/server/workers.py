"""Every webhook finds its call, whichever of a line's processes it lands on.

    a webhook lands here
      the call is ours ----------------------------------------------> our desk answers
      another worker has it (known, or found by asking) --- forwarded -> its desk answers
      nobody has it ------------- the least busy worker claims it ----> its desk answers
      its worker died -------- whoever gets there first claims it ----> restored from the journal

One process has a call: it holds the claim (`cluster.claims`), which the kernel takes from a dead
process. Asking is quick and the claim decides, so that what was asked may be out of date. A worker
that lives but does not answer keeps its calls: the webhook is then answered 503, the carrier asks
again, and the supervisor kills who hangs.

    resource               acquired     released
    addresses, rounds      working()    when its block ends
    claims                 answering    when the call is let go, or by the giver of `claims`
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import msgspec

from hookflash.carriers.twilio.webhooks import Forwarded
from hookflash.cluster.claims import ClaimThread
from hookflash.cluster.handover import Adopt, open_arrivals, send_connection
from hookflash.cluster.peers import PeerGone, open_desk
from hookflash.cluster.places import NAME, Places
from hookflash.console.live import LiveCalls, Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent
from hookflash.runtime.switchboard import brings_back
from hookflash.server.counts import Counts
from hookflash.server.desk import Answering, Question
from hookflash.server.neighbours import Neighbours
from hookflash.server.worker_messages import (
    Answered,
    AskCarriersQuestion,
    AwaitReport,
    Counted,
    Elsewhere,
    Greet,
    HasCall,
    Known,
    Load,
    LookAt,
    Looked,
    Reply,
    ReportCounts,
    Reported,
    RingsHuman,
    TellEvent,
    decode_request,
    encode,
)

log = logging.getLogger("hookflash.workers")

OWNER_SECONDS = 3.0
"""How long the worker that has a call may take to answer: Twilio waits for 4.5 s (`urls.RETRY`)."""

CLAIM_SECONDS = 1.0
"""How long the disk may take over a claim. Nobody waits for a disk longer than that: a call that
two workers might claim is rare, a caller is not."""

REPORT_SECONDS = 1.0
_AGAIN_SECONDS = 0.02


class OwnDesk(Answering, Protocol):
    """Answers for the calls of this process (`server.desk.Desk`)."""

    def rings(self, forwarded: Forwarded) -> bool: ...


class Board(Protocol):
    """The calls of this process (`runtime.switchboard.Switchboard`)."""

    draining: bool

    @property
    def live(self) -> Sequence[object]: ...

    def has(self, call_sid: str) -> bool: ...


class Workers:
    """This worker among the others: satisfies `server.desk.Answering` and `console.reach.Reach`.

    `shown` is what consoles are told of our own calls; without it there is nothing to be told.
    """

    def __init__(
        self,
        name: str,
        places: Places,
        *,
        desk: OwnDesk,
        board: Board,
        claims: ClaimThread,
        counts: Callable[[], Counts],
        shown: LiveCalls | None = None,
    ) -> None:
        self.name = name
        self._places = places
        self._desk = desk
        self._board = board
        self._claims = claims
        self._counts = counts
        self._shown = shown
        self._neighbours = Neighbours(places, name)
        self.forwarded = 0
        self.handed_over = 0
        self._deciding: Counter[str] = Counter()

    # --- the carrier's side -------------------------------------------------------------------

    async def answer(self, question: Question) -> str:
        """Return the answer of the worker that has the call, or shall have it now.

        Raises `TimeoutError` when that one lives but does not answer.
        """
        if self._has(question.call_sid):
            return await self._desk.answer(question)
        if question.forwarded is not None and not question.loops:
            loops = await self._rings(question.forwarded)
            question = msgspec.structs.replace(question, loops=loops)
        if question.loops:
            return await self._desk.answer(question)
        async with asyncio.timeout(OWNER_SECONDS):
            name = await self._neighbours.find(question.call_sid) or self._least_busy()
            while True:
                said = await self._ask(name, question)
                if isinstance(said, Answered):
                    if name != self.name:
                        self.forwarded += 1
                        self._neighbours.remember(question.call_sid, name)
                    return said.twiml
                if isinstance(said, Elsewhere) and said.name not in ("", name):
                    name = said.name
                    continue
                # Nobody is there: the claim tells who comes next, as soon as the kernel knows.
                self._neighbours.forget(question.call_sid)
                name = self.name
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _rings(self, forwarded: Forwarded) -> bool:
        """Return whether a call of any worker rings the telephone that has forwarded a call. A
        worker that does not answer in time counts as one that does not."""
        if self._desk.rings(forwarded):
            return True
        replies = await self._neighbours.ask_all(RingsHuman(forwarded))
        return any(isinstance(said, Known) and said.known for said in replies.values())

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Bring an event to the worker that has the call; False if nothing is known of it."""
        if self._has(call_sid):
            return await self._desk.take(call_sid, event)
        name = await self._neighbours.find(call_sid)
        if name is not None:
            try:
                said = await self._neighbours.ask(
                    name, TellEvent(call_sid, event), seconds=OWNER_SECONDS
                )
                return isinstance(said, Known) and said.known
            except PeerGone:
                self._neighbours.forget(call_sid)
        if not brings_back(event):
            return False
        async with self._claimed(call_sid) as holder:
            return holder == self.name and await self._desk.take(call_sid, event)

    async def gather_counts(self) -> list[Counts]:
        """Return the numbers of every worker that answers, our own first."""
        replies = await self._neighbours.ask_all(ReportCounts(), seconds=REPORT_SECONDS)
        others = [said.counts for said in replies.values() if isinstance(said, Counted)]
        return [self._counts(), *others]

    # --- the console's side -------------------------------------------------------------------

    def processes(self) -> Sequence[str]:
        """Return the names of the workers that answer, our own first."""
        return (self.name, *self._neighbours.load)

    def silent(self) -> Sequence[str]:
        """Return the names of the workers that are there and do not answer."""
        return self._neighbours.silent

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        """Return which live calls of a worker have changed; None if it does not say."""
        asked = AwaitReport(epoch, since, seconds)
        if process == self.name:
            return (await self._report(asked)).report
        try:
            said = await self._neighbours.ask(process, asked, seconds=seconds + REPORT_SECONDS)
        except (PeerGone, TimeoutError):
            return None
        return said.report if isinstance(said, Reported) else None

    async def owner(self, call_sid: str) -> str:
        """Return the name of the worker that has a live call; empty if nobody has it."""
        return self.name if self._has(call_sid) else await self._neighbours.find(call_sid) or ""

    async def look_at(self, call_sid: str) -> CallDetail | None:
        """Return a live call of any worker with all its parts, or None."""
        if self._has(call_sid):
            return await self._detail(call_sid)
        try:
            name = await self._neighbours.find(call_sid)
            if name is None:
                return None
            said = await self._neighbours.ask(name, LookAt(call_sid), seconds=REPORT_SECONDS)
        except (PeerGone, TimeoutError):
            self._neighbours.forget(call_sid)
            return None
        if isinstance(said, Looked) and said.detail is not None:
            return said.detail
        self._neighbours.forget(call_sid)
        return None

    async def _report(self, asked: AwaitReport) -> Reported:
        if self._shown is None:
            await asyncio.sleep(asked.seconds)
            return Reported(Report(epoch="", version=0, whole=True))
        report = await self._shown.next_report(asked.epoch, asked.since, seconds=asked.seconds)
        return Reported(report)

    async def _detail(self, call_sid: str) -> CallDetail | None:
        return await self._shown.detail(call_sid) if self._shown is not None else None

    # --- media sockets and numbers ------------------------------------------------------------

    def hand_over(self, connection: socket.socket, request: bytes, worker: str) -> bool:
        """Give a media socket, its upgrade unanswered, to the worker that its URL names.

        True: it has it, and our end is to be closed without a word. False: it is for us to serve,
        because it is ours, nobody's, or its worker is gone. Never waits.
        """
        if worker == self.name or not NAME.fullmatch(worker):
            return False
        sent = send_connection(self._places.media(worker), connection, request)
        self.handed_over += sent
        return sent

    def tell(self, counts: Counts) -> None:
        """Write our own numbers into `counts`."""
        counts.webhooks_forwarded = self.forwarded
        counts.streams_handed_over = self.handed_over

    def let_go(self, call_sid: str) -> None:
        """A call is over and forgotten here: its claim is not needed."""
        if not self._deciding[call_sid] and not self._has(call_sid):
            self._claims.release(call_sid)

    # --- the other workers' side --------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def working(self, adopt: Adopt) -> AsyncIterator[None]:
        """Be there for the others while the block runs; `adopt` gets their media sockets."""
        async with contextlib.AsyncExitStack() as stack:
            self._places.prepare()
            stack.callback(self._places.remove, self.name)
            stack.enter_context(open_arrivals(self._places.media(self.name), adopt))
            await stack.enter_async_context(open_desk(self._places.ask(self.name), self._asked))
            await stack.enter_async_context(self._neighbours.meeting())
            yield

    async def _asked(self, body: bytes) -> bytes:
        request = decode_request(body)
        reply: Reply
        match request:
            case AskCarriersQuestion():
                reply = await self._answer_here(request.question)
            case TellEvent():
                known = self._has(request.call_sid)
                reply = Known(known and await self._desk.take(request.call_sid, request.event))
            case RingsHuman():
                reply = Known(self._desk.rings(request.forwarded))
            case HasCall():
                reply = Known(self._has(request.call_sid))
            case Greet():
                reply = self._load()
            case ReportCounts():
                reply = Counted(self._counts())
            case AwaitReport():
                reply = await self._report(request)
            case LookAt():
                reply = Looked(await self._detail(request.call_sid))
        return encode(reply)

    # --- whose call ---------------------------------------------------------------------------

    def _has(self, call_sid: str) -> bool:
        return self._board.has(call_sid)

    def _load(self) -> Load:
        """Return how busy we are; a call that is still being claimed counts too."""
        return Load(len(self._board.live) + len(self._deciding), self._board.draining)

    def _least_busy(self) -> str:
        """Return who shall have a new call, and count it for them until they are asked again."""
        loads = dict(self._neighbours.load)
        loads[self.name] = self._load()

        def burden(name: str) -> tuple[bool, int, bool]:
            return loads[name].draining, loads[name].live, name != self.name

        name = min(loads, key=burden)
        if name != self.name:
            self._neighbours.load[name] = Load(loads[name].live + 1, loads[name].draining)
        return name

    async def _ask(self, name: str, question: Question) -> Reply | None:
        """Return what `name` says to a question; None if it is not there."""
        if name == self.name:
            return await self._answer_here(question)
        try:
            return await self._neighbours.ask(
                name, AskCarriersQuestion(question), seconds=OWNER_SECONDS
            )
        except PeerGone:
            return None

    async def _answer_here(self, question: Question) -> Reply:
        """Answer if the call is ours, or nobody's and so becomes ours."""
        if self._has(question.call_sid):
            return Answered(await self._desk.answer(question))
        async with self._claimed(question.call_sid) as holder:
            if holder != self.name:
                return Elsewhere(holder)
            return Answered(await self._desk.answer(question))

    @contextlib.asynccontextmanager
    async def _claimed(self, call_sid: str) -> AsyncIterator[str]:
        """Claim a call while the block runs, and for longer if it comes to live here; yields who
        has it."""
        self._deciding[call_sid] += 1
        try:
            yield await self._claim(call_sid)
        finally:
            self._deciding[call_sid] -= 1
            if not self._deciding[call_sid]:
                del self._deciding[call_sid]
                self.let_go(call_sid)

    async def _claim(self, call_sid: str) -> str:
        claiming = self._claims.take(call_sid)
        await asyncio.wait((claiming,), timeout=CLAIM_SECONDS)
        try:
            if claiming.done():
                return claiming.result()
            log.error("! %s is not claimed: the disk is too slow; it goes on here", call_sid)
        except OSError as error:
            log.error("! %s is not claimed (%s); it goes on here", call_sid, error.strerror)
        return self.name
