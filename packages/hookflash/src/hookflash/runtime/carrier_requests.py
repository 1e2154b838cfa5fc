"""What one call asks of the world that takes time: REST, and finding out who is there.

Each request is a task whose end, good or bad, is an event, so that nothing slow can delay a
barge-in and nothing that breaks can leave a call waiting. An order that ends a human's leg is
given again until it was taken: a telephone must not ring for a caller who is gone. An order to ring
a human that the carrier refuses with 429 (too many requests) is given again after growing pauses,
within the ring time of that order and only while that human is still wanted.

    resource            acquired                          released
    a task for REST     move(), end_leg()                 its end, at most a few tries' time
    a task for a ring   ring()                            its end, at most the order's ring time and
                                                          `RING_SECONDS`
    a task for a check  check()                           its end, at most `CHECK_SECONDS`
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from hookflash.core.commands import CheckTargets, EndLeg, MoveCall, RingHuman
from hookflash.core.events import (
    AnyEvent,
    CallMoved,
    CarrierRefused,
    LegPlaced,
    LegRefused,
    TargetsChecked,
)
from hookflash.errors import CarrierError, HookflashError
from hookflash.runtime.call_ports import CallPorts
from hookflash.runtime.ports import EventSink
from hookflash.runtime.valid_text import made_valid

log = logging.getLogger("hookflash.call")

RING_SECONDS = 5.0
"""How long the carrier has to take the order to ring somebody."""

CHECK_SECONDS = 4.0
"""How long it may take to find out who is there; then all count as free."""

TOO_MANY_REQUESTS = 429
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before an order to ring a human is given again; each pause is twice the one before. Each
is shortened at random by up to a half, so that calls refused together do not retry together."""

END_PAUSES = (0.5, 1.5, 4.0)
"""Seconds before an order to end a leg is given again."""


class Inlet:
    """Where what runs beside a call posts its events, until the call is let go.

    The texts of these events come from outside (tools, policies, answers, errors), so they are made
    valid here.

    It is what keeps a call and those beside it from holding each other: a call that nobody has any
    more is gone at once, and not when Python's garbage collector, which comes seldom, finds it.
    """

    __slots__ = ("_post",)

    def __init__(self, post: EventSink) -> None:
        self._post: EventSink | None = post

    def __call__(self, event: AnyEvent) -> None:
        """Post `event`; too late, it is dropped."""
        if self._post is not None:
            self._post(made_valid(event))

    def close(self) -> None:
        self._post = None


class CarrierRequests:
    """The carrier requests of one call; `post` gets the event in which each ends.

    `wanted` says whether an order to ring somebody is still wanted, before it is given again.
    """

    def __init__(
        self,
        call_sid: str,
        outside: CallPorts,
        post: EventSink,
        *,
        wanted: Callable[[RingHuman], bool] = lambda what: True,
    ) -> None:
        self._call_sid = call_sid
        self._outside = outside
        self._post = post
        self._wanted = wanted
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_move: asyncio.Task[None] | None = None

    def move(self, command: MoveCall) -> None:
        """Give the call other instructions, after those that it is being given already: the carrier
        must not carry out the older ones last."""
        self._last_move = self._start(self._move(command, self._last_move))

    def ring(self, command: RingHuman) -> None:
        self._start(self._ring(command))

    def end_leg(self, command: EndLeg) -> None:
        self._start(self._end_leg(command))

    def check(self, command: CheckTargets) -> None:
        self._start(self._check(command))

    async def close(self) -> None:
        """Give up what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, request: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(request)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- each, to its end ---------------------------------------------------------------------

    async def _move(self, command: MoveCall, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        seconds = self._outside.clock.delay(command.seconds)
        try:
            await self._outside.control.move(self._call_sid, command.instructions, seconds=seconds)
        except CarrierError as error:
            self._tell("the carrier did not move the call", error)
            refused = CarrierRefused(command.step, error.status, error.carrier_code, error.gone)
            self._post(refused)
        except Exception:
            # The call must go on by its second road, whatever it was.
            log.exception("%s ! moving the call failed", self._call_sid)
            self._post(CarrierRefused(command.step))
        else:
            self._post(CallMoved(command.step))

    async def _ring(self, command: RingHuman) -> None:
        wave, leg = command.wave, command.leg
        try:
            leg_sid = await self._order(command)
        except CarrierError as error:
            self._tell("the carrier did not ring a human", error)
            refused = LegRefused(wave, leg, error.status, error.carrier_code, str(error))
            self._post(refused)
        except HookflashError as error:
            log.error("%s ! a human cannot be rung: %s", self._call_sid, error)
            self._post(LegRefused(wave, leg, reason=str(error)))
        except Exception:
            # The next target is rung, whatever it was.
            log.exception("%s ! ringing a human failed", self._call_sid)
            self._post(LegRefused(wave, leg, reason="ringing failed: see the log"))
        else:
            self._post(LegPlaced(wave, leg, leg_sid))

    async def _order(self, command: RingHuman) -> str:
        """Give the order, again after each 429; return the SID of the leg. Raises what the last
        attempt raised."""
        clock = self._outside.clock
        last = clock.now() + command.ring_seconds
        pause = FIRST_PAUSE
        while True:
            seconds = clock.delay(RING_SECONDS)
            try:
                return await self._outside.control.ring(self._call_sid, command, seconds=seconds)
            except CarrierError as error:
                if error.status != TOO_MANY_REQUESTS:
                    raise
                wait = max(pause * (1 - self._outside.chance() / 2), error.retry_after or 0.0)
                if clock.now() + wait > last:
                    raise
                log.info(
                    "%s ! the carrier has too many requests (429) to ring a human: again in %.1f s",
                    *(self._call_sid, wait),
                )
                await asyncio.sleep(clock.delay(wait))
                if not self._wanted(command):
                    raise
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _end_leg(self, command: EndLeg) -> None:
        leg_sid = command.leg_sid
        for pause in (*END_PAUSES, None):
            try:
                await self._outside.control.end_leg(leg_sid)
                return
            except CarrierError as error:
                self._tell(f"the leg {leg_sid} was not ended", error)
                if not error.retryable:
                    return
            except Exception:
                # Nobody waits for this task: it has to say for itself what became of it.
                log.exception("%s ! ending the leg %s failed", self._call_sid, leg_sid)
                return
            if pause is not None:
                await asyncio.sleep(self._outside.clock.delay(pause))
        log.error("%s ! the leg %s could not be ended: it may ring on", self._call_sid, leg_sid)

    async def _check(self, command: CheckTargets) -> None:
        try:
            async with asyncio.timeout(self._outside.clock.delay(CHECK_SECONDS)):
                checked = await self._outside.checks.check(command)
        except TimeoutError:
            log.warning(
                "%s ! who is free in %s was not found out within %g s: all are rung",
                *(self._call_sid, command.destination, CHECK_SECONDS),
            )
            checked = TargetsChecked(command.check)
        except Exception:
            # Whatever it was: a human who is rung for nothing is better than none.
            log.exception("%s ! checking %s failed", self._call_sid, command.destination)
            checked = TargetsChecked(command.check)
        self._post(checked)

    def _tell(self, what: str, error: CarrierError) -> None:
        level = logging.INFO if error.gone else logging.WARNING
        log.log(level, "%s ! %s: %s", self._call_sid, what, error)
