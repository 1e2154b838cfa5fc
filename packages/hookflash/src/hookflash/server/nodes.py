"""Route everything that concerns a call to the node that has it, or take the call over.

    a webhook, an action or a stream arrives at a node
      this node has the call ------------------------------------------> it acts
      another node has it: a webhook or an action -- HTTP --> that node -> it answers
      another node has it: the caller's stream ----- HTTP --> that node -> it hands the call over
      no node has it: this node takes the lease, restores the call from its journal, and acts

A call lives where its media socket is. The voice webhook may reach any node, which takes the lease
and opens the model. If the stream reaches the same node, nothing else happens. If it reaches
another one, the call is handed over: the first node stops, the other one restores the call and goes
on. The agent's talks with humans about a caller (`consult`) stay with the caller's call, so their
streams are relayed instead.

One node has a call: it holds the lease (`cluster.leases`). A node that does not answer keeps its
calls until their leases lapse, which takes `LEASE_SECONDS`. Whatever reaches a node twice gets the
same answer.

If the store is down, the nodes ask each other who has a call. Nothing can be taken over then: a
call that no node has continues as a new one.

    resource            acquired                        released
    leases, journals    a call                          its end, its hand-over, or open()'s end
    the heartbeat       open()                          when its block ends
    tasks               attach(), a released call       their end, or when open()'s block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Protocol
from weakref import WeakValueDictionary

import msgspec

from hookflash.carriers.twilio.media import MediaStream, Sink
from hookflash.carriers.twilio.notes_stream import Attach as NotesAttach
from hookflash.carriers.twilio.notes_stream import NotesReceiver, NotesStream
from hookflash.carriers.twilio.webhooks import Forwarded, is_call_sid
from hookflash.cluster.journal_shipping import JournalShipper
from hookflash.cluster.leases import Leases
from hookflash.cluster.node_requests import NodeClient, NodeGone, NodeSignature
from hookflash.cluster.port import ClusterStore, Lease, Node, StoreDown
from hookflash.console.live_calls import LiveCalls, Report
from hookflash.console.shapes import CallDetail
from hookflash.core.events import AnyEvent, CallArrived
from hookflash.runtime.journal import Journals
from hookflash.runtime.switchboard import Switchboard, restores_call
from hookflash.server.carrier_answers import Answerer, Question
from hookflash.server.metrics import Counts
from hookflash.server.node_sockets import MEDIA, NOTES, RelayedStream, StreamRelay
from hookflash.server.request_auth import TOKEN_SECONDS, StreamTokens
from hookflash.server.worker_messages import (
    Answered,
    AnswerQuestion,
    AwaitReport,
    Counted,
    Detail,
    Elsewhere,
    GetDetail,
    GetLoad,
    HandedOver,
    HandOver,
    HasCall,
    Known,
    Load,
    PostEvent,
    ReachesStore,
    Refused,
    RelayStream,
    Reply,
    ReportCounts,
    Reported,
    Request,
    RingsHuman,
    decode_reply,
    decode_request,
    encode,
)

log = logging.getLogger("hookflash.cluster")

ANSWER_SECONDS = 4.2
"""How long a webhook may take: Twilio waits for 4.5 s (`urls.RETRY`), then it asks again."""

OWNER_SECONDS = 1.0
"""How long the node that has a call may take to answer before its lease is looked at again."""

SMALL_SECONDS = 0.3
"""How long a request that is answered from memory may delay a webhook."""

STREAM_SECONDS = 6.0
"""How long a stream waits for its call."""

HEARTBEAT_SECONDS = 1.0
NODE_SECONDS = 5.0
"""How often a node announces itself, and how long it counts as up after that."""

GONE_SECONDS = 2 * NODE_SECONDS
"""How long a node may be silent while the store is down until it counts as gone."""

LATE_SECONDS = 900.0
"""How long the journal of a call that is over stays in the store, for late webhooks."""

SETTLE_SECONDS = 0.5
"""How long requests to the carrier that are under way may delay a hand-over."""

PROBE_SECONDS = 0.8
"""How long another node may take to find out whether it reaches the store."""

REPORT_SECONDS = 1.0
_AGAIN_SECONDS = 0.1
_WAITING_EVENTS = 600
"""How many events of a stream wait for its call: twelve seconds of sound."""


class ProcessAnswerer(Answerer, Protocol):
    """Answers for the calls of this process (`carrier_answers.LocalAnswerer`)."""

    def rings(self, forwarded: Forwarded) -> bool: ...


class ArrivingStream:
    """Where a stream's events go until its call is here: they wait, and then they are delivered."""

    def __init__(self) -> None:
        self._sink: Sink | None = None
        self._events: deque[AnyEvent] = deque(maxlen=_WAITING_EVENTS)

    def __call__(self, event: AnyEvent) -> None:
        if self._sink is not None:
            self._sink(event)
        else:
            self._events.append(event)

    def deliver_to(self, sink: Sink) -> None:
        """Deliver what waits, and everything from now on, to `sink`."""
        while self._events:
            sink(self._events.popleft())
        self._sink = sink


