"""Route every webhook to the process that has its call.

    a webhook arrives at a worker
      this worker has the call --------------------------------------> it answers
      another worker has it (known, or found by asking) - forwarded -> that worker answers
      no worker has it -------- the worker with the least load claims it and answers
      its worker died --------- the first worker to claim it restores it from its journal

One process has a call: it holds the claim (`cluster.claims`), which the kernel releases if the
process dies. Answers from other workers may be out of date; the claim decides. A worker that is
alive but does not answer still has its calls: the webhook is then answered 503, the carrier
retries, and the parent process kills the hanging worker.

    resource               acquired           released
    sockets, refreshing    serving_peers()    when its block ends
    claims                 answering          when the call is released, or by the owner of `claims`
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
from hookflash.cluster.peers import PeerGone, serve_requests
from hookflash.cluster.socket_transfer import Adopt, receive_connections, send_connection
from hookflash.cluster.worker_sockets import NAME, WorkerSockets
from hookflash.console.live_calls import LiveCalls, Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent
from hookflash.runtime.switchboard import restores_call
from hookflash.server.carrier_answers import Answerer, Question
from hookflash.server.metrics import Counts
from hookflash.server.peer_workers import PeerWorkers
from hookflash.server.worker_messages import (
    Answered,
    AnswerQuestion,
    AwaitReport,
    Counted,
    Detail,
    Elsewhere,
    GetDetail,
    GetLoad,
    HasCall,
    Known,
    Load,
    PostEvent,
    Reply,
    ReportCounts,
    Reported,
    RingsHuman,
    decode_request,
    encode,
)

log = logging.getLogger("hookflash.workers")

OWNER_SECONDS = 3.0
"""How long the worker that has a call may take to answer: Twilio waits for 4.5 s (`urls.RETRY`)."""

CLAIM_SECONDS = 1.0
"""How long a claim may wait for the disk. Then the call continues without it.

