"""The live calls of this process, as consoles see them: changes of the list, and one call in
detail.

`watch` is a `Switchboard`'s. For audio it only checks the event's type. For everything else it
updates the call's `Trace` with what the call itself does not store, and notes whether the list
changes. Shapes are built only on request.

A reader asks for the changes since a version, and waits until there are some. An epoch identifies
the life of this process: versions of another epoch are not valid here.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Protocol

import msgspec
from msgspec.structs import replace

from hookflash.console import call_detail
from hookflash.console.journal_trace import read_trace
from hookflash.console.prices import Prices
from hookflash.console.shapes import CallDetail, CallEntry
from hookflash.console.trace import Trace
from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, PlayAudio, SendMark
from hookflash.core.events import (
    AgentTranscribed,
    AnyEvent,
    CallerAudio,
    CallRecovered,
    MarkReturned,
    ModelAudio,
)
from hookflash.core.phases import Phase
from hookflash.runtime.call_views import CallViews
from hookflash.runtime.live_levels import Levels
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.console")

COALESCE_SECONDS = 0.1
"""How long changes are collected before they are reported."""

_MAX_GONE = 1000
_MAX_TRACES = 200
"""How many ended calls are held, for readers that have one open."""

_SOUND_EVENTS = frozenset({ModelAudio, AgentTranscribed, CallerAudio})
_SOUND_COMMANDS = frozenset({PlayAudio, SendMark})


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The calls that changed since a version, and those that ended. `whole`: this is the complete
    list."""

    epoch: str
    version: int
    calls: tuple[CallEntry, ...] = ()
    gone: tuple[str, ...] = ()
    whole: bool = False


class Driven(Protocol):
    @property
    def call(self) -> Call: ...


