"""Send one call's requests to the carrier's REST API, and check who is available.

Each request is a task. When it ends, successfully or not, it posts an event. So a slow request
cannot delay a barge-in, and a failed request cannot leave the call waiting.

A request to end a human's leg is retried until it succeeds, so that no phone keeps ringing after
the caller has hung up. A request to ring a human is retried after HTTP 429 (too many requests),
with growing pauses, within its ring time and only while the call still wants that human.

    resource            acquired                          released
    a task for REST     move(), limit(), end_leg()        its end, after a limited number of retries
    a task for a pause  pause_recording()                 its end, after a limited number of retries
    a task for a ring   ring()                            its end: at most the ring time plus
                                                          `RING_REQUEST_SECONDS`
    a task for a check  check()                           its end: at most
                                                          `AVAILABILITY_CHECK_SECONDS`
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

import msgspec

from hookflash.core.commands import BringAgent, CheckTargets, EndLeg, LimitCall, MoveCall, RingHuman
from hookflash.core.events import (
    AgentPrepared,
    AgentRefused,
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

RING_REQUEST_SECONDS = 5.0
"""How long one request to ring a human may take."""

AVAILABILITY_CHECK_SECONDS = 4.0
"""How long an availability check may take. After that, every target counts as available."""

TOO_MANY_REQUESTS = 429
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
"""Seconds before a ring request is retried; each pause is twice the one before.

Each pause is shortened at random by up to half, so that calls refused together do not retry
together.
"""

END_PAUSES = (0.5, 1.5, 4.0)
"""Seconds before each retry of a request to end a leg."""

RECORDING_PAUSES = (0.2, 0.5, 1.5)
"""Seconds before each retry of a request to pause or resume the carrier's recording."""

LIMIT_PAUSES = (2.0, 10.0, 30.0)
"""Seconds before each retry of a request to limit a call. No event follows from it."""


class EventInput:
    """The call's event input for tools, policies and requests, until the call is closed.

    Text in these events comes from outside (tools, policies, answers, errors), so it is made valid
    here. The indirection also breaks the reference cycle between a call and its tasks: a closed
    call is freed at once, without waiting for the garbage collector.
    """

    __slots__ = ("_post",)

    def __init__(self, post: EventSink) -> None:
        self._post: EventSink | None = post

    def __call__(self, event: AnyEvent) -> None:
        """Post `event` to the call; after `close` it is dropped."""
        if self._post is not None:
            self._post(made_valid(event))

    def close(self) -> None:
        self._post = None


