"""Copy the journals of live calls to the cluster's store, so that another node can take them over.

    Journal.flush() --add()--> waiting lines of each call --each SHIP_SECONDS--> the store

`add` is called with lines that were just passed to the disk, in the event loop's thread. It only
appends them to a list. One task sends what waits, for all calls together. A node that crashes loses
at most the lines of the last `runtime.journal._BATCH_WAIT_SECONDS` and `SHIP_SECONDS`.

While the store is down the lines wait, `WAITING_BYTES` for each call at most. If there are more, or
if the store has lost what it had, the whole journal is read from the disk and sent again.

    resource           acquired          released
    the shipping task  shipping()        when its block ends
    waiting lines      add()             when they are sent, or drop()
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from hookflash.cluster.leases import LEASE_SECONDS, Leases
from hookflash.cluster.port import Append, Appended, ClusterStore, Lease, StoreDown

log = logging.getLogger("hookflash.cluster")

SHIP_SECONDS = 0.1
WAITING_BYTES = 256 * 1024
RETRY_SECONDS = 0.5
_BATCH = 50


@dataclass
class _Outgoing:
    """The journal of one call on its way. `total` is its length on this node's disk.

    `size` is its length in the store. `whole`: all of it must be sent. `full`: the store takes no
    more of it.
    """

    size: int = 0
    total: int = 0
    waiting: list[bytes] = field(default_factory=list)
    waiting_bytes: int = 0
    whole: bool = False
    full: bool = False


class JournalShipper:
    """Ships the journals of this node's calls. `read` returns a journal as the disk has it."""

    def __init__(
        self, store: ClusterStore, leases: Leases, *, read: Callable[[str], Awaitable[bytes]]
    ) -> None:
        self.bytes = 0
        """How many bytes were sent."""
        self._store = store
        self._leases = leases
        self._read = read
        self._calls: dict[str, _Outgoing] = {}
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()

    def begin(self, call_sid: str, size: int, *, stored: bool) -> None:
        """Continue a journal that has `size` bytes on the disk, and in the store if `stored`."""
        self._calls[call_sid] = _Outgoing(size=size, total=size, whole=not stored)
        self._news.set()

    def add(self, call_sid: str, data: bytes) -> None:
        """Take lines of a journal. Never waits."""
        call = self._calls.get(call_sid)
        if call is None:
            call = self._calls[call_sid] = _Outgoing()
        call.total += len(data)
        if call.full or call.whole:
            # They are read from the disk with the rest.
            return
        call.waiting.append(data)
        call.waiting_bytes += len(data)
        if call.waiting_bytes > WAITING_BYTES:
            self._send_whole(call)
        self._news.set()

    def send_again(self, call_sid: str) -> None:
        """Send the whole journal of a call of which the store has lost everything."""
        call = self._calls.get(call_sid)
        if call is not None:
            self._send_whole(call)
            self._news.set()

    def drop(self, call_sid: str) -> None:
        """Forget a call that this node does not have any more."""
        self._calls.pop(call_sid, None)

    async def flush(self, call_sid: str, *, seconds: float) -> bool:
        """Send what waits of a call now. Return whether the store has all of it."""
        with contextlib.suppress(TimeoutError, StoreDown):
            async with asyncio.timeout(seconds):
                await self._ship([call_sid])
        call = self._calls.get(call_sid)
        return call is not None and not (call.waiting or call.whole or call.full)

    async def flush_all(self, *, seconds: float) -> None:
        """Send what waits of all calls, when this process ends."""
        with contextlib.suppress(TimeoutError, StoreDown):
            async with asyncio.timeout(seconds):
                await self._ship(list(self._calls))

    @contextlib.asynccontextmanager
    async def shipping(self) -> AsyncIterator[None]:
        """Send journals while the block runs."""
        task = asyncio.create_task(self._ship_all(), name="ship journals")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _ship_all(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(SHIP_SECONDS)
            self._news.clear()
            try:
                due = [sid for sid, call in self._calls.items() if call.waiting or call.whole]
                for start in range(0, len(due), _BATCH):
                    await self._ship(due[start : start + _BATCH])
            except StoreDown:
                self._news.set()
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                # What waits is sent in the next round.
                log.exception("! copying the journals failed")
                self._news.set()
                await asyncio.sleep(RETRY_SECONDS)

    async def _ship(self, call_sids: list[str]) -> None:
        """Send what waits of these calls. Raises `StoreDown`, and then it still waits."""
        async with self._sending:
            sent: list[tuple[_Outgoing, list[bytes], Append]] = []
            for call_sid in call_sids:
                call, lease = self._calls.get(call_sid), self._leases.lease(call_sid)
                if call is None or lease is None:
                    continue
                if call.whole:
                    await self._ship_whole(call, lease)
                elif call.waiting:
                    lines, call.waiting, call.waiting_bytes = call.waiting, [], 0
                    sent.append((call, lines, Append(lease, call.size, b"".join(lines))))
            if not sent:
                return
            sent_at = self._leases.now()
            try:
                answers = await self._store.append(
                    [append for _, _, append in sent], seconds=LEASE_SECONDS
                )
            except BaseException:
                # Whether they have arrived is not known. If so, the store reports a gap.
                for call, lines, _ in sent:
                    call.waiting[:0] = lines
                    call.waiting_bytes += sum(map(len, lines))
                raise
            for (call, _, append), answer in zip(sent, answers, strict=True):
                self._note(call, append.lease, answer, sent_at)
                if answer.outcome == "done":
                    self.bytes += len(append.data)

    async def _ship_whole(self, call: _Outgoing, lease: Lease) -> None:
        """Send a journal from its beginning, as far as it was written when this began."""
        total = call.total
        call.whole = False
        try:
            data = (await self._read(lease.call_sid))[:total]
            sent_at = self._leases.now()
            answer = await self._store.replace(lease, data, seconds=LEASE_SECONDS)
        except BaseException:
            # A cancelled request may have been carried out, too: the whole journal is sent again.
            self._send_whole(call)
            raise
        self._note(call, lease, answer, sent_at)
        if answer.outcome == "done":
            self.bytes += len(data)

    def _note(self, call: _Outgoing, lease: Lease, answer: Appended, sent_at: float) -> None:
        """Note what the store has done with a part of a journal."""
        match answer.outcome:
            case "done":
                call.size = answer.size
                self._leases.prolonged(lease, sent_at)
            case "fenced":
                if self._leases.lease(lease.call_sid) == lease:
                    self._leases.lose(lease.call_sid)
            case "gap":
                self._send_whole(call)
                self._news.set()
            case _:
                call.full = True
                log.error(
                    "%s ! its journal is too long for the cluster's store: if this node is lost,"
                    " the call goes on elsewhere without its newest part",
                    lease.call_sid,
                )

    def _send_whole(self, call: _Outgoing) -> None:
        call.waiting, call.waiting_bytes, call.whole = [], 0, True