Two workers rarely claim the same call, and a caller must not wait for the disk.
"""

REPORT_SECONDS = 1.0
_AGAIN_SECONDS = 0.02


class ProcessAnswerer(Answerer, Protocol):
    """Answers for the calls of this process (`carrier_answers.LocalAnswerer`)."""

    def rings(self, forwarded: Forwarded) -> bool: ...


class LocalCalls(Protocol):
    """The calls of this process (`runtime.switchboard.Switchboard`)."""

    draining: bool

    @property
    def live(self) -> Sequence[object]: ...

    def has(self, call_sid: str) -> bool: ...


class Workers:
    """This worker among the others: satisfies `carrier_answers.Answerer` and
    `console.line_calls.LineCalls`.

    `live_calls` is what consoles see of this worker's calls; None if the console is off.
    """

    def __init__(
        self,
        name: str,
        worker_sockets: WorkerSockets,
        *,
        local_answerer: ProcessAnswerer,
        calls: LocalCalls,
        claims: ClaimThread,
        counts: Callable[[], Counts],
        live_calls: LiveCalls | None = None,
    ) -> None:
        self.name = name
        self._worker_sockets = worker_sockets
        self._local = local_answerer
        self._calls = calls
        self._claims = claims
        self._counts = counts
        self._live_calls = live_calls
        self._peers = PeerWorkers(worker_sockets, name)
        self.forwarded = 0
        self.handed_over = 0
        self._claiming: Counter[str] = Counter()

    # --- for the carrier ----------------------------------------------------------------------

    async def answer(self, question: Question) -> str:
        """Return the answer of the worker that has the call, or takes it now.

        Raises `TimeoutError` if that worker is alive but does not answer.
        """
        if self._has(question.call_sid):
            return await self._local.answer(question)
        if question.forwarded is not None and not question.loops:
            loops = await self._rings(question.forwarded)
            question = msgspec.structs.replace(question, loops=loops)
        if question.loops:
            return await self._local.answer(question)
        async with asyncio.timeout(OWNER_SECONDS):
            name = await self._peers.find(question.call_sid) or self._least_busy()
            while True:
                said = await self._ask(name, question)
                if isinstance(said, Answered):
                    if name != self.name:
                        self.forwarded += 1
                        self._peers.remember(question.call_sid, name)
                    return said.twiml
                if isinstance(said, Elsewhere) and said.name not in ("", name):
                    name = said.name
                    continue
                # That worker is gone. The claim decides, once the kernel has released it.
                self._peers.forget(question.call_sid)
                name = self.name
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _rings(self, forwarded: Forwarded) -> bool:
        """Return whether a call of any worker rings the phone that forwarded a call.

        A worker that does not answer in time counts as one that does not.
        """
        if self._local.rings(forwarded):
            return True
        replies = await self._peers.ask_all(RingsHuman(forwarded))
        return any(isinstance(said, Known) and said.known for said in replies.values())

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Post an event through the worker that has the call. Return False if the call is
        unknown."""
        if self._has(call_sid):
            return await self._local.take(call_sid, event)
        name = await self._peers.find(call_sid)
        if name is not None:
            try:
                said = await self._peers.ask(
                    name, PostEvent(call_sid, event), seconds=OWNER_SECONDS
                )
                return isinstance(said, Known) and said.known
            except PeerGone:
                self._peers.forget(call_sid)
        if not restores_call(event):
            return False
        async with self._claimed(call_sid) as holder:
            return holder == self.name and await self._local.take(call_sid, event)

    async def gather_counts(self) -> list[Counts]:
        """Return the numbers of every worker that answers, this worker's first."""
        replies = await self._peers.ask_all(ReportCounts(), seconds=REPORT_SECONDS)
        others = [said.counts for said in replies.values() if isinstance(said, Counted)]
        return [self._counts(), *others]

    # --- for the console ----------------------------------------------------------------------

    def processes(self) -> Sequence[str]:
        """Return the names of the workers that answer, this worker first."""
        return (self.name, *self._peers.load)

    def silent(self) -> Sequence[str]:
        """Return the names of the workers that exist and do not answer."""
        return self._peers.silent

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        """Return which live calls of a worker have changed; None if it does not answer."""
        asked = AwaitReport(epoch, since, seconds)
        if process == self.name:
            return (await self._report(asked)).report
        try:
            said = await self._peers.ask(process, asked, seconds=seconds + REPORT_SECONDS)
        except (PeerGone, TimeoutError):
            return None
        return said.report if isinstance(said, Reported) else None

    async def owner(self, call_sid: str) -> str:
        """Return the name of the worker that has a live call, or ""."""
        return self.name if self._has(call_sid) else await self._peers.find(call_sid) or ""

    async def look_at(self, call_sid: str) -> CallDetail | None:
        """Return a live call of any worker with all its parts, or None."""
        if self._has(call_sid):
            return await self._detail(call_sid)
        try:
            name = await self._peers.find(call_sid)
            if name is None:
                return None
            said = await self._peers.ask(name, GetDetail(call_sid), seconds=REPORT_SECONDS)
        except (PeerGone, TimeoutError):
            self._peers.forget(call_sid)
            return None
        if isinstance(said, Detail) and said.detail is not None:
            return said.detail
        self._peers.forget(call_sid)
        return None

    async def _report(self, asked: AwaitReport) -> Reported:
        if self._live_calls is None:
            await asyncio.sleep(asked.seconds)
            return Reported(Report(epoch="", version=0, whole=True))
        report = await self._live_calls.next_report(asked.epoch, asked.since, seconds=asked.seconds)
        return Reported(report)

    async def _detail(self, call_sid: str) -> CallDetail | None:
        return await self._live_calls.detail(call_sid) if self._live_calls is not None else None

    # --- media sockets and numbers ------------------------------------------------------------

    def transfer(self, connection: socket.socket, request: bytes, worker: str) -> bool:
        """Pass a media socket with its unanswered upgrade to the worker that its URL names.

        True: that worker has it, and this process closes its descriptor without an answer. False:
        this process serves it, because it belongs to it or its worker is gone. Never waits.
        """
        if worker == self.name or not NAME.fullmatch(worker):
            return False
        sent = send_connection(self._worker_sockets.media_path(worker), connection, request)
        self.handed_over += sent
        return sent

    def fill_counts(self, counts: Counts) -> None:
        """Write this worker's numbers into `counts`."""
        counts.webhooks_forwarded = self.forwarded
        counts.streams_handed_over = self.handed_over

    def release(self, call_sid: str) -> None:
        """Release the claim of a call that has ended here."""
        if not self._claiming[call_sid] and not self._has(call_sid):
            self._claims.release(call_sid)

    # --- for the other workers ----------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def serving_peers(self, adopt: Adopt) -> AsyncIterator[None]:
        """Serve the other workers while the block runs; `adopt` gets their media sockets."""
        async with contextlib.AsyncExitStack() as stack:
            self._worker_sockets.prepare()
            stack.callback(self._worker_sockets.remove, self.name)
            stack.enter_context(
                receive_connections(self._worker_sockets.media_path(self.name), adopt)
            )
            await stack.enter_async_context(
                serve_requests(self._worker_sockets.request_path(self.name), self._asked)
            )
            await stack.enter_async_context(self._peers.refreshing())
            yield

    async def _asked(self, body: bytes) -> bytes:
        request = decode_request(body)
        reply: Reply
        match request:
            case AnswerQuestion():
                reply = await self._answer_here(request.question)
            case PostEvent():
                known = self._has(request.call_sid)
                reply = Known(known and await self._local.take(request.call_sid, request.event))
            case RingsHuman():
                reply = Known(self._local.rings(request.forwarded))
            case HasCall():
                reply = Known(self._has(request.call_sid))
            case GetLoad():
                reply = self._load()
            case ReportCounts():
                reply = Counted(self._counts())
            case AwaitReport():
                reply = await self._report(request)
            case GetDetail():
                reply = Detail(await self._detail(request.call_sid))
        return encode(reply)

    # --- which worker -------------------------------------------------------------------------

    def _has(self, call_sid: str) -> bool:
        return self._calls.has(call_sid)

    def _load(self) -> Load:
        """Return this worker's load. A call that is being claimed counts too."""
        return Load(len(self._calls.live) + len(self._claiming), self._calls.draining)

    def _least_busy(self) -> str:
        """Return the worker for a new call, and count the call for it until its next report."""
        loads = dict(self._peers.load)
        loads[self.name] = self._load()

        def load_key(name: str) -> tuple[bool, int, bool]:
            return loads[name].draining, loads[name].live, name != self.name

        name = min(loads, key=load_key)
        if name != self.name:
            self._peers.load[name] = Load(loads[name].live + 1, loads[name].draining)
        return name

    async def _ask(self, name: str, question: Question) -> Reply | None:
        """Return the reply of worker `name` to a question; None if the worker is gone."""
        if name == self.name:
            return await self._answer_here(question)
        try:
            return await self._peers.ask(name, AnswerQuestion(question), seconds=OWNER_SECONDS)
        except PeerGone:
            return None

    async def _answer_here(self, question: Question) -> Reply:
        """Answer if this worker has the call, or if no worker has it and this one claims it."""
        if self._has(question.call_sid):
            return Answered(await self._local.answer(question))
        async with self._claimed(question.call_sid) as holder:
            if holder != self.name:
                return Elsewhere(holder)
            return Answered(await self._local.answer(question))

    async def claim(self, call_sid: str) -> None:
        """Claim a call that this worker has placed. `release` ends the claim."""
        await self._claim(call_sid)

    @contextlib.asynccontextmanager
    async def _claimed(self, call_sid: str) -> AsyncIterator[str]:
        """Claim a call while the block runs, and longer if this process then has it. Yields its
        owner."""
        self._claiming[call_sid] += 1
        try:
            yield await self._claim(call_sid)
        finally:
            self._claiming[call_sid] -= 1
            if not self._claiming[call_sid]:
                del self._claiming[call_sid]
                self.release(call_sid)

    async def _claim(self, call_sid: str) -> str:
        claiming = self._claims.take(call_sid)
        await asyncio.wait((claiming,), timeout=CLAIM_SECONDS)
        try:
            if claiming.done():
                return claiming.result()
            log.error(
                "! %s is not claimed: the disk is too slow; the call continues here", call_sid
            )
        except OSError as error:
            log.error("! %s is not claimed (%s); the call continues here", call_sid, error.strerror)
        return self.name