class WaitingNotes:
    """A receiver of notes whose call is looked for."""

    def __init__(self) -> None:
        self._relay: StreamRelay | None = None
        self._over = False

    def relay_to(self, relay: StreamRelay) -> None:
        self._relay = relay
        if self._over:
            relay.ended()

    def hear(self, speaker: object, sound: object) -> None:
        """Lose what is heard before the relay begins."""

    def ended(self) -> None:
        self._over = True
        if self._relay is not None:
            self._relay.ended()


class Nodes:
    """This node among the others: satisfies `carrier_answers.Answerer` and
    `console.line_calls.LineCalls`.

    `node` is this node's entry in the registry. `live_calls` is what consoles see of its calls;
    None if the console is off. `relay` relays a stream to another node.
    """

    def __init__(
        self,
        node: Node,
        store: ClusterStore,
        *,
        leases: Leases,
        shipper: JournalShipper,
        client: NodeClient,
        signature: NodeSignature,
        tokens: StreamTokens,
        local_answerer: ProcessAnswerer,
        switchboard: Switchboard,
        journals: Journals,
        counts: Callable[[], Counts],
        now: Callable[[], float],
        live_calls: LiveCalls | None = None,
    ) -> None:
        self.name = node.name
        self.forwarded = 0
        self.handed_over = 0
        self.is_cut_off = False
        """Whether other nodes reached the store when this node last did not."""
        self._node = node
        self._store = store
        self._leases = leases
        self._shipper = shipper
        self._client = client
        self.signature = signature
        self._tokens = tokens
        self._local = local_answerer
        self._switchboard = switchboard
        self._journals = journals
        self._counts = counts
        self._now = now
        self._live_calls = live_calls
        self._others: dict[str, Node] = {}
        self._unanswered: dict[str, float] = {}
        """The nodes that did not answer their last request, and since when."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tokens_shown: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # --- for the carrier ----------------------------------------------------------------------

    async def answer(self, question: Question) -> str:
        """Return the answer of the node that has the call, or takes it now.

        Raises `TimeoutError` if that node is alive but does not answer.
        """
        call_sid = question.call_sid
        if not is_call_sid(call_sid):
            return await self._local.answer(question)
        if self._acts_for(call_sid):
            return await self._answer_here(question)
        if question.forwarded is not None and not question.loops:
            loops = await self._rings(question.forwarded)
            question = msgspec.structs.replace(question, loops=loops)
        if question.loops:
            return await self._local.answer(question)
        async with asyncio.timeout(ANSWER_SECONDS):
            if self._switchboard.draining and isinstance(question.asked, CallArrived):
                twiml = await self._answer_elsewhere(question)
                if twiml is not None:
                    return twiml
            while True:
                holder = await self._holder(call_sid)
                if holder == self.name:
                    if await self._bring(question):
                        return await self._answer_here(question)
                elif holder:
                    said = await self._ask_owner(holder, AnswerQuestion(question))
                    if isinstance(said, Answered):
                        self.forwarded += 1
                        return said.twiml
                # That node is gone, stands still, or has just given the call up.
                await asyncio.sleep(_AGAIN_SECONDS)

    async def take(self, call_sid: str, event: AnyEvent) -> bool:
        """Post an event through the node that has the call. Return False if the call is unknown.

        Raises `TimeoutError` if that node is alive but does not answer.
        """
        if not is_call_sid(call_sid):
            return await self._local.take(call_sid, event)
        if self._acts_for(call_sid):
            return await self._local.take(call_sid, event)
        async with asyncio.timeout(ANSWER_SECONDS):
            while True:
                holder = await self._owner(call_sid)
                if not holder and not restores_call(event):
                    return False
                holder = holder or await self._holder(call_sid)
                if holder == self.name:
                    if await self._bring_call(call_sid):
                        taken = await self._local.take(call_sid, event)
                        await self._settle(call_sid)
                        return taken
                elif holder:
                    said = await self._ask_owner(holder, PostEvent(call_sid, event))
                    if isinstance(said, Known):
                        return said.known
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _answer_elsewhere(self, question: Question) -> str | None:
        """Let another node take a new call, because this one drains."""
        nodes = [node for node in self._others.values() if not node.draining]
        for node in sorted(nodes, key=lambda node: node.live)[:2]:
            said = await self._ask_owner(node.name, AnswerQuestion(question))
            if isinstance(said, Answered):
                self.forwarded += 1
                return said.twiml
        return None

    async def _answer_here(self, question: Question) -> str:
        twiml = await self._local.answer(question)
        await self._settle(question.call_sid)
        if question.leg_sid and self._switchboard.has(question.leg_sid):
            # The agent talks with a human on that leg: its stream must find this node.
            if not self._leases.has(question.leg_sid):
                await self._leases.take(question.leg_sid)
        return twiml

    async def claim(self, call_sid: str) -> None:
        """Take the lease of a call that this node has placed."""
        if await self._leases.take(call_sid) is None:
            self._leases.take_without_lease(call_sid)

    async def _settle(self, call_sid: str) -> None:
        """Give up the lease of a call that was refused or is unknown."""
        if not self._switchboard.has(call_sid) and self._leases.has(call_sid):
            self._shipper.drop(call_sid)
            await self._leases.release(call_sid)

    async def _rings(self, forwarded: Forwarded) -> bool:
        """Return whether a call of any node rings the phone that forwarded a call."""
        if self._local.rings(forwarded):
            return True
        replies = await self._ask_all(RingsHuman(forwarded), seconds=SMALL_SECONDS)
        return any(isinstance(said, Known) and said.known for said in replies.values())

    # --- media streams ------------------------------------------------------------------------

    def redeem(self, call_sid: str, token: str) -> int | None:
        """Return the step of a stream's token; None if it is invalid.

        A token that another node has issued is valid if it is signed. Whether it was used is known
        once the call is here: until then nothing is done for its stream.
        """
        step = self._tokens.redeem(call_sid, token)
        if step is not None and self._acts_for(call_sid):
            self._start(self._note_use(token))
            return step
        if step is None:
            step = self._tokens.verify(call_sid, token)
        if step is None:
            self._tokens.refused += 1
        else:
            self._tokens_shown[call_sid] = token
        return step

    def attach(self, call_sid: str, stream: MediaStream) -> Sink | None:
        """Connect a stream whose token was just redeemed. Return where its events go."""
        token = self._tokens_shown.pop(call_sid, "")
        if not token and self._acts_for(call_sid):
            return self._switchboard.attach(call_sid, stream)
        arriving = ArrivingStream()
        self._start(self._fetch(call_sid, token, stream, arriving))
        return arriving

    async def _fetch(
        self, call_sid: str, token: str, stream: MediaStream, arriving: ArrivingStream
    ) -> None:
        """Bring a call to the stream that has arrived here. Close the stream if that fails."""
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                sink = await self._call_for(call_sid, token, stream)
        except TimeoutError:
            log.error("%s ! its stream is closed: no node gave the call up in time", call_sid)
            sink = None
        except Exception:
            # The task ends here. The carrier then asks for instructions.
            log.exception("%s ! bringing the call to its stream failed", call_sid)
            sink = None
        if sink is not None:
            arriving.deliver_to(sink)
        else:
            stream.close()

    async def _call_for(self, call_sid: str, token: str, stream: MediaStream) -> Sink | None:
        while True:
            holder = await self._holder(call_sid)
            if holder == self.name:
                if await self._bring_call(call_sid):
                    if token and not await self._first_use(token):
                        log.warning("%s ! media socket refused: its token was used", call_sid)
                        await self._settle(call_sid)
                        return None
                    sink = self._switchboard.attach(call_sid, stream)
                    await self._settle(call_sid)
                    return sink
            elif holder:
                said = await self._ask_owner(holder, HandOver(call_sid, token, self.name))
                if isinstance(said, HandedOver):
                    if await self._receive(call_sid, said):
                        return self._switchboard.attach(call_sid, stream)
                elif isinstance(said, RelayStream):
                    return self._relay(stream, holder, MEDIA, call_sid, token)
                elif isinstance(said, Refused):
                    log.warning("%s ! media socket refused by the node that has it", call_sid)
                    return None
            await asyncio.sleep(_AGAIN_SECONDS)

    def attach_notes(
        self, call_sid: str, step: int, stream: NotesStream, local: NotesAttach
    ) -> NotesReceiver | None:
        """Connect a notes stream with its call: here by `local`, or on another node."""
        token = self._tokens_shown.pop(call_sid, "")
        if self._switchboard.has(call_sid) or not token:
            return local(call_sid, step, stream)
        waiting = WaitingNotes()
        self._start(self._relay_notes(call_sid, token, stream, waiting))
        return waiting

    async def _relay_notes(
        self, call_sid: str, token: str, stream: NotesStream, waiting: WaitingNotes
    ) -> None:
        holder = await self._owner(call_sid)
        relay = self._relay(stream, holder, NOTES, call_sid, token)
        if relay is None:
            stream.close()
        else:
            waiting.relay_to(relay)

    def _relay(
        self, stream: RelayedStream, holder: str, path: str, call_sid: str, token: str
    ) -> StreamRelay | None:
        """Relay a stream to the node that has its call; None if that node is gone."""
        address = self.address(holder)
        if not address:
            return None
        return StreamRelay(stream, address, path, self.signature, call_sid=call_sid, token=token)

    def redeem_notes(self, call_sid: str, token: str) -> int | None:
        """Return the step of a notes stream's token; None if it is invalid."""
        step = self._tokens.redeem(call_sid, token)
        if step is None and (step := self._tokens.verify(call_sid, token)) is not None:
            self._tokens_shown[call_sid] = token
        return step

    def redeem_relayed(self, call_sid: str, token: str) -> int | None:
        """Return the step of the token of a stream that another node relays."""
        step = self._tokens.redeem(call_sid, token)
        return step if step is not None else self._tokens.verify(call_sid, token)

    async def _receive(self, call_sid: str, handed: HandedOver) -> bool:
        """Continue a call that its node has handed over. Return whether it is here."""
        async with self._lock(call_sid):
            if handed.number:
                self._leases.adopt(Lease(call_sid, self.name, handed.number), self._now())
            else:
                self._leases.take_without_lease(call_sid)
            return await self._restore(call_sid, handed.journal)

    async def _note_use(self, token: str) -> None:
        with contextlib.suppress(StoreDown):
            await self._store.use_once(token, seconds=TOKEN_SECONDS)

    async def _first_use(self, token: str) -> bool:
        try:
            return await self._store.use_once(token, seconds=TOKEN_SECONDS)
        except StoreDown:
            # Nobody can tell. It is signed and recent, and a caller waits.
            return True

    # --- for the console ----------------------------------------------------------------------

    def processes(self) -> Sequence[str]:
        """Return the names of the nodes that are up, this one first."""
        return (self.name, *self._others)

    def silent(self) -> Sequence[str]:
        """Return the names of the nodes that are up and did not answer their last request."""
        return tuple(sorted(self._unanswered.keys() & self._others.keys()))

    async def next_report(
        self, process: str, epoch: str, since: int, *, seconds: float
    ) -> Report | None:
        """Return which live calls of a node have changed; None if it does not answer."""
        asked = AwaitReport(epoch, since, seconds)
        if process == self.name:
            return (await self._report(asked)).report
        said = await self._ask(process, asked, seconds=seconds + REPORT_SECONDS)
        return said.report if isinstance(said, Reported) else None

    def has(self, call_sid: str) -> bool:
        """Return whether a call is in this process."""
        return self._switchboard.has(call_sid)

    async def address_of(self, call_sid: str) -> str:
        """Return the address of the other node that has a live call, or ""."""
        return self.address(await self._owner(call_sid))

    async def owner(self, call_sid: str) -> str:
        """Return the name of the node that has a live call, or ""."""
        return self.name if self._acts_for(call_sid) else await self._owner(call_sid)

    async def look_at(self, call_sid: str) -> CallDetail | None:
        """Return a live call of any node with all its parts, or None."""
        if self._switchboard.has(call_sid):
            return await self._detail(call_sid)
        if not is_call_sid(call_sid) or not (name := await self._owner(call_sid)):
            return None
        said = await self._ask(name, GetDetail(call_sid), seconds=REPORT_SECONDS)
        return said.detail if isinstance(said, Detail) else None

    async def _report(self, asked: AwaitReport) -> Reported:
        if self._live_calls is None:
            await asyncio.sleep(asked.seconds)
            return Reported(Report(epoch="", version=0, whole=True))
        report = await self._live_calls.next_report(asked.epoch, asked.since, seconds=asked.seconds)
        return Reported(report)

    async def _detail(self, call_sid: str) -> CallDetail | None:
        return await self._live_calls.detail(call_sid) if self._live_calls is not None else None

    async def gather_counts(self) -> list[Counts]:
        """Return the numbers of this machine's nodes that answer, this node's first."""
        names = [node.name for node in self._others.values() if node.host == self._node.host]
        replies = await self._ask_all(ReportCounts(), seconds=REPORT_SECONDS, names=names)
        others = [said.counts for said in replies.values() if isinstance(said, Counted)]
        return [self._counts(), *others]

    def fill_counts(self, counts: Counts) -> None:
        """Write this node's numbers into `counts`."""
        counts.webhooks_forwarded = self.forwarded
        counts.streams_handed_over = self.handed_over

    @property
    def ready(self) -> bool:
        """Whether the balancer may send requests here: not while only this node lacks the store."""
        return not (self._leases.down and self.is_cut_off)

    def address(self, name: str) -> str:
        """Return the address of another node, or "" if it is not up."""
        return self._others[name].address if name in self._others else ""

    # --- for the other nodes ------------------------------------------------------------------

    async def asked(self, body: bytes) -> bytes:
        """Answer another node's request. Raises `msgspec.DecodeError` if it cannot be read."""
        return encode(await self._reply(decode_request(body)))

    async def _reply(self, request: Request) -> Reply:
        match request:
            case AnswerQuestion():
                return await self._answer_for(request.question)
            case PostEvent():
                call_sid = request.call_sid
                if not await self._still_acts_for(call_sid):
                    return Elsewhere("")
                return Known(await self._local.take(call_sid, request.event))
            case HandOver():
                async with self._lock(request.call_sid):
                    return await self._hand_over(request)
            case RingsHuman():
                return Known(self._local.rings(request.forwarded))
            case HasCall():
                return Known(self._acts_for(request.call_sid))
            case ReachesStore():
                return Known(not self._leases.down and await self._leases.probe())
            case GetLoad():
                return Load(len(self._switchboard.live), self._switchboard.draining)
            case ReportCounts():
                return Counted(self._counts())
            case AwaitReport():
                return await self._report(request)
            case GetDetail():
                return Detail(await self._detail(request.call_sid))

    async def _answer_for(self, question: Question) -> Reply:
        """Answer another node's question, if the call is here or becomes this node's."""
        if not await self._still_acts_for(question.call_sid):
            holder = await self._holder(question.call_sid)
            if holder != self.name or not await self._bring(question):
                return Elsewhere(holder)
        return Answered(await self._answer_here(question))

    async def _hand_over(self, request: HandOver) -> Reply:
        """Give a call to the node that its stream has reached."""
        call_sid = request.call_sid
        if not await self._still_acts_for(call_sid):
            return Elsewhere("")
        await self._switchboard.restore(call_sid)
        driver = self._switchboard.find(call_sid)
        if driver is None:
            return Elsewhere("")
        if driver.call.setup.consult is not None or self._switchboard.consults_of(call_sid):
            return RelayStream()
        step = self._tokens.redeem(call_sid, request.token)
        if step is None:
            # Another node may have issued it, before it was lost.
            step = self._tokens.verify(call_sid, request.token)
            if step is None or not await self._first_use(request.token):
                return Refused()
        else:
            self._start(self._note_use(request.token))
        if driver.call.caller_leg.stream_sid is not None:
            return Refused()
        log.info("%s = handed over to node %s, where its stream is", call_sid, request.node)
        self.handed_over += 1
        return await self._pass_on(call_sid, request.node)

    async def _pass_on(self, call_sid: str, node: str) -> HandedOver:
        await self._switchboard.give_up(call_sid, seconds=SETTLE_SECONDS)
        if self._live_calls is not None:
            self._live_calls.forget(call_sid)
        stored = await self._shipper.flush(call_sid, seconds=SETTLE_SECONDS)
        self._shipper.drop(call_sid)
        lease = await self._leases.pass_on(call_sid, node)
        journal = b"" if stored and lease is not None else await self._journals.read(call_sid)
        await self._journals.discard(call_sid)
        return HandedOver(lease.number if lease is not None else 0, journal)

    # --- who has a call -----------------------------------------------------------------------

    def _acts_for(self, call_sid: str) -> bool:
        """Return whether this node has the call, and may act for it without asking anybody."""
        owned = self._owned(call_sid)
        return self._switchboard.has(call_sid) and self._leases.is_valid(owned)

    async def _still_acts_for(self, call_sid: str) -> bool:
        if not self._switchboard.has(call_sid):
            return False
        return await self._leases.confirm(self._owned(call_sid))

    def _owned(self, call_sid: str) -> str:
        """Return the call whose lease decides: for the agent's talk with a human, the caller's."""
        driver = self._switchboard.find(call_sid)
        consult = driver.call.setup.consult if driver is not None else None
        return consult.parent_sid if consult is not None else call_sid

    async def _holder(self, call_sid: str) -> str:
        """Return the node that has a call: this one, if no other has it.

        If this node is cut off from the store, it is a node that is not. "" means that this node
        reaches neither the store nor the others, so that it may take nothing.
        """
        if self._leases.recovering and (name := await self._find(call_sid)):
            # Its node may not have registered again.
            return name
        lease = await self._leases.take(call_sid) if not self._leases.down else None
        if lease is not None:
            return lease.node
        if name := await self._find(call_sid):
            return name
        reaching, isolated = await self._reach_of_others()
        if reaching:
            # Only this node is cut off, so another one has the call or can take it.
            return reaching[0]
        if not isolated:
            self._leases.take_without_lease(call_sid)
        return self.name if not isolated else ""

    async def _owner(self, call_sid: str) -> str:
        """Return the node that has a call, or ""."""
        if self._leases.has(call_sid):
            return self.name
        if not self._leases.down:
            try:
                lease = await self._store.owner(call_sid)
            except StoreDown:
                return await self._find(call_sid)
            return lease.node if lease is not None else ""
        return await self._find(call_sid)

    async def _find(self, call_sid: str) -> str:
        """Ask all nodes which of them has a call; return "" if none does."""
        if self._switchboard.has(call_sid):
            return self.name
        for name, said in (await self._ask_all(HasCall(call_sid), seconds=SMALL_SECONDS)).items():
            if isinstance(said, Known) and said.known:
                return name
        return ""

    async def _bring(self, question: Question) -> bool:
        """Restore the call of a question here, and the agent's talk on the leg that asks."""
        brought = await self._bring_call(question.call_sid)
        if brought and question.leg_sid and not self._switchboard.has(question.leg_sid):
            if self._leases.down or not isinstance(question.asked, CallArrived):
                await self._bring_leg(question.leg_sid)
        return brought

    async def _bring_leg(self, leg_sid: str) -> None:
        """Restore the agent's talk with a human, if a node that is lost had one on this leg."""
        try:
            if not await self._store.journal(leg_sid):
                return
        except StoreDown:
            return
        lease = await self._leases.take(leg_sid)
        if lease is not None and lease.node == self.name:
            await self._bring_call(leg_sid)
            await self._settle(leg_sid)

    async def _bring_call(self, call_sid: str) -> bool:
        """Restore a call whose lease this node has just taken. Return whether it has it still."""
        async with self._lock(call_sid):
            if self._switchboard.has(call_sid):
                return await self._leases.confirm(self._owned(call_sid))
            if not self._leases.has(call_sid):
                return False
            return await self._restore(call_sid)

    async def _restore(self, call_sid: str, journal: bytes = b"") -> bool:
        """Restore a call from a journal: the one given, the store's, or that of the disk."""
        stored = not journal
        if not journal and not self._leases.down:
            with contextlib.suppress(StoreDown):
                journal = await self._store.journal(call_sid)
        try:
            if journal:
                await self._journals.adopt(call_sid, journal)
            elif path := self._journals.find(call_sid):
                journal, stored = await asyncio.to_thread(path.read_bytes), False
        except OSError as error:
            log.error("%s ! its journal cannot be written here: %s", call_sid, error.strerror)
        if journal:
            self._shipper.begin(call_sid, len(journal), stored=stored)
            await self._switchboard.restore(call_sid)
        return True

    def _lock(self, call_sid: str) -> asyncio.Lock:
        """Return the lock that lets one task at a time bring a call here or hand it over."""
        return self._locks.setdefault(call_sid, asyncio.Lock())

    # --- requests to other nodes --------------------------------------------------------------

    async def _ask_owner(self, name: str, request: Request) -> Reply | None:
        """Return the reply of the node that has a call; None if it is gone or stands still."""
        return await self._ask(name, request, seconds=OWNER_SECONDS)

    async def _ask(self, name: str, request: Request, *, seconds: float) -> Reply | None:
        """Return the reply of a node, or None if it does not answer within `seconds`."""
        node = self._others.get(name)
        if node is None:
            await self._refresh()
            node = self._others.get(name)
        if node is None:
            return None
        try:
            said = await self._client.ask(node.address, encode(request), seconds=seconds)
            reply: Reply = decode_reply(said)
        except (NodeGone, TimeoutError, msgspec.DecodeError) as error:
            if name not in self._unanswered:
                log.warning("! node %s does not answer: %s", name, str(error) or "in time")
            since = self._unanswered.setdefault(name, self._now())
            if self._leases.down and self._now() - since > GONE_SECONDS:
                # The store cannot say that it is gone, and this node must not wait any longer.
                self._others.pop(name, None)
            return None
        self._unanswered.pop(name, None)
        return reply

    async def _ask_all(
        self, request: Request, *, seconds: float, names: Sequence[str] | None = None
    ) -> dict[str, Reply]:
        """Send a request to all nodes. Return the replies that arrive in time."""
        asked = list(self._others if names is None else names)
        replies = await asyncio.gather(
            *(self._ask(name, request, seconds=seconds) for name in asked)
        )
        return {name: said for name, said in zip(asked, replies, strict=True) if said is not None}

    async def cut_off(self) -> bool:
        """Return whether only this node cannot reach the store, as far as the others can tell.

        If there are other nodes and none of them answers, this node counts as cut off.
        """
        reaching, isolated = await self._reach_of_others()
        self.is_cut_off = bool(reaching) or isolated
        return self.is_cut_off

    async def _reach_of_others(self) -> tuple[list[str], bool]:
        """Return the other nodes that reach the store, and whether there are others and none
        answers."""
        if not self._others:
            return [], False
        replies = await self._ask_all(ReachesStore(), seconds=PROBE_SECONDS)
        reaching = [
            name for name, said in replies.items() if isinstance(said, Known) and said.known
        ]
        return reaching, not replies

    # --- this node's life ---------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Take part in the cluster while the block runs."""
        await self._announce()
        heartbeat = asyncio.create_task(self._heartbeat(), name="announce the node")
        try:
            async with self._leases.renewing(), self._shipper.shipping():
                yield
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, *self._tasks, return_exceptions=True)
            with contextlib.suppress(StoreDown):
                await self._store.leave()
            await self._client.close()

    def lost(self, call_sid: str) -> None:
        """Stop acting for a call that another node may act for."""
        self._start(self._give_up(call_sid))

    def forget(self, call_sid: str) -> None:
        """Delete what the store has of a call that was erased."""
        self._start(self._forget(call_sid))

    async def _forget(self, call_sid: str) -> None:
        try:
            await self._store.forget(call_sid)
        except StoreDown:
            log.warning(
                "%s ! the cluster's store does not answer: it has the journal of this erased call"
                " for up to %g minutes",
                *(call_sid, LATE_SECONDS / 60),
            )

    def released(self, call_sid: str) -> None:
        """Give up the lease of a call of which this node holds nothing any more."""
        self._start(self._retire(call_sid))

    async def hand_over_all(self) -> bool:
        """Give up all live calls at shutdown: the carrier's next request brings each elsewhere.

        Return False, and do nothing, if no other node is there to continue them.
        """
        await self._announce()
        # Nodes that are asked to end at the same time must not give their calls to each other.
        await asyncio.sleep(SMALL_SECONDS)
        await self._refresh()
        if all(node.draining for node in self._others.values()):
            return False
        live = [each.call_sid for each in self._switchboard.live]
        log.info("%d live calls are given to the other nodes", len(live))
        await asyncio.gather(*(self._leave_to_others(call_sid) for call_sid in live))
        return True

    async def _leave_to_others(self, call_sid: str) -> None:
        async with self._lock(call_sid):
            consults = self._switchboard.consults_of(call_sid)
            await self._switchboard.give_up(call_sid, seconds=SETTLE_SECONDS)
            for each in (call_sid, *consults):
                if await self._shipper.flush(each, seconds=SETTLE_SECONDS):
                    await self._journals.discard(each)
                self._shipper.drop(each)
                await self._leases.release(each)

    async def _give_up(self, call_sid: str) -> None:
        async with self._lock(call_sid):
            if self._leases.has(call_sid):
                # It has come back meanwhile.
                return
            await self._switchboard.give_up(call_sid)
            self._shipper.drop(call_sid)
            if self._live_calls is not None:
                self._live_calls.forget(call_sid)

    async def _retire(self, call_sid: str) -> None:
        async with self._lock(call_sid):
            if self._switchboard.has(call_sid):
                return
            await self._shipper.flush(call_sid, seconds=SETTLE_SECONDS)
            self._shipper.drop(call_sid)
            await self._leases.retire(call_sid, seconds=LATE_SECONDS)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await self._announce()
            except Exception:
                # One heartbeat is lost. The node counts as up for NODE_SECONDS.
                log.exception("! announcing the node failed")

    async def _announce(self) -> None:
        """Announce this node, and learn which others are up."""
        calls = self._switchboard
        node = msgspec.structs.replace(self._node, live=len(calls.live), draining=calls.draining)
        with contextlib.suppress(StoreDown):
            await self._store.announce(node, seconds=NODE_SECONDS)
        await self._refresh()
        if self._leases.down:
            # Whether this node is ready must be known without a call, too.
            await self.cut_off()

    async def _refresh(self) -> None:
        # While the store is down, the nodes that were up last are asked.
        try:
            nodes = await self._store.nodes()
        except StoreDown as error:
            self._leases.failed(error)
        else:
            self._leases.answered()
            self._others = {node.name: node for node in nodes if node.name != self.name}
            for gone in self._unanswered.keys() - self._others.keys():
                del self._unanswered[gone]

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("! a task of the cluster failed", exc_info=error)
