"""The journal of a call: everything that went in and came out, as JSON lines.

    {"journal": 2, "call_sid": ..., "setup": {...}}        first line
    {"at": ..., "version": 2}                              another process goes on from here
    {"at": 1764000000.125, "event": {...}}                 an event, before its commands
    {"at": ..., "expired": true}                           the timer, before its commands
    {"at": ..., "command": {...}}                          a command, in order
    {"at": ..., "state": {"phase": ..., "handoff": ...}}   when either has changed
    {"at": ..., "said": {"speaker": ..., "text": ...}}     a line of the transcript that is settled
    {"at": ..., "lost": 17}                                lines that the disk was too slow for

The first line and each `version` name the version of the process that writes (`JOURNAL_VERSION`).
Events are replayed only where all of them were written by this version: another one may have
answered them differently. A process that goes on without a `version` line, recognised by its
`CallRecovered`, is of a version that did not write them.

Sound is left out: the agent's keeps its size, the caller's is not written at all, because it
changes nothing in a call. What is left replays to the same commands, which is how a call is
recovered by another process and how a bug becomes a test.

Lines are encoded in the event loop's thread and written by one thread for all calls, so that a
slow disk never delays a call. Sound, its marks and words make most of the lines and little of the
news: they wait for a line of another kind, `_LINGER_SECONDS` at most, and are handed over with it.
What may wait for the disk is bounded; what does not fit, or cannot be written, is lost, and the
journal says so as soon as it can.

    resource             acquired               released
    the writing thread   Journals()             close()
    the sweep's timer    the first line that    when no line waits any more
                         waits for another
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, PlayAudio, SendCallerAudio, SendMark
from hookflash.core.events import (
    AgentTranscribed,
    AnyEvent,
    CallArrived,
    CallerAudio,
    CallRecovered,
    MarkReturned,
    ModelAudio,
)
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.runtime.disk_queue import DiskQueue
from hookflash.runtime.journal_files import Chunk, JournalFiles
from hookflash.runtime.journal_lines import (
    Head,
    Line,
    Said,
    SoundRun,
    State,
    encode_lines,
    lost_note,
    silenced_command,
    silenced_event,
    unfolded,
)
from hookflash.world import SYSTEM, World

__all__ = [
    "JOURNAL_VERSION",
    "Head",
    "Journal",
    "Journals",
    "Line",
    "Said",
    "State",
    "read_journal",
    "rebuild",
    "rebuilding",
    "replay",
]

log = logging.getLogger("hookflash.journal")

JOURNAL_VERSION = 3
"""The version of the core's events, commands and state.

