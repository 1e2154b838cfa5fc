"""Place calls: who may be called, when, how many at once, and what came of each.

    place() --> checked --> waits for a free line and its turn --> checked --> ordered --> live
                  +-- CallNotPlaced                                              +-- CarrierError

    checked     the prefix, the do-not-call list, the hours where the called party is, the spend

Nothing is placed if a check cannot be made: the list cannot be read, or the time zone is unknown.
A call is checked again after it has waited.

    resource     acquired   released
    a free line  place()    when the call has ended, or could not be placed
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import msgspec

from hookflash.agents.hours import parse_hours
from hookflash.core.caller_number import masked
from hookflash.core.country_zones import zone_of
from hookflash.core.handoff.ring_order import may_ring
from hookflash.core.handoff_plan import E164, Target
from hookflash.core.record import CallRecord
from hookflash.core.setup import OnMachine, Outbound
from hookflash.errors import CallNotPlaced, ConfigError
from hookflash.runtime.driver import Driver
from hookflash.runtime.ports import CallPlacer, Clock

log = logging.getLogger("hookflash.call")

PLACE_SECONDS = 10.0
"""How long the carrier may take to accept an order."""

_MOST_RING_SECONDS = 120
_MOST_CHARS = 4000


class CallOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the owner wants to be placed, checked for its form.

    - `to`: the number to call, in E.164 form.
    - `agent`: the name of the agent that speaks; "" if there is only one.
    - `caller_id`: the number that is shown; "" is the line's (`HOOKFLASH_CALLER_ID`).
    - `known`: what the agent knows of the call: whom it calls, and why.
    - `on_machine`: what happens if a mailbox answers.
    - `message`: what is left at a mailbox, word for word.
    - `time_zone`: the IANA zone of the called party; "" is that of the number's country.
    """

    to: str
    agent: str = ""
    caller_id: str = ""
    known: str = ""
    on_machine: OnMachine = "hang_up"
    message: str = ""
    ring_seconds: int = 30
    time_zone: str = ""

    def check(self) -> None:
        """Raise `ConfigError` if a value is invalid."""
        if not E164.fullmatch(self.to):
            raise ConfigError(
                f"place: expected a number such as +15550123 to call, got {masked(self.to)!r}"
            )
        if self.caller_id and not E164.fullmatch(self.caller_id):
            raise ConfigError("place: caller_id is a number of yours such as +15550100")
        if self.on_machine not in ("leave_message", "hang_up", "talk"):
            raise ConfigError(
                "place: on_machine is 'leave_message', 'hang_up' or 'talk', got"
                f" {self.on_machine!r}"
            )
        if self.on_machine == "leave_message" and not self.message.strip():
            raise ConfigError("place: on_machine='leave_message' needs the message to leave")
        if self.message and self.on_machine != "leave_message":
            raise ConfigError(
                "place: a message is only left with on_machine='leave_message'; add that, or"
                " remove the message"
            )
        if not 5 <= self.ring_seconds <= _MOST_RING_SECONDS:
            raise ConfigError(
                f"place: ring_seconds is 5 to {_MOST_RING_SECONDS}, got {self.ring_seconds}"
            )
        if max(len(self.known), len(self.message)) > _MOST_CHARS:
            raise ConfigError(f"place: known and message have at most {_MOST_CHARS} characters")


class CallRules(msgspec.Struct, frozen=True, kw_only=True):
    """The owner's rules. `hours` are without a time zone; "" is at any time."""

    caller_id: str = ""
    calls: int = 10
    per_second: float = 1.0
    hours: str = ""
    do_not_call: Path | None = None
    prefixes: tuple[str, ...] = ()


class OutboundLine(Protocol):
    """What places calls on this process's switchboard."""

    @property
    def draining(self) -> bool: ...

    async def place(
        self,
        agent: str,
        outbound: Outbound,
        *,
        caller: str,
        called: str,
        order: Callable[[], Awaitable[str]],
    ) -> Driver: ...


class PlacedCall:
    """A call that was placed. It rings, or was answered, or is over.

    `RunningLine.place` returns it. `call_sid` is the carrier's identifier of the call, `to` is who
    is called. `ended` gets its record; `placer` ends it.
    """

    def __init__(
        self, call_sid: str, to: str, ended: asyncio.Future[CallRecord], placer: CallPlacer
    ) -> None:
        self.call_sid = call_sid
        self.to = to
        self._ended = ended
        self._placer = placer

    def __repr__(self) -> str:
        return f"PlacedCall({self.call_sid!r})"

    async def ended(self) -> CallRecord:
        """Wait until the call is over, and return its record.

        The record's `disposition` says what came of it, such as `busy` or `handled_by_agent`.
        """
        return await asyncio.shield(self._ended)

    async def cancel(self) -> None:
        """End the call, ringing or answered. Raises `CarrierError` if the carrier refuses."""
        await self._placer.end_leg(self.call_sid)


