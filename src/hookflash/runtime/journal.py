"""The journal of a call: everything that went in and came out, as JSON lines.

    {"journal": 1, "call_sid": ..., "setup": {...}}        first line
    {"at": 1764000000.125, "event": {...}}                 an event, before its commands
    {"at": ..., "expired": true}                           the timer, before its commands
    {"at": ..., "command": {...}}                          a command, in order
    {"at": ..., "state": {"phase": ..., "handoff": ...}}   when either has changed
    {"at": ..., "lost": 17}                                lines that the disk was too slow for

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
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, PlayAudio, SendCallerAudio, SendMark
from hookflash.core.events import (
    AgentTranscribed,
    AnyEvent,
    CallerAudio,
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
    SoundRun,
    State,
    encode_lines,
    lost_note,
    silenced_command,
    silenced_event,
    unfolded,
)
from hookflash.world import SYSTEM, World

__all__ = ["Head", "Journal", "Journals", "Line", "State", "read_journal", "rebuild", "replay"]

log = logging.getLogger("hookflash.journal")

VERSION = 1
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

    def __init__(self, path: Path, journals: Journals, *, head: Head | None) -> None:
        self.path = path
        self._journals = journals
        self._state: State | None = None
        self._waiting: list[Line | Head] = []
        self._run = SoundRun()
        self._lines = 0
        self._since = 0.0
        self._lost = 0
        if head is not None:
            self._keep(0.0, [head], wait=False)

    def write(
        self,
        at: float,
        cause: AnyEvent | Literal["expired"],
        commands: Iterable[AnyCommand],
        state: State | None = None,
    ) -> None:
        """Write what happened, what was to be done about it, and what the call has become.

        `state` may be left out where it cannot have changed.
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
        return Journal(self._path(call_sid), self, head=Head(VERSION, call_sid, setup))

    def resume(self, call_sid: str) -> Journal:
        """Return the journal of a call that is gone on with."""
        return Journal(self._path(call_sid), self, head=None)

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
    """Read a journal; a last line that a crash cut short is left out. Raises `ConfigError`."""
    try:
        raw = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ConfigError(f"journal {path.name}: cannot be read: {error.strerror}") from error
    try:
        head = msgspec.json.decode(raw[0], type=Head)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"journal {path.name}: the first line is not that of a journal ({error}); give a"
            " .jsonl file that Hookflash wrote"
        ) from error
    if head.journal != VERSION:
        raise ConfigError(
            f"journal {path.name}: it is of version {head.journal}, this program reads {VERSION}"
        )
    lines: list[Line] = []
    decoder = msgspec.json.Decoder(Line)
    for number, text in enumerate(raw[1:], start=2):
        try:
            if text:
                lines += unfolded(decoder.decode(text))
        except msgspec.DecodeError as error:
            if number == len(raw):
                break
            raise ConfigError(f"journal {path.name}, line {number}: {error}") from error
    return head, lines


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
    for _ in replay(call, lines):
        pass
    return call
