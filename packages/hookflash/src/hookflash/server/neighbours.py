"""The other workers of a line, as one of them sees them: who there is, how busy, with which calls.

They are found by their sockets in the data folder, also those of another `hookflash serve` on the
same folder, such as one that drains while its successor already answers.

    resource            acquired             released
    the round's task    meeting()            when its block ends
    a peer's link       when it is met       when it is gone, or the block ends
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable

import msgspec

from hookflash.cluster.peers import Peer, PeerGone
from hookflash.cluster.places import Places
from hookflash.server.worker_messages import (
    Greet,
    HasCall,
    Known,
    Load,
    Reply,
    Request,
    decode_reply,
    encode,
)

log = logging.getLogger("hookflash.workers")

ROUND_SECONDS = 1.0
"""How long there is between two rounds, and how long a worker has to greet back in one."""

ANSWER_SECONDS = 0.3
"""How long a question that is answered from memory may hold up a webhook."""
_OWNERS_KEPT = 10_000


class Neighbours:
    """Asks the other workers. `load` is what was last heard of each that answers; `silent` are
    those that are there, and did not answer in the last round."""

    def __init__(self, places: Places, name: str) -> None:
        self.load: dict[str, Load] = {}
        self.silent: tuple[str, ...] = ()
        self._places = places
        self._name = name
        self._peers: dict[str, Peer] = {}
        self._owners: OrderedDict[str, str] = OrderedDict()
        self._dead: set[str] = set()

    async def ask(self, name: str, request: Request, *, seconds: float = ANSWER_SECONDS) -> Reply:
        """Return what `name` says. Raises `PeerGone`, or `TimeoutError` if it is silent."""
        peer = self._peers.get(name)
        if peer is None:
            peer = self._peers[name] = Peer(self._places.ask(name))
        try:
            reply: Reply = decode_reply(await peer.ask(encode(request), seconds=seconds))
            return reply
        except msgspec.DecodeError as error:
            # One of another version on the same folder.
            raise PeerGone(f"it answered what cannot be read: {error}") from None

    async def ask_all(
        self, request: Request, *, seconds: float = ANSWER_SECONDS
    ) -> dict[str, Reply]:
        """Ask all who are known to answer, at once; return what came in time."""
        return await self._ask_each(list(self.load), request, seconds)

    async def find(self, call_sid: str) -> str | None:
        """Return who has a call: from memory, else by asking everybody at once."""
        known = self._owners.get(call_sid)
        if known is not None:
            return known
        for name, said in (await self.ask_all(HasCall(call_sid))).items():
            if isinstance(said, Known) and said.known:
                self.remember(call_sid, name)
                return name
        return None

    def remember(self, call_sid: str, name: str) -> None:
        """`name` has the call, until it turns out otherwise."""
        self._owners[call_sid] = name
        while len(self._owners) > _OWNERS_KEPT:
            self._owners.popitem(last=False)

    def forget(self, call_sid: str) -> None:
        """Who had the call has it no more."""
        self._owners.pop(call_sid, None)

    async def meet(self) -> None:
        """Go round once: find who has come, forget who is gone, hear how busy they are."""
        names = await asyncio.to_thread(self._places.names)
        names = [name for name in names if name != self._name]
        for name in self._peers.keys() - set(names):
            await self._forget(name)
        before, self._dead = self._dead, set()
        heard = await self._ask_each(names, Greet(), ROUND_SECONDS)
        for name in before & self._dead:
            # Twice in a row: a process that crashed, and not one that is just being born.
            await asyncio.to_thread(self._places.remove, name)
        self.load = {name: said for name, said in heard.items() if isinstance(said, Load)}
        self.silent = tuple(sorted(set(names) - self.load.keys() - self._dead))

    @contextlib.asynccontextmanager
    async def meeting(self) -> AsyncIterator[None]:
        """Go round again and again while the block runs."""
        await self.meet()
        rounds = asyncio.create_task(self._rounds())
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.gather(rounds, return_exceptions=True)
            for name in list(self._peers):
                await self._forget(name)

    async def _rounds(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self.meet()
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
                log.warning("! worker %s is silent", name)
            elif isinstance(reply, BaseException):
                raise reply
            else:
                heard[name] = reply
        return heard

    async def _forget(self, name: str) -> None:
        self.load.pop(name, None)
        await self._peers.pop(name).close()