class CarrierRequests:
    """The carrier requests of one call. `post` receives the event in which each request ends.

    `wanted` returns whether a ring request is still wanted. It is called before each retry.
    """

    def __init__(
        self,
        call_sid: str,
        ports: CallPorts,
        post: EventSink,
        *,
        wanted: Callable[[RingHuman], bool] = lambda what: True,
    ) -> None:
        self._call_sid = call_sid
        self._ports = ports
        self._post = post
        self._wanted = wanted
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_move: asyncio.Task[None] | None = None
        self._last_pause: asyncio.Task[None] | None = None
        self._recorded = True
        """Whether the carrier may be recording. Known after the first request to pause it."""
        self._limit_seconds: int | None = None
        """The limit that is being sent; None if none is."""

    def move(self, command: MoveCall) -> None:
        """Send the leg new instructions, after all earlier moves have ended.

        The carrier must not execute an older move last.
        """
        self._last_move = self._start(self._move(command, self._last_move))

    def limit(self, command: LimitCall) -> None:
        """Limit the call, after an earlier limit that is still being sent.

        The carrier must not set an older limit last.
        """
        sending, self._limit_seconds = self._limit_seconds is not None, command.seconds
        if not sending:
            self._start(self._limit())

    def pause_recording(self, *, paused: bool) -> None:
        """Pause or resume the carrier's recording, after all earlier requests of this kind."""
        self._last_pause = self._start(self._pause_recording(paused, self._last_pause))

    def ring(self, command: RingHuman) -> None:
        self._start(self._ring(command))

    def end_leg(self, command: EndLeg) -> None:
        self._start(self._end_leg(command))

    def check(self, command: CheckTargets) -> None:
        self._start(self._check(command))

    def bring(self, command: BringAgent) -> None:
        self._start(self._bring(command))

    async def settle(self, seconds: float) -> None:
        """Wait until all running requests have ended, for at most `seconds`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def close(self) -> None:
        """Cancel all running requests."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, request: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(request)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- the requests -------------------------------------------------------------------------

    async def _move(self, command: MoveCall, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        seconds = self._ports.clock.delay(command.seconds)
        try:
            await self._ports.control.move(self._call_sid, command.instructions, seconds=seconds)
        except CarrierError as error:
            self._log_refusal("the carrier did not move the call", error)
            refused = CarrierRefused(command.step, error.status, error.carrier_code, error.gone)
            self._post(refused)
        except Exception:
            # Whatever the error was, the call continues with the Connect action.
            log.exception("%s ! moving the call failed", self._call_sid)
            self._post(CarrierRefused(command.step))
        else:
            self._post(CallMoved(command.step))

    async def _limit(self) -> None:
        pauses = iter(LIMIT_PAUSES)
        while (seconds := self._limit_seconds) is not None:
            pause = None
            try:
                await self._ports.control.limit(self._call_sid, seconds)
            except CarrierError as error:
                self._log_refusal("the carrier did not limit the call", error)
                pause = next(pauses, None) if error.retryable else None
            except Exception:
                # Nothing awaits this task, so the error is logged here. The call goes on.
                log.exception("%s ! limiting the call failed", self._call_sid)
            if pause is not None:
                await asyncio.sleep(self._ports.clock.delay(pause))
            elif seconds == self._limit_seconds:
                self._limit_seconds = None

    async def _pause_recording(self, paused: bool, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait((before,))
        if not paused and not self._recorded:
            return
        what = "paused" if paused else "resumed"
        for pause in (*RECORDING_PAUSES, None):
            try:
                control = self._ports.control
                self._recorded = await control.pause_recording(self._call_sid, paused=paused)
                return
            except CarrierError as error:
                if error.gone:
                    return
                self._log_refusal(f"a recording at the carrier was not {what}", error)
                if not error.retryable:
                    break
            except Exception:
                # Nothing awaits this task, so it logs its own failure.
                log.exception("%s ! a recording at the carrier was not %s", self._call_sid, what)
                break
            if pause is not None:
                await asyncio.sleep(self._ports.clock.delay(pause))
        if paused:
            log.error(
                "%s ! a recording at the carrier could not be paused: if there is one, it has the"
                " tones of the keys that the caller presses now",
                self._call_sid,
            )

    async def _ring(self, command: RingHuman) -> None:
        wave, leg = command.wave, command.leg
        try:
            leg_sid = await self._place_call(command)
        except CarrierError as error:
            self._log_refusal("the carrier did not ring a human", error)
            refused = LegRefused(wave, leg, error.status, error.carrier_code, str(error))
            self._post(refused)
        except HookflashError as error:
            log.error("%s ! a human cannot be rung: %s", self._call_sid, error)
            self._post(LegRefused(wave, leg, reason=str(error)))
        except Exception:
            # Whatever the error was, the next target is rung.
            log.exception("%s ! ringing a human failed", self._call_sid)
            self._post(LegRefused(wave, leg, reason="ringing failed: see the log"))
        else:
            self._post(LegPlaced(wave, leg, leg_sid))

    async def _place_call(self, command: RingHuman) -> str:
        """Ring a human, with retries after 429. Return the leg's SID.

        Raises the error of the last attempt.
        """
        clock = self._ports.clock
        last = clock.now() + command.ring_seconds
        pause = FIRST_PAUSE
        while True:
            seconds = clock.delay(RING_REQUEST_SECONDS)
            try:
                return await self._ports.control.ring(self._call_sid, command, seconds=seconds)
            except CarrierError as error:
                if error.status != TOO_MANY_REQUESTS:
                    raise
                wait = max(pause * (1 - self._ports.chance() / 2), error.retry_after or 0.0)
                if clock.now() + wait > last:
                    raise
                log.info(
                    "%s ! the carrier refused to ring a human (429): retry in %.1f s",
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
                await self._ports.control.end_leg(leg_sid)
                return
            except CarrierError as error:
                self._log_refusal(f"the leg {leg_sid} was not ended", error)
                if not error.retryable:
                    return
            except Exception:
                # Nothing awaits this task, so it logs its own failure.
                log.exception("%s ! ending the leg %s failed", self._call_sid, leg_sid)
                return
            if pause is not None:
                await asyncio.sleep(self._ports.clock.delay(pause))
        log.error(
            "%s ! the leg %s could not be ended: it may keep ringing", self._call_sid, leg_sid
        )

    async def _check(self, command: CheckTargets) -> None:
        try:
            async with asyncio.timeout(self._ports.clock.delay(AVAILABILITY_CHECK_SECONDS)):
                checked = await self._ports.checks.check(command)
        except TimeoutError:
            log.warning(
                "%s ! the availability of %s was not known within %g s: all targets are rung",
                *(self._call_sid, command.destination, AVAILABILITY_CHECK_SECONDS),
            )
            checked = TargetsChecked(command.check)
        except Exception:
            # Ringing a human who is busy is better than ringing nobody.
            log.exception("%s ! checking %s failed", self._call_sid, command.destination)
            checked = TargetsChecked(command.check)
        self._post(checked)

    async def _bring(self, command: BringAgent) -> None:
        """Find another agent. What it is set up with may come from the owner's functions."""
        event: AnyEvent = AgentRefused(command.key)
        try:
            if self._ports.bring_agent is not None:
                setup = await self._ports.bring_agent(command.key)
                if setup is not None:
                    event = AgentPrepared(command.key, msgspec.to_builtins(setup))
        except Exception:
            # The task ends here. The agent that asked goes on.
            log.exception("%s ! the agent %s cannot be set up", self._call_sid, command.key)
        self._post(event)

    def _log_refusal(self, what: str, error: CarrierError) -> None:
        level = logging.INFO if error.gone else logging.WARNING
        log.log(level, "%s ! %s: %s", self._call_sid, what, error)
