"""What changes, as server-sent events: the list of calls for everybody, one call whole for who
has it open.

    processes --reports--> the list --+
                                      +--> ring --> every page that listens
    processes --a look---> one call --+

A process that is there and does not answer is told as missing, and what it last said stays: its
calls most likely go on.

Nothing is asked of any process while nobody listens, and for `IDLE_SECONDS` after the last one
has gone, so that a page which comes back finds the ring as it left it. Each page reads the ring
by its own number: a slow one holds up nobody, and gets a snapshot when it has fallen too far
behind.

    resource                    acquired                    released
    the keeper's task           the first page              IDLE_SECONDS after the last, or close()
    a task for each process     the keeper                  with the process, or the keeper
    a task for each open call   the first page with it      the same for that call
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from random import Random
from typing import Any

import msgspec

from hookflash.console.live import Report
from hookflash.console.reach import Reach
from hookflash.console.ring import Ring
from hookflash.console.shapes import (
    AnyFeedMessage,
    CallDetail,
    CallEntry,
    CallOver,
    CallPatched,
    CallsChanged,
    CallShown,
    PartMissing,
    Parts,
    Snapshot,
)
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

LOOK_SECONDS = 0.15
"""How often an open call is looked at."""

OVER_SECONDS = 2.0
"""How often one that is over is looked at: it may come back."""

REPORT_SECONDS = 5.0
KEEP_SECONDS = 1.0
SETTLE_SECONDS = 1.0
IDLE_SECONDS = 60.0
LOST_SECONDS = 5.0
"""How long a process may be missing before its calls are no longer shown: it may be busy."""

COMMENT_SECONDS = 10.0
_MISSES = 5
"""So many looks in a row must find nobody who has a call before it counts as over."""

encode = msgspec.json.Encoder().encode

Alive = Callable[[], Awaitable[bool]]
"""Whether who listens may still do so."""


class _Open(msgspec.Struct):
    """A call that pages have open. `since` is the ring's number when it was first looked at."""

    call_sid: str
    since: int
    pages: int = 0
    detail: CallDetail | None = None
    over: bool = False
    misses: int = 0
    left_at: float = 0.0
    task: asyncio.Task[None] | None = None


