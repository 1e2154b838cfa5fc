"""Send deliveries from the store to the owner, with retries until each outlet accepts them.

    due --claimed--> offered to each outlet that wants it --> the outcome is saved

Any worker may claim a delivery. A claim is a lease for a limited time, so two workers never send
the same delivery at once. If a process dies, another worker claims its deliveries after the lease
ends. Each outlet gets a delivery at least once and recognises a repeated one by its id.
`core.delivery_retries` decides what follows an attempt.

    resource           acquired    released
    the sending task   start()     close(), which lets running attempts end
    a lease            a claim     the end of the attempts, close(), or its expiry
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from random import Random
from typing import Literal, Protocol

from hookflash.core.delivery import Delivery
from hookflash.core.delivery_retries import DEAD_SECONDS, Attempt, TrackedDelivery, attempted
from hookflash.runtime.log import masked
from hookflash.runtime.ports import Clock
from hookflash.runtime.wait_within import wait_within
from hookflash.world import SYSTEM

_log = logging.getLogger("hookflash.call.deliveries")

POLL_SECONDS = 15.0
"""How often to look for deliveries that other workers have stored or released."""

_AT_ONCE = 8
_LEASE_SLACK_SECONDS = 30.0
_SAVE_RETRY_SECONDS = (0.2, 1.0, 5.0)
_LONG = 300


class NotTaken(Exception):
    """An outlet refused a delivery. `retry_seconds` is the minimum delay it asked for."""

    def __init__(self, text: str, *, retry_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.retry_seconds = retry_seconds


class Outlet(Protocol):
    """One destination for deliveries. `name` is stored with each delivery that it has accepted.

    An attempt takes at most `seconds`.
    """

    @property
    def name(self) -> str: ...

    @property
    def seconds(self) -> float: ...

    def wants(self, delivery: Delivery) -> bool: ...

    async def send(self, stored: TrackedDelivery) -> None:
        """Send a delivery. Any exception means that it was not accepted."""
        ...


class ClaimStore(Protocol):
    """The store as the worker uses it: `stores.deliveries.DeliveryStore`."""

    async def claim(
        self, now: float, *, lease: str, seconds: float, limit: int
    ) -> Sequence[TrackedDelivery]: ...

    async def finish(self, stored: TrackedDelivery, lease: str) -> bool: ...

    async def release(self, lease: str) -> None: ...

    async def next_due(self) -> float | None: ...

    async def revive(self, now: float, *, state: Literal["unroutable"]) -> int: ...


class DeliveryWorker:
    """Sends deliveries that are due from `store` to `outlets`. Use it in the event loop's thread.

    `chance` adds jitter to the retries. Lease names are generated from `entropy`.
    """

    def __init__(
        self,
        store: ClaimStore,
        outlets: Sequence[Outlet],
        *,
        clock: Clock,
        dead_seconds: float = DEAD_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        chance: Callable[[], float] = SYSTEM.entropy("delivery-retry").random,
        entropy: Random = SYSTEM.entropy("delivery-lease"),
    ) -> None:
        self._store = store
        self._outlets = tuple(outlets)
        self._clock = clock
        self._dead_seconds = dead_seconds
        self._poll_seconds = poll_seconds
        self._chance = chance
        self._entropy = entropy
        self._lease_seconds = _LEASE_SLACK_SECONDS + max(
            (outlet.seconds for outlet in self._outlets), default=0.0
        )
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self.outcomes: dict[str, int] = {}
        """How many attempts ended as delivered, failed, dead or unroutable."""

    def start(self) -> None:
        """Start sending. Call it once, in the event loop's thread."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def wake_worker(self) -> None:
        """Look for due deliveries now: the store has a new one."""
        self._wake.set()

    async def close(self, seconds: float = 10.0) -> None:
        """Start no more attempts, let running ones end for at most `seconds`, and stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            _, late = await asyncio.wait([self._task], timeout=seconds)
            if late:
                _log.warning("! deliveries are cancelled; they are retried later")
                self._task.cancel()
                await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        failures, woken = 0, False
        while not self._closing:
            try:
                if not woken:
                    # An outlet that was added since the last start may want them now.
                    await self._store.revive(self._clock.now(), state="unroutable")
                    woken = True
                self._wake.clear()
                if await self._deliver_some():
                    continue
                due = await self._store.next_due()
                failures = 0
            except Exception as error:
                # The task must survive: the store may be available again soon.
                failures += 1
                level = logging.WARNING if failures == 1 else logging.DEBUG
                _log.log(level, "! deliveries cannot be read (%s)", type(error).__name__)
                due = self._clock.now() + min(2.0**failures, 60.0)
            await self._pause(due)

    async def _pause(self, due: float | None) -> None:
        """Wait until a delivery is due or the worker is woken."""
        if self._closing:
            # `close` may have woken the worker before it waited.
            return
        seconds = self._poll_seconds
        if due is not None:
            seconds = min(seconds, max(0.05, due - self._clock.now()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._clock.delay(seconds)):
                await self._wake.wait()

    async def _deliver_some(self) -> bool:
        """Claim due deliveries and attempt them concurrently. Return whether there were any."""
        lease = self._entropy.randbytes(16).hex()
        seconds = self._lease_seconds
        found = await self._store.claim(
            self._clock.now(), lease=lease, seconds=seconds, limit=_AT_ONCE
        )
        if not found:
            return False
        try:
            await asyncio.gather(*(self._attempt(stored, lease) for stored in found))
        except asyncio.CancelledError:
            await self._store.release(lease)
            raise
        return True

    async def _attempt(self, stored: TrackedDelivery, lease: str) -> None:
        wanted = [outlet for outlet in self._outlets if outlet.wants(stored.delivery)]
        missing = [outlet for outlet in wanted if outlet.name not in stored.accepted]
        failures = await asyncio.gather(*(self._offer(outlet, stored) for outlet in missing))
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
            stored,
            attempt,
            self._clock.now(),
            chance=self._chance(),
            dead_seconds=self._dead_seconds,
        )
        self._log_outcome(after)
        await self._save(after, lease)

    async def _offer(self, outlet: Outlet, stored: TrackedDelivery) -> NotTaken | None:
        """Send a delivery to `outlet`. Return the reason if it was not accepted."""
        try:
            await wait_within(outlet.send(stored), outlet.seconds)
        except NotTaken as refusal:
            return refusal
        except TimeoutError:
            return NotTaken(f"no answer within {outlet.seconds:g} s")
        except Exception as error:
            _log.exception("%s ! outlet %s failed", stored.delivery.call_sid, outlet.name)
            return NotTaken(masked(f"{type(error).__name__}: {error}")[:_LONG])
        return None

    async def _save(self, after: TrackedDelivery, lease: str) -> None:
        """Save the outcome of an attempt. Retry while the lease lasts; then it is delivered
        again."""
        for seconds in (*_SAVE_RETRY_SECONDS, None):
            try:
                await self._store.finish(after, lease)
                return
            except Exception as error:
                what = (after.delivery.call_sid, after.delivery.id, type(error).__name__)
                _log.warning("%s ! the outcome of delivery %s was not written (%s)", *what)
                if seconds is not None:
                    await asyncio.sleep(seconds)

    def _log_outcome(self, after: TrackedDelivery) -> None:
        outcome = "failed" if after.state == "waiting" else after.state
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        delivery = after.delivery
        what = (delivery.call_sid, delivery.kind, delivery.id)
        if after.state == "delivered":
            _log.info("%s = %s %s delivered to %s", *what, ", ".join(after.accepted))
        elif after.state == "unroutable":
            _log.warning("%s ! %s %s is unroutable: no outlet wants it", *what)
        elif after.state == "dead":
            _log.error("%s ! %s %s is given up: %s", *what, after.error)
        else:
            seconds = after.due_at - self._clock.now()
            _log.warning("%s ! %s %s again in %.0f s: %s", *what, seconds, after.error)
