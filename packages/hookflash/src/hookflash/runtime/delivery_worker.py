"""Brings deliveries from the store to the owner, again and again until they are taken.

    due --claimed--> offered to each outlet that wants it --> what came of it is kept

Any worker may do it: a claim is a lease for a bounded time, so that two never deliver the same at
once, and what a process that died was at work on is taken up by another, or by the next. A
delivery reaches each outlet at least once: an outlet knows by its id one that it has had.
`core.delivery_tracking` says what follows from an attempt.

    resource           acquired    released
    the sending task   start()     close(), which lets attempts end
    a lease            a claim     the end of the attempts, close(), or its time
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal, Protocol

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_tracking import DAY_SECONDS, Attempt, TrackedDelivery, attempted
from hookflash.runtime.bounded import within
from hookflash.runtime.log import masked
from hookflash.runtime.ports import Clock
from hookflash.world import SYSTEM

_log = logging.getLogger("hookflash.call.deliveries")

DEAD_SECONDS = 7 * DAY_SECONDS
POLL_SECONDS = 15.0
"""How often to look for what other workers have put there, or have let go of."""

_AT_ONCE = 8
_LEASE_SLACK_SECONDS = 30.0
_KEEP_SECONDS = (0.2, 1.0, 5.0)
_LONG = 300


class NotTaken(Exception):
    """An outlet did not take a delivery, and may have said how long to wait."""

    def __init__(self, text: str, *, retry_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


class Outlet(Protocol):
    """One way to the owner. `name` is kept with each delivery that it has taken; an attempt takes
    at most `seconds`."""

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    def wants(self, delivery: Delivery) -> bool: ...

    async def send(self, kept: TrackedDelivery) -> None:
        """Hand over a delivery. Whatever is raised means that it was not taken."""
        ...


class Claims(Protocol):
    """The shelf as the delivery worker sees it: a `stores.deliveries.DeliveryStore`."""

    async def claim(
        self, now: float, *, lease: str, seconds: float, limit: int
    ) -> Sequence[TrackedDelivery]: ...

    async def finish(self, kept: TrackedDelivery, lease: str) -> bool: ...

    async def release(self, lease: str) -> None: ...

    async def next_due(self) -> float | None: ...

    async def revive(self, now: float, *, state: Literal["kept"]) -> int: ...


class DeliveryWorker:
    """Delivers what is due on `shelf` to `outlets`. Used in the event loop's thread.

    `chance` spreads the retries; leases get their names from `entropy`.
    """

    def __init__(
        self,
        shelf: Claims,
        outlets: Sequence[Outlet],
        *,
        clock: Clock,
        dead_seconds: float = DEAD_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        chance: Callable[[], float] = SYSTEM.entropy("delivery-retry").random,
        entropy: Random = SYSTEM.entropy("delivery-lease"),
    ) -> None:
        self._shelf = shelf
        self._outlets = tuple(outlets)
        self._clock = clock
        self._dead_seconds = dead_seconds
        self._poll_seconds = poll_seconds
        self._chance = chance
        self._entropy = entropy
        self._lease_seconds = _LEASE_SLACK_SECONDS + max(
            (outlet.seconds for outlet in self._outlets), default=0.0
        )
        self._news = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.outcomes: dict[str, int] = {}
        """How often an attempt has ended as delivered, failed, dead or kept."""

    def start(self) -> None:
        """Begin to deliver. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._go_round())

    def poke(self) -> None:
        """There is something new on the shelf."""
        self._news.set()

    async def close(self, seconds: float = 10.0) -> None:
        """Begin nothing more, let attempts end for at most `seconds`, and stop."""
        self._closing = True
        self._news.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=seconds)
            if late:
                _log.warning("! deliveries are broken off; they are made again later")
                self._task.cancel()
                await asyncio.wait([self._task])
            self._task = None

    async def _go_round(self) -> None:
        failures, woken = 0, False
        while not self._closing:
            try:
                if not woken:
                    # What nobody wanted may be wanted by the agents and settings of now.
                    await self._shelf.revive(self._clock.now(), state="kept")
                    woken = True
                self._news.clear()
                if await self._deliver_some():
                    continue
                due = await self._shelf.next_due()
                failures = 0
            except Exception as error:
                # The task must live on: the shelf may be there again in a moment.
                failures += 1
                level = logging.WARNING if failures == 1 else logging.DEBUG
                _log.log(level, "! deliveries cannot be read (%s)", type(error).__name__)
                due = self._clock.now() + min(2.0**failures, 60.0)
            await self._pause(due)

    async def _pause(self, due: float | None) -> None:
        """Wait until something is due, or there is news."""
        seconds = self._poll_seconds
        if due is not None:
            seconds = min(seconds, max(0.05, due - self._clock.now()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._clock.delay(seconds)):
                await self._news.wait()

    async def _deliver_some(self) -> bool:
        """Claim what is due and attempt it, a few at once. Return whether there was anything."""
        lease = self._entropy.randbytes(16).hex()
        seconds = self._lease_seconds
        found = await self._shelf.claim(
            self._clock.now(), lease=lease, seconds=seconds, limit=_AT_ONCE
        )
        if not found:
            return False
        try:
            await asyncio.gather(*(self._attempt(kept, lease) for kept in found))
        except asyncio.CancelledError:
            await self._shelf.release(lease)
            raise
        return True

    async def _attempt(self, kept: TrackedDelivery, lease: str) -> None:
        wanted = [outlet for outlet in self._outlets if outlet.wants(kept.delivery)]
        missing = [outlet for outlet in wanted if outlet.name not in kept.accepted]
        failures = await asyncio.gather(*(self._offer(outlet, kept) for outlet in missing))
        pairs = list(zip(missing, failures, strict=True))
        attempt = Attempt(
            wanted=tuple(outlet.name for outlet in wanted),
            accepted=tuple(outlet.name for outlet, failure in pairs if failure is None),
            error="; ".join(
                f"{outlet.name}: {failure}" for outlet, failure in pairs if failure is not None
            ),
            retry_seconds=max(
                (failure.retry_seconds for failure in failures if failure is not None), default=0.0
            ),
        )
        after = attempted(
            kept,
            attempt,
            self._clock.now(),
            chance=self._chance(),
            dead_seconds=self._dead_seconds,
        )
        self._tell(after)
        await self._keep(after, lease)

    async def _offer(self, outlet: Outlet, kept: TrackedDelivery) -> NotTaken | None:
        """Return why `outlet` did not take a delivery; None: it has."""
        try:
            await within(outlet.send(kept), outlet.seconds)
        except NotTaken as refusal:
            return refusal
        except TimeoutError:
            return NotTaken(f"no answer within {outlet.seconds:g} s")
        except Exception as error:
            _log.exception("%s ! outlet %s failed", kept.delivery.call_sid, outlet.name)
            return NotTaken(masked(f"{type(error).__name__}: {error}")[:_LONG])
        return None

    async def _keep(self, after: TrackedDelivery, lease: str) -> None:
        """Keep what came of an attempt. A shelf that fails is tried again while the lease lasts;
        after that the delivery is made once more."""
        for seconds in (*_KEEP_SECONDS, None):
            try:
                await self._shelf.finish(after, lease)
                return
            except Exception as error:
                what = (after.delivery.call_sid, after.delivery.id, type(error).__name__)
                _log.warning("%s ! what came of delivery %s was not written (%s)", *what)
                if seconds is not None:
                    await asyncio.sleep(seconds)

    def _tell(self, after: TrackedDelivery) -> None:
        outcome = "failed" if after.state == "waiting" else after.state
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        delivery = after.delivery
        what = (delivery.call_sid, delivery.kind, delivery.id)
        if after.state == "delivered":
            _log.info("%s = %s %s delivered to %s", *what, ", ".join(after.accepted))
        elif after.state == "kept":
            _log.warning("%s ! %s %s is kept: no outlet wants it", *what)
        elif after.state == "dead":
            _log.error("%s ! %s %s is given up: %s", *what, after.error)
        else:
            seconds = after.due_at - self._clock.now()
            _log.warning("%s ! %s %s again in %.0f s: %s", *what, seconds, after.error)
