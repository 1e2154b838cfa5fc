"""The leases of this node: which calls it may act for, and until when.

    FREE --take()--> HELD --renewed each RENEW_SECONDS--> HELD
                      |--another node took it------------> lost: stop acting
                      |--cut off until the lease lapsed--> lost: stop acting
                      |--release(), retire(), pass_on()--> FREE

A lease is valid for `LEASE_SECONDS` from when the request for it was sent. So this node stops
acting before the store lets another node act, however long the answer took or this process stood
still. Nothing that plays or hears sound asks for a lease: what changes something outside does.

If the store does not answer, it may be down for all nodes, or this node may be cut off. The other
nodes are asked. If none of them reaches the store either, nobody can take a call: the calls go on
without leases. If one of them reaches it, or none of several answers, this node stops acting for
its calls, because another node may act for them.

    resource           acquired         released
    the renewing task  renewing()       when its block ends
    leases             take(), adopt()  release(), retire(), pass_on(), when lost, or by lapsing
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from hookflash.cluster.port import AGAIN, ClusterStore, Lease, StoreDown

log = logging.getLogger("hookflash.cluster")

LEASE_SECONDS = 2.0
"""How long a call has no owner after its owner has crashed. Twilio waits 4.5 s for an answer."""

RENEW_SECONDS = 0.5
_BATCH = 100
_RECOVERY_SECONDS = 2 * LEASE_SECONDS
_EXCUSE_SECONDS = LEASE_SECONDS + RENEW_SECONDS
"""How long calls go on without leases after the other nodes were asked: until they are asked again.
"""

_CUT_OFF_ROUNDS = 2
"""How often in a row others must reach the store, and this node not, before it stops acting."""


@dataclass
class _Held:
    """A call of this node. `lease` is None if the store was down when it was taken."""

    lease: Lease | None
    valid_until: float


class Leases:
    """The leases of node `name`. `now` is a clock that never goes back.

    `cut_off` asks the other nodes whether only this node cannot reach the store. `on_lost` is
    called with the call SID of each call that this node may not act for any more.
    """

    def __init__(
        self,
        store: ClusterStore,
        name: str,
        *,
        now: Callable[[], float],
        cut_off: Callable[[], Awaitable[bool]],
        on_lost: Callable[[str], object],
    ) -> None:
        self.down = False
        """Whether the store did not answer the last request."""
        self.on_forgotten: Callable[[str], object] = lambda call_sid: None
        """Called with a call of this node of which the store has lost everything."""
        self._store = store
        self._name = name
        self._now = now
        self._cut_off = cut_off
        self._on_lost = on_lost
        self._held: dict[str, _Held] = {}
        self._excused_until = 0.0
        """Until when calls go on without leases, because the store is down for all nodes."""
        self._cut_off_rounds = 0
        self._recovered_at = -math.inf

    # --- asking -------------------------------------------------------------------------------

    def now(self) -> float:
        """Return the time that leases are measured by."""
        return self._now()

    def has(self, call_sid: str) -> bool:
        """Return whether this node has taken the call and not lost or given it up since."""
        return call_sid in self._held

    def is_valid(self, call_sid: str) -> bool:
        """Return whether this node may act for the call now. Asks nobody."""
        held = self._held.get(call_sid)
        if held is None:
            return False
        now = self._now()
        return now < held.valid_until or now < self._excused_until

    @property
    def recovering(self) -> bool:
        """Whether the store has just come back: other nodes may not have registered their calls."""
        return self._now() - self._recovered_at < _RECOVERY_SECONDS

    def lease(self, call_sid: str) -> Lease | None:
        """Return the lease of a call, if there is one."""
        held = self._held.get(call_sid)
        return held.lease if held is not None else None

    async def confirm(self, call_sid: str) -> bool:
        """Return whether this node may act for the call, from the store if necessary."""
        if self.is_valid(call_sid):
            return True
        if call_sid in self._held:
            await self._renew([call_sid])
        return self.is_valid(call_sid)

    # --- taking and giving --------------------------------------------------------------------

    async def take(self, call_sid: str) -> Lease | None:
        """Return the lease of a call, this node's if no other has one; None if the store is down.

        If the store is down, nothing is taken: `take_without_lease` does that.
        """
        sent_at = self._now()
        try:
            lease = await self._store.acquire(call_sid, seconds=LEASE_SECONDS)
        except StoreDown as error:
            self.failed(error)
            return None
        self.answered()
        if lease.node == self._name:
            self.adopt(lease, sent_at)
        return lease

    def take_without_lease(self, call_sid: str) -> None:
        """Act for a call although the store is down. A lease is taken as soon as it answers."""
        self._held.setdefault(call_sid, _Held(None, 0.0))
        self._excused_until = max(self._excused_until, self._now() + LEASE_SECONDS)

    def adopt(self, lease: Lease, sent_at: float) -> None:
        """Note a lease of this node that was asked for at `sent_at`."""
        self._held[lease.call_sid] = _Held(lease, sent_at + LEASE_SECONDS)

    def prolonged(self, lease: Lease, sent_at: float) -> None:
        """Note that a request at `sent_at` has renewed a lease."""
        held = self._held.get(lease.call_sid)
        if held is not None and held.lease == lease:
            held.valid_until = max(held.valid_until, sent_at + LEASE_SECONDS)

    async def pass_on(self, call_sid: str, node: str) -> Lease | None:
        """Give a call to another node. Return its lease, or None if the store gave it none."""
        held = self._held.pop(call_sid, None)
        if held is None or held.lease is None:
            return None
        try:
            return await self._store.pass_on(held.lease, node, seconds=LEASE_SECONDS)
        except StoreDown as error:
            self.failed(error)
            return None

    async def release(self, call_sid: str) -> None:
        """Give up a call, so that any node can take it."""
        held = self._held.pop(call_sid, None)
        if held is not None and held.lease is not None:
            with contextlib.suppress(StoreDown):
                await self._store.release(held.lease)

    async def release_all(self) -> None:
        """Give up all calls, when this process ends."""
        await asyncio.gather(*(self.release(call_sid) for call_sid in list(self._held)))

    async def retire(self, call_sid: str, *, seconds: float) -> None:
        """Give up a call that is over. Its journal stays in the store for `seconds`."""
        held = self._held.pop(call_sid, None)
        if held is not None and held.lease is not None:
            with contextlib.suppress(StoreDown):
                await self._store.retire(held.lease, seconds=seconds)

    def lose(self, call_sid: str) -> None:
        """Stop acting for a call that another node may act for."""
        if self._held.pop(call_sid, None) is not None:
            log.warning("%s ! another node may have the call: this node stops acting", call_sid)
            self._on_lost(call_sid)

    # --- renewing -----------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def renewing(self) -> AsyncIterator[None]:
        """Renew the leases while the block runs."""
        rounds = asyncio.create_task(self._renew_rounds(), name="renew leases")
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.gather(rounds, return_exceptions=True)

    async def _renew_rounds(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                # What an append has just renewed can wait for the next round.
                last = self._now() + LEASE_SECONDS - 2 * RENEW_SECONDS
                due = [sid for sid, held in self._held.items() if held.valid_until <= last]
                for start in range(0, len(due), _BATCH):
                    await self._renew(due[start : start + _BATCH])
                if not due and self.down:
                    await self.probe()
            except Exception:
                # One round is lost. The next one renews the leases.
                log.exception("! renewing the leases failed")

    async def _renew(self, call_sids: list[str]) -> None:
        """Renew these leases, and take those that are missing."""
        sent_at = self._now()
        held = [(sid, self._held[sid].lease) for sid in call_sids if sid in self._held]
        leases = [lease for _, lease in held if lease is not None]
        try:
            answers = await self._store.renew(leases, seconds=LEASE_SECONDS) if leases else []
            for lease, still in zip(leases, answers, strict=True):
                if still:
                    self.prolonged(lease, sent_at)
                    if still == AGAIN:
                        self.on_forgotten(lease.call_sid)
                elif self.lease(lease.call_sid) == lease:
                    self.lose(lease.call_sid)
            for call_sid, missing in held:
                if missing is None and call_sid in self._held:
                    await self._take_late(call_sid)
        except StoreDown as error:
            self.failed(error)
            await self._judge()
        else:
            self.answered()

    async def _take_late(self, call_sid: str) -> None:
        """Take the lease of a call that began while the store was down."""
        sent_at = self._now()
        lease = await self._store.acquire(call_sid, seconds=LEASE_SECONDS)
        if lease.node == self._name:
            self.adopt(lease, sent_at)
        else:
            self.lose(call_sid)

    async def probe(self) -> bool:
        """Ask the store for something. Return whether it answers."""
        try:
            await self._store.nodes()
        except StoreDown as error:
            self.failed(error)
            return False
        self.answered()
        return True

    async def _judge(self) -> None:
        """Decide whether the calls go on without leases."""
        if not await self._cut_off():
            self._cut_off_rounds = 0
            self._excused_until = self._now() + _EXCUSE_SECONDS
            return
        self._cut_off_rounds += 1
        if self._cut_off_rounds >= _CUT_OFF_ROUNDS:
            for call_sid in [sid for sid in self._held if not self.is_valid(sid)]:
                self.lose(call_sid)

    def failed(self, error: StoreDown) -> None:
        """Note that the store did not answer a request."""
        if not self.down:
            self.down = True
            log.error(
                "! the cluster's store does not answer (%s): live calls go on, and new calls are"
                " served, but no other node can take them over",
                error,
            )

    def answered(self) -> None:
        """Note that the store has answered a request."""
        self._cut_off_rounds = 0
        if self.down:
            self.down = False
            self._recovered_at = self._now()
            log.info("the cluster's store answers again: %d calls are registered", len(self._held))