class Feed:
    """The feed of one process. `now` is the clock of the calls."""

    def __init__(
        self,
        reach: Reach,
        now: Callable[[], float],
        *,
        look_seconds: float = LOOK_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        comment_seconds: float = COMMENT_SECONDS,
        ring: Callable[[], Ring] = Ring,
        entropy: Random = SYSTEM.entropy("console-feed"),
    ) -> None:
        self.pages = 0
        self._reach = reach
        self._now = now
        self._look_seconds = look_seconds
        self._idle_seconds = idle_seconds
        self._comment_seconds = comment_seconds
        self._make_ring = ring
        self._entropy = entropy
        self._closed = False
        self._keeper: asyncio.Task[None] | None = None
        self._begin()

    def _begin(self) -> None:
        """Start afresh: what was said before can no longer be gone on from."""
        self._epoch = self._entropy.randbytes(4).hex()
        self._ring = self._make_ring()
        self._bell = asyncio.Event()
        self._settled = asyncio.Event()
        self._calls: dict[str, dict[str, CallEntry]] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._met_at: dict[str, float] = {}
        self._mute: set[str] = set()
        """Those that have not answered when they were asked last."""
        self._missing: tuple[str, ...] = ()
        self._open: dict[str, _Open] = {}
        self._left_at = 0.0

    # --- the pages' side ----------------------------------------------------------------------

    async def stream(self, call_sid: str, last_id: str, alive: Alive) -> AsyncIterator[bytes]:
        """Yield events for a page that has `call_sid` open (or none), gone on from `last_id`."""
        if self._closed:
            return
        self.pages += 1
        self._start()
        opened = self._opened(call_sid) if call_sid else None
        try:
            number = self._resumed(last_id, opened)
            while not self._closed:
                if number is None:
                    await self._wait_until_settled()
                    number = self._ring.number
                    for message in self._everything(opened):
                        yield self._event(message, number)
                bell = self._bell
                said = self._ring.after(number, ("", call_sid))
                if said:
                    number = said[-1].number
                    yield b"".join(each.event for each in said)
                elif said is None:
                    number = None
                elif not await self._rung(bell):
                    if not await alive():
                        return
                    yield b":\n\n"
        finally:
            self.pages -= 1
            self._left_at = self._time()
            if opened is not None:
                opened.pages -= 1
                opened.left_at = self._time()

    def close(self) -> None:
        """End every stream, and ask nobody for anything any more."""
        self._closed = True
        self._bell.set()
        if self._keeper is not None:
            self._keeper.cancel()

    async def aclose(self) -> None:
        """The same, and wait until nothing runs."""
        keeper = self._keeper
        self.close()
        if keeper is not None:
            await asyncio.gather(keeper, return_exceptions=True)

    def _resumed(self, last_id: str, opened: _Open | None) -> int | None:
        """Return the number to go on from, or None if the page must be told everything."""
        epoch, _, digits = last_id.partition("-")
        if epoch != self._epoch or not digits.isdecimal() or len(digits) > 18:
            return None
        number = int(digits)
        if opened is not None and number < opened.since:
            return None
        return number

    def _everything(self, opened: _Open | None) -> list[AnyFeedMessage]:
        calls = [entry for those in self._calls.values() for entry in those.values()]
        calls.sort(key=lambda entry: entry.arrived_at)
        told: list[AnyFeedMessage] = [
            Snapshot(calls=tuple(calls), now=self._now(), missing=self._missing)
        ]
        if opened is not None and opened.over:
            told.append(CallOver(call_sid=opened.call_sid))
        elif opened is not None and opened.detail is not None:
            told.append(CallShown(detail=opened.detail))
        return told

    async def _wait_until_settled(self) -> None:
        """Until every process has said what it has, or has had the time to."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settled.wait()
        except TimeoutError:
            return

    async def _rung(self, bell: asyncio.Event) -> bool:
        try:
            async with asyncio.timeout(self._comment_seconds):
                await bell.wait()
                return True
        except TimeoutError:
            return False

    # --- what is said -------------------------------------------------------------------------

    def _event(self, message: AnyFeedMessage, number: int) -> bytes:
        name = type(message).__name__.encode()
        return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (
            self._epoch.encode(),
            number,
            name,
            encode(message),
        )

    def _say(self, topic: str, message: AnyFeedMessage) -> None:
        self._ring.add(topic, self._event(message, self._ring.number + 1))
        self._bell.set()
        self._bell = asyncio.Event()

    # --- the list -----------------------------------------------------------------------------

    def _start(self) -> None:
        if self._keeper is None:
            self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        """Follow the processes that there are, and stop when nobody has listened for a while."""
        try:
            while self.pages or self._time() - self._left_at < self._idle_seconds:
                self._follow_processes()
                for opened in list(self._open.values()):
                    self._keep_open(opened)
                await asyncio.sleep(KEEP_SECONDS)
        finally:
            # At once, so that a page which comes now starts everything anew.
            self._keeper = None
            tasks = [*self._following.values()]
            tasks += [opened.task for opened in self._open.values() if opened.task is not None]
            for task in tasks:
                task.cancel()
            self._begin()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _follow_processes(self) -> None:
        names = self._reach.processes()
        now = self._time()
        self._met_at |= dict.fromkeys(names, now)
        self._met_at |= {name: now for name in self._reach.silent() if name in self._following}
        for name in [each for each in self._following if now - self._met_at[each] > LOST_SECONDS]:
            self._following.pop(name).cancel()
            del self._met_at[name]
            self._mute.discard(name)
            self._took(name, Report(epoch="", version=0, whole=True))
            self._calls.pop(name, None)
        for name in names:
            task = self._following.get(name)
            if task is None or task.done():
                self._following[name] = _task(self._follow(name))
        self._look_what_is_missing()

    async def _follow(self, process: str) -> None:
        epoch, version = "", 0
        while True:
            report = await self._reach.next_report(process, epoch, version, seconds=REPORT_SECONDS)
            if report is not None:
                self._mute.discard(process)
                self._took(process, report)
                epoch, version = report.epoch, report.version
                self._look_what_is_missing()
                continue
            self._mute.add(process)
            self._look_what_is_missing()
            epoch, version = "", 0
            if process not in self._reach.silent():
                # It is gone, or of another version: it has no calls that can be shown.
                self._took(process, Report(epoch="", version=0, whole=True))
            await asyncio.sleep(KEEP_SECONDS)

    def _look_what_is_missing(self) -> None:
        mute = self._mute.intersection(self._reach.processes())
        missing = tuple(sorted(mute.union(self._reach.silent())))
        if missing != self._missing:
            self._missing = missing
            self._say("", PartMissing(missing=missing))

    def _took(self, process: str, report: Report) -> None:
        """A process has said what it has."""
        before = self._calls.get(process, {})
        now = {} if report.whole else dict(before)
        now.update((entry.call_sid, entry) for entry in report.calls)
        for call_sid in report.gone:
            now.pop(call_sid, None)
        self._calls[process] = now
        if len(self._calls) >= len(self._following):
            self._settled.set()
        elsewhere = [those for name, those in self._calls.items() if name != process]
        changed = tuple(entry for sid, entry in now.items() if before.get(sid) != entry)
        gone = tuple(
            sid for sid in before if sid not in now and not any(sid in those for those in elsewhere)
        )
        if changed or gone:
            self._say("", CallsChanged(calls=changed, gone=gone))

    # --- open calls ---------------------------------------------------------------------------

    def _opened(self, call_sid: str) -> _Open:
        opened = self._open.get(call_sid)
        if opened is None:
            opened = self._open[call_sid] = _Open(call_sid, self._ring.number)
            opened.task = _task(self._look(opened))
        opened.pages += 1
        return opened

    def _keep_open(self, opened: _Open) -> None:
        if opened.pages or self._time() - opened.left_at < self._idle_seconds:
            if opened.task is None or opened.task.done():
                opened.task = _task(self._look(opened))
            return
        if opened.task is not None:
            opened.task.cancel()
        del self._open[opened.call_sid]

    async def _look(self, opened: _Open) -> None:
        while True:
            detail = await self._reach.look_at(opened.call_sid)
            if detail is None:
                # Whoever does not answer may have it.
                opened.misses += not self._missing
            else:
                opened.misses = 0
                self._compare(opened, detail)
            ended = detail is not None and detail.entry.phase == "ended"
            if (ended or opened.misses >= _MISSES) and not opened.over:
                opened.over = True
                self._say(opened.call_sid, CallOver(call_sid=opened.call_sid))
            await asyncio.sleep(OVER_SECONDS if opened.over else self._look_seconds)

    def _compare(self, opened: _Open, detail: CallDetail) -> None:
        """Say what has changed since the last look."""
        before, opened.detail = opened.detail, detail
        back = opened.over and detail.entry.phase != "ended"
        opened.over = opened.over and not back
        parts = patch(before.parts, detail.parts) if before is not None else None
        if before is None or parts is None or back:
            self._say(opened.call_sid, CallShown(detail=detail))
            return
        entry = detail.entry if detail.entry != before.entry else None
        if entry is not None or parts != Parts():
            message = CallPatched(call_sid=opened.call_sid, parts=parts, entry=entry)
            self._say(opened.call_sid, message)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def patch(before: Parts, after: Parts) -> Parts | None:
    """Return the parts that are new or different; None if one is there no more."""
    changed: dict[str, Any] = {}
    for field in Parts.__struct_fields__:
        old, now = getattr(before, field), getattr(after, field)
        same = _same(old, now)
        old, now = old[same:], now[same:]
        known = {part.id: part for part in old}
        if not known.keys() <= {part.id for part in now}:
            return None
        changed[field] = tuple(part for part in now if known.get(part.id) != part)
    return Parts(**changed)


def _same(before: Sequence[object], after: Sequence[object]) -> int:
    """Return how many parts at the beginning are the very same objects, which did not change."""
    count = 0
    for old, new in zip(before, after, strict=False):
        if old is not new:
            break
        count += 1
    return count


def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_logged)
    return task


def _logged(task: asyncio.Task[None]) -> None:
    """A task ends here: the keeper starts another one, and the owner finds the reason."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("! the console's feed failed, and is taken up again", exc_info=error)