class CallsOut:
    """Places the calls of one process. `spent` says whether the day's limit of spend is reached."""

    def __init__(
        self,
        line: OutboundLine,
        placer: CallPlacer,
        clock: Clock,
        rules: CallRules,
        *,
        spent: Callable[[], bool] = lambda: False,
    ) -> None:
        self._line = line
        self._placer = placer
        self._clock = clock
        self._rules = rules
        self._spent = spent
        self._free = asyncio.Semaphore(rules.calls)
        self._next_at = 0.0
        self._ended: dict[str, asyncio.Future[CallRecord]] = {}
        self._list = DoNotCall(rules.do_not_call) if rules.do_not_call is not None else None

    @property
    def live(self) -> int:
        """How many placed calls are not over."""
        return len(self._ended)

    async def place(self, order: CallOrder, *, wait: bool = True) -> PlacedCall:
        """Place a call, and return as soon as the carrier has accepted it.

        It waits while as many calls are live as the owner allows, unless `wait` is False. Raises
        `ConfigError` for an invalid order, `CallNotPlaced` if the call may not be placed, and
        `CarrierError` if the carrier refuses it.
        """
        order.check()
        await self._check(order)
        if not wait and self._free.locked():
            raise CallNotPlaced(
                f"{self._rules.calls} calls are out already, which is the limit"
                " (HOOKFLASH_MAX_CALLS_OUT)",
                reason="lines",
                retry_after=10.0,
            )
        await self._free.acquire()
        try:
            await self._wait_for_turn()
            # It may have waited for long.
            await self._check(order)
            return await self._place(order)
        except BaseException:
            # A cancelled order gives its place back, too.
            self._free.release()
            raise

    def call_ended(self, driver: Driver) -> None:
        """Give the record of an ended call to what waits for it."""
        ended = self._ended.pop(driver.call_sid, None)
        if ended is not None:
            self._free.release()
            if not ended.done():
                ended.set_result(driver.call.record(self._clock.now()))

    async def _place(self, order: CallOrder) -> PlacedCall:
        caller = order.caller_id or self._rules.caller_id
        if not caller:
            raise ConfigError(
                "place: no number of yours is known to call from: set HOOKFLASH_CALLER_ID, or pass"
                " caller_id"
            )
        outbound = Outbound(
            known=order.known,
            on_machine=order.on_machine,
            message=order.message,
            ring_seconds=order.ring_seconds,
        )

        async def ordered() -> str:
            return await self._placer.place(
                caller, order.to, order.ring_seconds, seconds=PLACE_SECONDS
            )

        driver = await self._line.place(
            order.agent, outbound, caller=caller, called=order.to, order=ordered
        )
        ended: asyncio.Future[CallRecord] = asyncio.get_running_loop().create_future()
        self._ended[driver.call_sid] = ended
        log.info("%s = placed to %s", driver.call_sid, masked(order.to))
        return PlacedCall(driver.call_sid, order.to, ended, self._placer)

    async def _wait_for_turn(self) -> None:
        now = self._clock.now()
        turn = max(now, self._next_at)
        self._next_at = turn + 1 / self._rules.per_second
        if turn > now:
            await asyncio.sleep(self._clock.delay(turn - now))

    # --- checks -------------------------------------------------------------------------------

    async def _check(self, order: CallOrder) -> None:
        if self._line.draining:
            raise CallNotPlaced("this process is about to stop", reason="draining")
        if self._spent():
            raise CallNotPlaced(
                "HOOKFLASH_MAX_DAILY_SPEND is spent until midnight UTC", reason="spend"
            )
        if not may_ring(Target.phone(order.to), self._rules.prefixes):
            raise CallNotPlaced(
                f"no prefix of HOOKFLASH_DIAL_PREFIXES permits {masked(order.to)}", reason="prefix"
            )
        if self._list is not None and await self._list.has(order.to):
            raise CallNotPlaced(
                f"{masked(order.to)} is on the do-not-call list (HOOKFLASH_DO_NOT_CALL)",
                reason="do_not_call",
            )
        if self._rules.hours:
            self._check_hours(order)

    def _check_hours(self, order: CallOrder) -> None:
        zone = order.time_zone or zone_of(order.to)
        if zone is None:
            raise CallNotPlaced(
                f"the time zone of {masked(order.to)} is not known, because its country has"
                " several: pass time_zone, such as America/New_York, or set"
                " HOOKFLASH_CALLING_HOURS=off",
                reason="time_zone",
            )
        hours = parse_hours(f"{self._rules.hours} {zone}")
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        if hours.open_at(now):
            return
        opens = hours.opens_next(now)
        raise CallNotPlaced(
            f"it is {now.astimezone(hours.zone):%H:%M} in {zone}, and HOOKFLASH_CALLING_HOURS is"
            f" {self._rules.hours}",
            reason="hours",
            retry_after=None if opens is None else (opens - now).total_seconds(),
        )


class DoNotCall:
    """Numbers that are never called, from a file with one a line. `#` begins a comment.

    The file is read again when it changes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._numbers: frozenset[str] = frozenset()

    async def has(self, number: str) -> bool:
        """Return whether a number is on the list. Raises `ConfigError` if it cannot be read."""
        await asyncio.to_thread(self._read)
        return number in self._numbers

    def _read(self) -> None:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp == self._stamp:
                return
            lines = self._path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                "HOOKFLASH_DO_NOT_CALL: the list cannot be read"
                f" ({getattr(error, 'strerror', None) or 'it is not UTF-8'}), so no call is placed"
            ) from error
        numbers = set()
        for place, line in enumerate(lines, start=1):
            text = re.sub(r"[\s().-]", "", line.partition("#")[0])
            if text and not E164.fullmatch(text):
                raise ConfigError(
                    f"HOOKFLASH_DO_NOT_CALL: line {place} is no number such as +15550123; correct"
                    " it, because no call is placed until then"
                )
            if text:
                numbers.add(text)
        self._numbers, self._stamp = frozenset(numbers), stamp
