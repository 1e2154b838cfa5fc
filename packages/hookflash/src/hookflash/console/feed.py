"""The feed: changes as server-sent events. Every page gets the list of calls, and one open call.

    processes --reports--> the list ------+
                                          +--> buffer --> every page
    processes --snapshot--> an open call -+

A process that exists and does not answer is reported as missing, and its calls stay in the list:
they probably continue.

Processes are polled only while a page listens, and for `IDLE_SECONDS` after the last one left, so
that a page that reconnects can continue. Each page reads the buffer from its own number. A slow
page delays no other, and gets a snapshot if it has fallen too far behind.

    resource                    acquired                    released
    the follower task           the first page              IDLE_SECONDS after the last, or close()
    a task for each process     the follower                with the process, or the follower
    a task for each open call   the first page with it      the same for that call
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from random import Random
from typing import Any

import msgspec

from hookflash.console.feed_buffer import FeedBuffer
from hookflash.console.line_calls import LineCalls
from hookflash.console.live_calls import Report
from hookflash.console.shapes import (
    AnyFeedMessage,
    CallDetail,
    CallEntry,
    CallOver,
    CallPatched,
    CallsChanged,
    CallShown,
    CallUnknown,
    PartMissing,
    Parts,
    Snapshot,
)
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

POLL_SECONDS = 0.15
"""How often an open call is polled."""

OVER_SECONDS = 2.0
"""How often an ended call is polled: the carrier may bring it back."""

REPORT_SECONDS = 5.0
FOLLOW_SECONDS = 1.0
SETTLE_SECONDS = 1.0
IDLE_SECONDS = 60.0
LOST_SECONDS = 5.0
"""How long a process may be missing before its calls are removed: it may be busy."""

COMMENT_SECONDS = 10.0
_MISSES = 5
"""After this many polls in a row without the call, it counts as ended."""

encode = msgspec.json.Encoder().encode

Alive = Callable[[], Awaitable[bool]]
"""Returns whether the listener may still listen."""


class _OpenCall(msgspec.Struct):
    """A call that pages have open. `since` is the buffer's number when it was first polled."""

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
        line_calls: LineCalls,
        now: Callable[[], float],
        *,
        poll_seconds: float = POLL_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
        comment_seconds: float = COMMENT_SECONDS,
        make_buffer: Callable[[], FeedBuffer] = FeedBuffer,
        entropy: Random = SYSTEM.entropy("console-feed"),
    ) -> None:
        self.pages = 0
        self._line_calls = line_calls
        self._now = now
        self._poll_seconds = poll_seconds
        self._idle_seconds = idle_seconds
        self._comment_seconds = comment_seconds
        self._make_buffer = make_buffer
        self._entropy = entropy
        self._closed = False
        self._follower: asyncio.Task[None] | None = None
        self._reset()

    def _reset(self) -> None:
        """Start again: pages cannot continue from earlier numbers."""
        self._epoch = self._entropy.randbytes(4).hex()
        self._buffer = self._make_buffer()
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._calls: dict[str, dict[str, CallEntry]] = {}
        self._following: dict[str, asyncio.Task[None]] = {}
        self._seen_at: dict[str, float] = {}
        self._unanswered: set[str] = set()
        """Processes that did not answer the last request."""
        self._missing: tuple[str, ...] = ()
        self._open: dict[str, _OpenCall] = {}
        self._left_at = 0.0

    # --- for pages ----------------------------------------------------------------------------

    async def stream(self, call_sid: str, last_id: str, alive: Alive) -> AsyncIterator[bytes]:
        """Yield events for a page that has `call_sid` open (or none), continuing after
        `last_id`."""
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
                    number = self._buffer.number
                    for message in self._snapshot(opened):
                        yield self._event(message, number)
                changed = self._changed
                events = self._buffer.after(number, ("", call_sid))
                if events:
                    number = events[-1].number
                    yield b"".join(each.event for each in events)
                elif events is None:
                    number = None
                elif not await self._wait_for_change(changed):
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
        """End every stream and stop polling."""
        self._closed = True
        self._changed.set()
        if self._follower is not None:
            self._follower.cancel()

    async def aclose(self) -> None:
        """Close, and wait until all tasks have ended."""
        follower = self._follower
        self.close()
        if follower is not None:
            await asyncio.gather(follower, return_exceptions=True)

    def _resumed(self, last_id: str, opened: _OpenCall | None) -> int | None:
        """Return the number to continue from, or None if the page needs a snapshot."""
        epoch, _, digits = last_id.partition("-")
        if epoch != self._epoch or not digits.isdecimal() or len(digits) > 18:
            return None
        number = int(digits)
        if opened is not None and number < opened.since:
            return None
        return number

    def _snapshot(self, opened: _OpenCall | None) -> list[AnyFeedMessage]:
        calls = [entry for those in self._calls.values() for entry in those.values()]
        calls.sort(key=lambda entry: entry.arrived_at)
        messages: list[AnyFeedMessage] = [
            Snapshot(calls=tuple(calls), now=self._now(), missing=self._missing)
        ]
        if opened is not None and opened.over:
            messages.append(_gone(opened))
        elif opened is not None and opened.detail is not None:
            messages.append(CallShown(detail=opened.detail))
        return messages

    async def _wait_until_settled(self) -> None:
        """Wait until every process has reported, for at most `SETTLE_SECONDS`."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settled.wait()
        except TimeoutError:
            return

    async def _wait_for_change(self, changed: asyncio.Event) -> bool:
        try:
            async with asyncio.timeout(self._comment_seconds):
                await changed.wait()
                return True
        except TimeoutError:
            return False

    # --- publishing ---------------------------------------------------------------------------

    def _event(self, message: AnyFeedMessage, number: int) -> bytes:
        name = type(message).__name__.encode()
        return b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (
            self._epoch.encode(),
            number,
            name,
            encode(message),
        )

    def _publish(self, topic: str, message: AnyFeedMessage) -> None:
        self._buffer.add(topic, self._event(message, self._buffer.number + 1))
        self._changed.set()
        self._changed = asyncio.Event()

    # --- the list -----------------------------------------------------------------------------

    def _start(self) -> None:
        if self._follower is None:
            self._follower = asyncio.get_running_loop().create_task(self._follow_all())

    async def _follow_all(self) -> None:
        """Follow all processes, and stop when no page has listened for a while."""
        try:
            while self.pages or self._time() - self._left_at < self._idle_seconds:
                self._follow_processes()
                for opened in list(self._open.values()):
                    self._refresh_open(opened)
                await asyncio.sleep(FOLLOW_SECONDS)
        finally:
            # Reset at once, so that a page that connects now starts a new follower.
            self._follower = None
            tasks = [*self._following.values()]
            tasks += [opened.task for opened in self._open.values() if opened.task is not None]
            for task in tasks:
                task.cancel()
            self._reset()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _follow_processes(self) -> None:
        names = self._line_calls.processes()
        now = self._time()
        self._seen_at |= dict.fromkeys(names, now)
        self._seen_at |= {
            name: now for name in self._line_calls.silent() if name in self._following
        }
        for name in [each for each in self._following if now - self._seen_at[each] > LOST_SECONDS]:
            self._following.pop(name).cancel()
            del self._seen_at[name]
            self._unanswered.discard(name)
            self._apply_report(name, Report(epoch="", version=0, whole=True))
            self._calls.pop(name, None)
        for name in names:
            task = self._following.get(name)
            if task is None or task.done():
                self._following[name] = _task(self._follow(name))
        self._update_missing()

    async def _follow(self, process: str) -> None:
        epoch, version = "", 0
        while True:
            report = await self._line_calls.next_report(
                process, epoch, version, seconds=REPORT_SECONDS
            )
            if report is not None:
                self._unanswered.discard(process)
                self._apply_report(process, report)
                epoch, version = report.epoch, report.version
                self._update_missing()
                continue
            self._unanswered.add(process)
            self._update_missing()
            epoch, version = "", 0
            if process not in self._line_calls.silent():
                # The process is gone or has another version: none of its calls can be shown.
                self._apply_report(process, Report(epoch="", version=0, whole=True))
            await asyncio.sleep(FOLLOW_SECONDS)

    def _update_missing(self) -> None:
        unanswered = self._unanswered.intersection(self._line_calls.processes())
        missing = tuple(sorted(unanswered.union(self._line_calls.silent())))
        if missing != self._missing:
            self._missing = missing
            self._publish("", PartMissing(missing=missing))

    def _apply_report(self, process: str, report: Report) -> None:
        """Apply a process's report to the list."""
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
            self._publish("", CallsChanged(calls=changed, gone=gone))

    # --- open calls ---------------------------------------------------------------------------

    def _opened(self, call_sid: str) -> _OpenCall:
        opened = self._open.get(call_sid)
        if opened is None:
            opened = self._open[call_sid] = _OpenCall(call_sid, self._buffer.number)
            opened.task = _task(self._poll(opened))
        opened.pages += 1
        return opened

    def _refresh_open(self, opened: _OpenCall) -> None:
        if opened.pages or self._time() - opened.left_at < self._idle_seconds:
            if opened.task is None or opened.task.done():
                opened.task = _task(self._poll(opened))
            return
        if opened.task is not None:
            opened.task.cancel()
        del self._open[opened.call_sid]

    async def _poll(self, opened: _OpenCall) -> None:
        while True:
            detail = await self._line_calls.look_at(opened.call_sid)
            if detail is None:
                # A process that does not answer may have the call.
                opened.misses += not self._missing
            else:
                opened.misses = 0
                self._compare(opened, detail)
            ended = detail is not None and detail.entry.phase == "ended"
            if (ended or opened.misses >= _MISSES) and not opened.over:
                opened.over = True
                self._publish(opened.call_sid, _gone(opened))
            await asyncio.sleep(OVER_SECONDS if opened.over else self._poll_seconds)

    def _compare(self, opened: _OpenCall, detail: CallDetail) -> None:
        """Publish what has changed since the last poll."""
        before, opened.detail = opened.detail, detail
        back = opened.over and detail.entry.phase != "ended"
        opened.over = opened.over and not back
        parts = patch(before.parts, detail.parts) if before is not None else None
        if before is None or parts is None or back:
            self._publish(opened.call_sid, CallShown(detail=detail))
            return
        entry = detail.entry if detail.entry != before.entry else None
        if entry is not None or parts != Parts():
            message = CallPatched(call_sid=opened.call_sid, parts=parts, entry=entry)
            self._publish(opened.call_sid, message)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()


def _gone(opened: _OpenCall) -> CallOver | CallUnknown:
    """Return what a page is told of a call that no process has any more, or has never had."""
    if opened.detail is None:
        return CallUnknown(call_sid=opened.call_sid)
    return CallOver(call_sid=opened.call_sid)


def patch(before: Parts, after: Parts) -> Parts | None:
    """Return the parts that are new or different; None if a part was removed."""
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
    """Return how many leading parts are identical objects, which have not changed."""
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
    """Log the exception of a failed task. The follower starts another one."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("! the console's feed failed and is restarted", exc_info=error)