Raise it with every change after which the same setup and events no longer give the same commands or
the same state: a machine of `core/` that decides differently, an event or command with another
shape or meaning, a line of a journal that is read differently. A journal of another version is not
replayed; its call goes on from what the journal tells without a replay (`journal_facts.py`). If in
doubt, raise it: that costs a call that is recovered during the deploy its hand-off, and no words.
`tests/runtime/test_journal_version.py` replays a kept journal, and fails where this was forgotten.
"""

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUEUE_LINES = 20_000
_BATCH_SECONDS = 0.1
"""How long the thread waits for more before it writes what is not urgent."""

_LINGER_SECONDS = 0.5
"""How long a line may wait for others before it is handed to the writing thread."""

_FREQUENT = frozenset({ModelAudio, MarkReturned, AgentTranscribed, str})
"""Causes that may wait; `str` is the timer, which mostly sends on what the lead held back."""

_SOUND = frozenset({PlayAudio, SendMark})


class Journal:
    """The journal of one call, being written. `write` never blocks and never raises."""

    def __init__(self, path: Path, journals: Journals, *, first: Head | Line) -> None:
        self.path = path
        self._journals = journals
        self._state: State | None = None
        self._waiting: list[Line | Head] = []
        self._run = SoundRun()
        self._lines = 0
        self._since = 0.0
        self._lost = 0
        self._keep(0.0 if isinstance(first, Head) else first.at, [first], wait=False)

    def write(
        self,
        at: float,
        cause: AnyEvent | Literal["expired"],
        commands: Iterable[AnyCommand],
        state: State | None = None,
        said: Iterable[Said] = (),
    ) -> None:
        """Write what happened, what was to be done about it, and what the call has become.

        `state` may be left out where it cannot have changed. `said` are the lines of the transcript
        that are settled now.
        """
        if type(cause) is CallerAudio:
            return
        wait = type(cause) in _FREQUENT
        if cause == "expired":
            lines: list[Line | Head] = [Line(at, expired=True)]
        else:
            lines = [Line(at, silenced_event(cause))]
        for command in commands:
            if type(command) is PlayAudio:
                lines.append(Line(at, command=PlayAudio("", command.size)))
            elif type(command) is not SendCallerAudio:
                lines.append(Line(at, command=command))
                wait = wait and type(command) in _SOUND
        if state is not None and state != self._state:
            self._state = state
            lines.append(Line(at, state=state))
            wait = False
        for each in said:
            lines.append(Line(at, said=each))
        self._keep(at, lines, wait=wait)

    def write_sound(self, at: float, event: ModelAudio, commands: list[AnyCommand]) -> None:
        """`write` for the agent's sound, which is most of what there is to write.

        Sound that was sent on as it came is only noted, and encoded when it is handed over.
        """
        if not self._runs_on(at, event, commands):
            self.write(at, event, commands)
            return
        self._lines += 1
        if self._lines == 1:
            self._since = at
            if not self._journals.waits(self):
                self.hand_over()
        elif at - self._since >= _LINGER_SECONDS:
            self.hand_over()

    def _runs_on(self, at: float, event: ModelAudio, commands: list[AnyCommand]) -> bool:
        """Note sound that was sent on as it came, perhaps with a mark behind it."""
        count = len(commands)
        if not 1 <= count <= 2:
            return False
        first, mark = commands[0], ""
        if type(first) is not PlayAudio or first.size != event.size:
            return False
        if count == 2:
            second = commands[1]
            if type(second) is not SendMark:
                return False
            mark = second.name
        self._run.take(at, event, mark, self._waiting)
        return True

    def hand_over(self, *, urgent: bool = False) -> None:
        """Give what waits to the writing thread, to be written at once if it is `urgent`."""
        lines = self._lines
        if not lines:
            return
        self._run.end(self._waiting)
        waiting, self._waiting, self._lines = self._waiting, [], 0
        self._journals.settled(self)
        try:
            data = encode_lines(waiting)
        except Exception:
            # What cannot be written down must not keep later lines from being written.
            log.exception("! journal %s: lines cannot be encoded and are lost", self.path.name)
            self._lost += lines
            return
        if self._lost:
            data = lost_note(self._since, self._lost) + data
        if self._journals.put(Chunk(self.path, data, lines, self._since), urgent=urgent):
            self._lost = 0
        else:
            self._lost += lines

    def close(self) -> None:
        """Nothing more is written; what is queued still reaches the disk."""
        self.hand_over()
        self._journals.put(Chunk(self.path, None, 0, 0.0), urgent=False)

    def _keep(self, at: float, lines: list[Line | Head], *, wait: bool) -> None:
        if not self._lines:
            self._since = at
            wait = wait and self._journals.waits(self)
        self._run.end(self._waiting)
        self._waiting += lines
        self._lines += len(lines)
        if not wait:
            self.hand_over(urgent=True)
        elif at - self._since >= _LINGER_SECONDS:
            self.hand_over()


class Journals:
    """The journals of a process, as files in `folder` named by call SID.

    All but `flush` and `close` is used in one thread.
    """

    def __init__(
        self, folder: Path, *, queue_lines: int = _QUEUE_LINES, world: World = SYSTEM
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        files = JournalFiles(lost_note)
        self._writer = DiskQueue(
            world,
            files.write,
            what="journal",
            log=log,
            room=queue_lines,
            batch_seconds=_BATCH_SECONDS,
            together=True,
            end=files.close,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweep_at: asyncio.TimerHandle | None = None
        # In the order in which they came, so that a simulation writes in the same order every time.
        self._fresh: dict[Journal, None] = {}
        self._old: dict[Journal, None] = {}

    @property
    def lost(self) -> int:
        """How many lines the disk was too slow for, or could not take."""
        return self._writer.lost

    @property
    def error(self) -> OSError | None:
        """The last trouble with the disk. Calls go on without their journals."""
        return self._writer.error

    def begin(self, call_sid: str, setup: CallSetup) -> Journal:
        """Return the journal of a call that has just arrived."""
        return Journal(self._path(call_sid), self, first=Head(JOURNAL_VERSION, call_sid, setup))

    def resume(self, call_sid: str, at: float) -> Journal:
        """Return the journal of a call that this process goes on with, from `at`."""
        return Journal(self._path(call_sid), self, first=Line(at, version=JOURNAL_VERSION))

    def find(self, call_sid: str) -> Path | None:
        """Return the file of a call's journal, if there is one."""
        if not _SID.fullmatch(call_sid):
            return None
        path = self._path(call_sid)
        return path if path.is_file() else None

    def put(self, chunk: Chunk, *, urgent: bool) -> bool:
        """Queue a chunk for its file. Return whether there was room."""
        return self._writer.put(chunk, urgent=urgent)

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all that was written is on disk. For tests, commands and recovery."""
        loop = self._loop
        if loop is None or loop.is_closed() or _is_running_here(loop):
            self._hand_over_all()
        else:
            handed_over = threading.Event()
            loop.call_soon_threadsafe(self._hand_over_all)
            loop.call_soon_threadsafe(handed_over.set)
            if not handed_over.wait(seconds):
                return False
        return self._writer.flush(seconds)

    def close(self) -> None:
        """Write what is queued, close all files, end the thread."""
        self._hand_over_all()
        self._writer.close()

    # --- lines that wait ----------------------------------------------------------------------

    def waits(self, journal: Journal) -> bool:
        """A journal's first line would like to wait. Return whether it may.

        Somebody must come for it if no other line does: where there is no event loop, nobody can.
        """
        if self._sweep_at is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                return False
            self._sweep_at = self._loop.call_later(_LINGER_SECONDS, self._sweep)
        self._fresh[journal] = None
        return True

    def settled(self, journal: Journal) -> None:
        """Nothing of this journal waits any more."""
        self._fresh.pop(journal, None)
        self._old.pop(journal, None)

    def _sweep(self) -> None:
        """Hand over what has waited since before the last sweep."""
        for journal in list(self._old):
            journal.hand_over()
        self._old, self._fresh = self._fresh, {}
        self._sweep_at = None
        if self._old and self._loop is not None:
            self._sweep_at = self._loop.call_later(_LINGER_SECONDS, self._sweep)

    def _hand_over_all(self) -> None:
        for journal in [*self._old, *self._fresh]:
            journal.hand_over()

    def _path(self, call_sid: str) -> Path:
        if not _SID.fullmatch(call_sid):
            raise ConfigError(
                "a call SID is at most 64 letters, digits, _ and -; got"
                f" {call_sid[:80]!r}: the request does not come from a carrier"
            )
        return self._folder / f"{call_sid}.jsonl"


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def read_journal(path: Path) -> tuple[Head, list[Line]]:
    """Read a journal that can be replayed; a line that a crash cut short is left out.

    Raises `ConfigError` for a file that is no journal, cannot be read, or was written, all of it or
    in part, by another version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"journal {path.name}: cannot be read: {error.strerror}") from error
    raw = split_lines(data)
    head = _head(path.name, next(raw))
    return head, list(_checked(path.name, raw))


