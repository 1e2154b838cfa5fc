"""The other workers of a line, as one worker sees them: their names, load and calls.

Workers are found by their sockets in the data folder. That includes workers of another `hookflash
serve` on the same folder, such as one that drains while its successor already answers.

    resource               acquired             released
    the refresh task       refreshing()         when its block ends
    a peer's connection    the first request    when the peer is gone, or the block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable

import msgspec

from hookflash.cluster.peers import Peer, PeerGone
from hookflash.cluster.worker_sockets import WorkerSockets
from hookflash.server.worker_messages import (
    GetLoad,
    HasCall,
    Known,
    Load,
    Reply,
    Request,
    decode_reply,
    encode,
)

log = logging.getLogger("hookflash.workers")

REFRESH_SECONDS = 1.0
"""The time between two refreshes, and how long a worker may take to answer one."""

ANSWER_SECONDS = 0.3
"""How long a request that is answered from memory may delay a webhook."""
_MAX_OWNERS = 10_000


class PeerWorkers:
    """Sends requests to the other workers.

    `load` is the last known load of each worker that answers. `silent` are the workers that exist
    and did not answer in the last refresh.
    """

    def __init__(self, worker_sockets: WorkerSockets, name: str) -> None:
        self.load: dict[str, Load] = {}
        self.silent: tuple[str, ...] = ()
        self._worker_sockets = worker_sockets
        self._name = name
        self._peers: dict[str, Peer] = {}
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._dead: set[str] = set()

    async def ask(self, name: str, request: Request, *, seconds: float = ANSWER_SECONDS) -> Reply:
        """Return the reply of worker `name`. Raises `PeerGone`, or `TimeoutError` if it does not
        answer."""
        peer = self._peers.get(name)
        if peer is None:
            peer = self._peers[name] = Peer(self._worker_sockets.request_path(name))
        try:
            reply: Reply = decode_reply(await peer.ask(encode(request), seconds=seconds))
            return reply
        except msgspec.DecodeError as error:
            # A worker of another version on the same folder.
            raise PeerGone(f"its reply cannot be read: {error}") from None

    async def ask_all(
        self, request: Request, *, seconds: float = ANSWER_SECONDS
    ) -> dict[str, Reply]:
        """Send a request to all workers that answer. Return the replies that arrive in time."""
        return await self._ask_each(list(self.load), request, seconds)

    async def find(self, call_sid: str) -> str | None:
        """Return the worker that has a call: from memory, otherwise by asking all workers at
        once."""
        known = self._owners.get(call_sid)
        if known is not None:
            return known
        for name, said in (await self.ask_all(HasCall(call_sid))).items():
            if isinstance(said, Known) and said.known:
                self.remember(call_sid, name)
                return name
        return None

    def remember(self, call_sid: str, name: str) -> None:
        """Remember that worker `name` has the call."""
        self._owners[call_sid] = name
        while len(self._owners) > _MAX_OWNERS:
            self._owners.popitem(last=False)

    def forget(self, call_sid: str) -> None:
        """Forget which worker has the call."""
        self._owners.pop(call_sid, None)

    async def refresh(self) -> None:
        """Find new workers, drop those that are gone, and get the load of each."""
        names = await asyncio.to_thread(self._worker_sockets.names)
        names = [name for name in names if name != self._name]
        for name in self._peers.keys() - set(names):
            await self._forget(name)
        before, self._dead = self._dead, set()
        heard = await self._ask_each(names, GetLoad(), REFRESH_SECONDS)
        for name in before & self._dead:
            # Dead twice in a row: the process crashed. Once may be a process that is starting.
            await asyncio.to_thread(self._worker_sockets.remove, name)
        self.load = {name: said for name, said in heard.items() if isinstance(said, Load)}
        self.silent = tuple(sorted(set(names) - self.load.keys() - self._dead))

    @contextlib.asynccontextmanager
    async def refreshing(self) -> AsyncIterator[None]:
        """Refresh repeatedly while the block runs."""
        await self.refresh()
        rounds = asyncio.create_task(self._refresh_loop())
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.gather(rounds, return_exceptions=True)
            for name in list(self._peers):
                await self._forget(name)

    async def _refresh_loop(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except OSError as error:
                log.warning("! the folder of the workers cannot be read: %s", error.strerror)

    async def _ask_each(
        self, names: Iterable[str], request: Request, seconds: float
    ) -> dict[str, Reply]:
        asked = list(names)
        replies = await asyncio.gather(
            *(self.ask(name, request, seconds=seconds) for name in asked), return_exceptions=True
        )
        heard: dict[str, Reply] = {}
        for name, reply in zip(asked, replies, strict=True):
            if isinstance(reply, PeerGone):
                self.load.pop(name, None)
                if reply.dead:
                    self._dead.add(name)
            elif isinstance(reply, TimeoutError):
                log.warning("! worker %s does not answer", name)
            elif isinstance(reply, BaseException):
                raise reply
            else:
                heard[name] = reply
        return heard

    async def _forget(self, name: str) -> None:
        self.load.pop(name, None)
        await self._peers.pop(name).close()