class LiveCalls:
    """The live calls of this process for consoles.

    `find` is a switchboard's, `now` the calls' clock. `journal` returns the path of a call's
    journal.
    """

    def __init__(
        self,
        find: Callable[[str], Driven | None],
        now: Callable[[], float],
        *,
        prices: Prices | None = None,
        levels: Callable[[str], Levels | None] = lambda call_sid: None,
        journal: Callable[[str], Path | None] = lambda call_sid: None,
        entropy: Random = SYSTEM.entropy("console-live"),
    ) -> None:
        self.epoch = entropy.randbytes(6).hex()
        self._find = find
        self._now = now
        self._prices = prices or Prices()
        self._journal = journal
        self._levels = levels
        self._sound: dict[str, call_detail.SoundChunks] = {}
        self._traces: dict[str, Trace] = {}
        self._views: dict[str, CallViews] = {}
        self._shown: dict[str, call_detail.TranscriptLines] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._version = 0
        self._changed: OrderedDict[str, int] = OrderedDict()
        """The version of each live call's last change, newest last."""
        self._gone: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0
        """The highest version of an ended call that was dropped from `_gone`."""
        self._inherited: set[str] = set()
        """Calls that another process had before, whose earlier trace was not read yet."""
        self._waiting: dict[asyncio.Future[None], None] = {}

    def watch(self, call_sid: str, event: AnyEvent | None, commands: Sequence[AnyCommand]) -> None:
        """Handle an event (None: the timer) and the commands it caused."""
        kind = type(event)
        if kind in _SOUND_EVENTS:
            return
        if kind is MarkReturned and (not commands or type(commands[-1]) in _SOUND_COMMANDS):
            return
        driver = self._find(call_sid)
        if driver is None:
            return
        trace = self._traces.get(call_sid)
        if trace is None:
            recovered = kind is CallRecovered
            trace = Trace(driver.call.conversation.barge_ins if recovered else 0)
            self._traces[call_sid] = trace
            if recovered:
                self._inherited.add(call_sid)
        if trace.update(driver.call, event, commands, self._now()):
            self._notify(call_sid, over=driver.call.phase is Phase.ENDED)

    def forget(self, call_sid: str) -> None:
        """Forget a call that another node continues."""
        if self._traces.pop(call_sid, None) is not None:
            self._views.pop(call_sid, None)
            self._shown.pop(call_sid, None)
            self._inherited.discard(call_sid)
            self._notify(call_sid, over=True)

    # --- requests -----------------------------------------------------------------------------

    def report(self, epoch: str, since: int) -> Report:
        """Return the changes since version `since` of `epoch`."""
        whole = epoch != self.epoch or since < self._forgotten or since > self._version
        calls, gone = [], []
        for call_sid, version in reversed(self._changed.items()):
            if not whole and version <= since:
                break
            driver = self._find(call_sid)
            if driver is not None:
                trace, views = self._traces[call_sid], self._viewed(call_sid, driver.call)
                calls.append(
                    call_detail.entry(driver.call, trace, views, self._prices, self._now())
                )
        if not whole:
            for call_sid, version in reversed(self._gone.items()):
                if version <= since:
                    break
                gone.append(call_sid)
        return Report(
            epoch=self.epoch,
            version=self._version,
            calls=tuple(calls),
            gone=tuple(gone),
            whole=whole,
        )

    async def next_report(self, epoch: str, since: int, *, seconds: float) -> Report:
        """Return the next changes, or an empty report after `seconds`."""
        if epoch == self.epoch and since == self._version:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting[waiter] = None
            try:
                async with asyncio.timeout(seconds):
                    await waiter
            except TimeoutError:
                return Report(epoch=epoch, version=since)
            finally:
                self._waiting.pop(waiter, None)
            await asyncio.sleep(COALESCE_SECONDS)
        return self.report(epoch, since)

    async def detail(self, call_sid: str) -> CallDetail | None:
        """Return a call with all its parts. Available for a while after its end, too."""
        if call_sid in self._inherited:
            self._inherited.discard(call_sid)
            await self._inherit(call_sid)
        driver = self._find(call_sid)
        trace = self._traces.get(call_sid)
        if driver is None or trace is None:
            return None
        views = self._viewed(call_sid, driver.call)
        shown = self._shown.setdefault(call_sid, call_detail.TranscriptLines())
        sound = self._sound.setdefault(call_sid, call_detail.SoundChunks())
        levels = sound.of(self._levels(call_sid), driver.call.info.arrived_at)
        found = call_detail.detail(driver.call, trace, views, shown, self._prices, self._now())
        return replace(found, parts=replace(found.parts, sound=levels))

    def _viewed(self, call_sid: str, call: Call) -> CallViews:
        views = self._views.get(call_sid)
        if views is None or views.call is not call:
            # A released and restored call is another object.
            views = self._views[call_sid] = CallViews(call)
            self._shown.pop(call_sid, None)
        return views

    async def _inherit(self, call_sid: str) -> None:
        """Read what happened to a call in the process that had it before."""
        path = self._journal(call_sid)
        if path is None:
            return
        try:
            before = await asyncio.to_thread(_read_before, path)
        except OSError as error:
            log.warning("! %s its journal cannot be read: %s", call_sid, error.strerror)
            return
        trace = self._traces.get(call_sid)
        if trace is not None:
            trace.prepend(before)

    def _notify(self, call_sid: str, *, over: bool) -> None:
        self._version += 1
        if over:
            self._changed.pop(call_sid, None)
            self._gone[call_sid] = self._version
            while len(self._gone) > _MAX_GONE:
                _, self._forgotten = self._gone.popitem(last=False)
            self._over[call_sid] = None
            while len(self._over) > _MAX_TRACES:
                forgotten, _ = self._over.popitem(last=False)
                self._traces.pop(forgotten, None)
                self._views.pop(forgotten, None)
                self._shown.pop(forgotten, None)
                self._sound.pop(forgotten, None)
                self._inherited.discard(forgotten)
        else:
            # An ended call may return: the carrier asks for instructions again.
            self._gone.pop(call_sid, None)
            self._over.pop(call_sid, None)
            self._changed[call_sid] = self._version
            self._changed.move_to_end(call_sid)
        while self._waiting:
            waiter, _ = self._waiting.popitem()
            if not waiter.done():
                waiter.set_result(None)


def _read_before(path: Path) -> Trace:
    with path.open("rb") as journal:
        return read_trace(journal, until_recovered=True)