def split_lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a file without their ends, one at a time; there is at least one."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1
    yield data[start:]


class _Version(msgspec.Struct):
    journal: int


def _head(name: str, text: bytes) -> Head:
    try:
        # Alone, first: the setup of another version may be of another shape.
        _check_version(name, 1, msgspec.json.decode(text, type=_Version).journal)
        return msgspec.json.decode(text, type=Head)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"journal {name}: the first line is not that of a journal ({error}); give a"
            " .jsonl file that Hookflash wrote"
        ) from error


def _check_version(name: str, number: int, version: int) -> None:
    if version != JOURNAL_VERSION:
        came = f"version {version}" if version else "a version that did not name itself"
        raise ConfigError(
            f"journal {name}, line {number}: expected version {JOURNAL_VERSION}, which this program"
            f" replays; what follows was written by {came}. Replay it with the release of Hookflash"
            " that wrote it"
        )


def _checked(name: str, raw: Iterable[bytes], *, commands: bool = True) -> Iterator[Line]:
    """Yield the lines after the first. Raises `ConfigError`.

    A line that cannot be read ends the journal of a process that died while it wrote it: it may
    only be the last one, or stand before the `version` of who went on. Without `commands`, lines
    that are commands are passed over unread.
    """
    decoder = msgspec.json.Decoder(Line)
    broken: ConfigError | None = None
    named = False
    for number, text in enumerate(raw, start=2):
        if not text or (not commands and _COMMAND in text[:_WITHIN]):
            continue
        try:
            line = decoder.decode(text)
        except msgspec.DecodeError as error:
            if broken is not None:
                raise broken from None
            broken = ConfigError(f"journal {name}, line {number}: {error}")
            continue
        if broken is not None and not line.version:
            raise broken
        broken = None
        if line.version:
            _check_version(name, number, line.version)
        elif type(line.event) is CallRecovered and not named:
            _check_version(name, number, 0)
        named = bool(line.version)
        yield from unfolded(line)


_COMMAND = b',"command":{"type":'
_WITHIN = 56
"""A line says what it is within its first bytes: `{"at":1790000000.123456,"command":{"type":...`.
"""


class Step(msgspec.Struct, frozen=True):
    """One event of a replay: what was done about it then, and what is done about it now."""

    at: float
    cause: AnyEvent | None
    """None: the timer."""
    then: list[AnyCommand]
    now: list[AnyCommand]

    @property
    def same(self) -> bool:
        return self.then == self.now


def replay(call: Call, lines: Iterable[Line]) -> Iterator[Step]:
    """Feed a journal's events to `call`, one `Step` at a time."""
    cause: Line | None = None
    then: list[AnyCommand] = []
    for line in [*lines, Line(0.0, expired=True)]:
        if line.event is None and not line.expired:
            if line.command is not None:
                then.append(line.command)
            continue
        if cause is not None:
            if cause.event is not None:
                commands = call.receive(cause.event, cause.at)
            else:
                commands = call.expire(cause.at)
            yield Step(cause.at, cause.event, then, [silenced_command(each) for each in commands])
        cause, then = line, []


def rebuild(head: Head, lines: Iterable[Line]) -> Call:
    """Return the call as it was when its journal's last line was written."""
    call = Call(head.setup)
    for line in lines:
        _relive(call, line)
    return call


def rebuilding(name: str, data: bytes) -> Generator[None, None, tuple[Call, CallArrived | None]]:
    """Rebuild a call from its journal's bytes, piece by piece: each `next` replays one line.

    Returns the call, and how it came; None where the journal does not tell. Raises `ConfigError` as
    `read_journal` does, and whatever the core raises.
    """
    raw = split_lines(data)
    call = Call(_head(name, next(raw)).setup)
    arrived: CallArrived | None = None
    for line in _checked(name, raw, commands=False):
        _relive(call, line)
        event = line.event
        if arrived is None and isinstance(event, CallArrived) and (event.caller or event.called):
            arrived = event
        yield
    return call, arrived


def _relive(call: Call, line: Line) -> None:
    if line.event is not None:
        call.receive(line.event, line.at)
    elif line.expired:
        call.expire(line.at)
