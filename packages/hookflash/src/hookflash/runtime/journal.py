"""The journal of a call: all events and commands as JSON lines.

    {"journal": 2, "call_sid": ..., "setup": {...}}        first line
    {"at": ..., "version": 2}                              another process continues from here
    {"at": 1764000000.125, "event": {...}}                 an event, before its commands
    {"at": ..., "expired": true}                           the timer, before its commands
    {"at": ..., "command": {...}}                          a command, in order
    {"at": ..., "state": {"phase": ..., "handoff": ...}}   when either has changed, or after a loss
    {"at": ..., "said": {"speaker": ..., "text": ...}}     a settled line of the transcript
    {"at": ..., "lost": 17}                                number of lines that the disk lost

The first line and each `version` line name the version of the writing process (`JOURNAL_VERSION`).
Events are replayed only if this version wrote all of them: another version may have answered them
differently. A process that continues without a `version` line has an older version. It is
recognised by its `CallRecovered` event.

If the disk has lost lines of a journal, its call continues from its facts, too.

Audio is left out: only the size of the agent's audio is written. The caller's audio changes no
state of a call. A replay gives the same commands. So another process can recover a call, and a bug
report can become a test: see `journal_replay.py`.

Lines are encoded in the event loop's thread and written by one thread for all calls, so a slow disk
never delays a call. Audio, marks and words make most of the lines. They are batched: they wait for
a line of another kind, or for `_BATCH_WAIT_SECONDS`. Lines of turns and responses wait for the
thread's next batch, `_BATCH_SECONDS` at most; all others are written at once. The number of lines
that may wait for the disk is bounded. A line that does not fit or cannot be written is lost, and
the journal notes the number as soon as it can.

    resource             acquired               released
    the writing thread   Journals()             close()
    the flush timer      the first line that    when no line waits any more
                         waits for another
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

from hookflash.core.commands import (
    AnyCommand,
    CancelResponse,
    ClearAudio,
    DeleteItem,
    PlayAudio,
    RequestResponse,
    SendCallerAudio,
    SendMark,
    TruncateItem,
)
from hookflash.core.events import (
    AgentTranscribed,
    AnyEvent,
    CallerAudio,
    CallerSpeechStarted,
    CallerSpeechStopped,
    CallerTranscribed,
    MarkReturned,
    ModelAudio,
    ModelAudioEnded,
    ResponseEnded,
    ResponseStarted,
    TokensUsed,
)
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError
from hookflash.private_files import make_folder, open_file
from hookflash.runtime.disk_queue import DiskQueue
from hookflash.runtime.journal_files import Chunk, JournalFiles
from hookflash.runtime.journal_lines import (
    JournalHead,
    JournalLine,
    JournalState,
    Said,
    SoundRun,
    encode_lines,
    event_without_audio,
    lost_note,
)
from hookflash.world import SYSTEM, World

__all__ = [
    "JOURNAL_VERSION",
    "JournalHead",
    "Journal",
    "Journals",
    "JournalLine",
    "Said",
    "JournalState",
]

log = logging.getLogger("hookflash.journal")

JOURNAL_VERSION = 8
"""The version of the core's events, commands and state.

Raise it with every change after which the same setup and events no longer give the same commands or
state. Examples: a machine of `core/` decides differently, an event or command changes its shape or
meaning, a line is read differently. A journal of another version is not replayed; its call
continues from its facts (`journal_facts.py`).

If in doubt, raise it. A call recovered during that deploy then loses its hand-off, and no words.
`tests/runtime/test_journal_version.py` replays a stored journal and fails if you forgot.
"""

_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUEUE_LINES = 20_000
_BATCH_SECONDS = 0.1
"""How long the thread collects lines before it writes those that are not urgent."""

_BATCH_WAIT_SECONDS = 0.5
"""How long a line may wait for others before it goes to the writing thread."""

_FREQUENT = frozenset({ModelAudio, MarkReturned, AgentTranscribed, str})
"""Causes whose lines may wait. `str` is the timer, which mostly releases audio in time."""

_FLUSHED_AT_ONCE = 8
_FLUSH_PAUSE_SECONDS = 0.002

_TALK = frozenset(
    {
        CallerSpeechStarted,
        CallerSpeechStopped,
        CallerTranscribed,
        ModelAudioEnded,
        ResponseEnded,
        ResponseStarted,
        TokensUsed,
    }
)
"""Causes that only continue the conversation. If they lead to nothing outside it, their lines wait
for the thread's next batch. Each wake-up of the thread costs the event loop a fight for Python's
lock."""

_SOUND = frozenset({PlayAudio, SendMark})
_INSIDE = frozenset(
    {*_SOUND, CancelResponse, ClearAudio, DeleteItem, RequestResponse, TruncateItem}
)
"""Commands that change nothing outside the conversation."""


class Journal:
    """The journal of one call, for writing. `write` never blocks and never raises."""

    def __init__(self, path: Path, journals: Journals, *, first: JournalHead | JournalLine) -> None:
        self.path = path
        self._journals = journals
        self._state: JournalState | None = None
        self._lost_before_state = 0
        """How many lines of the process were lost when the state was last written."""
        self._waiting: list[JournalLine | JournalHead] = []
        self._run = SoundRun()
        self._lines = 0
        self._since = 0.0
        self._lost = 0
        self._append(0.0 if isinstance(first, JournalHead) else first.at, [first], wait=False)

    def write(
        self,
        at: float,
        cause: AnyEvent | Literal["expired"],
        commands: Iterable[AnyCommand],
        state: JournalState | None = None,
        said: Iterable[Said] = (),
    ) -> None:
        """Write an event, its commands and the call's new states.

        `state` may be omitted if it cannot have changed. `said` are the transcript's newly settled
        lines.
        """
        if type(cause) is CallerAudio:
            return
        wait = type(cause) in _FREQUENT
        urgent = type(cause) not in _TALK
        if cause == "expired":
            lines: list[JournalLine | JournalHead] = [JournalLine(at, expired=True)]
        else:
            lines = [JournalLine(at, event_without_audio(cause))]
        for command in commands:
            if type(command) is PlayAudio:
                lines.append(JournalLine(at, command=PlayAudio("", command.size)))
            elif type(command) is not SendCallerAudio:
                lines.append(JournalLine(at, command=command))
                wait = wait and type(command) in _SOUND
                urgent = urgent or type(command) not in _INSIDE
        if state is not None and (state != self._state or self._may_be_lost):
            self._state, self._lost_before_state = state, self._journals.lost
            lines.append(JournalLine(at, state=state))
            wait, urgent = False, True
        for each in said:
            lines.append(JournalLine(at, said=each))
        self._append(at, lines, wait=wait, urgent=urgent)

    @property
    def _may_be_lost(self) -> bool:
        """Whether the disk has lost lines since the state was last written."""
        return self._journals.lost != self._lost_before_state

    def write_sound(self, at: float, event: ModelAudio, commands: list[AnyCommand]) -> None:
        """Write the agent's audio: the most frequent event.

        Audio that was sent on unchanged is only noted, and encoded at the next `flush`.
        """
        if not self._append_to_run(at, event, commands):
            self.write(at, event, commands)
            return
        self._lines += 1
        if self._lines == 1:
            self._since = at
            if not self._journals.defer(self):
                self.flush()
        elif at - self._since >= _BATCH_WAIT_SECONDS:
            self.flush()

    def _append_to_run(self, at: float, event: ModelAudio, commands: list[AnyCommand]) -> bool:
        """Note audio that was sent on unchanged, perhaps followed by a mark. Return False for other
        audio."""
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

    def flush(self, *, urgent: bool = False) -> None:
        """Pass waiting lines to the writing thread, which writes them at once if `urgent`."""
        lines = self._lines
        if not lines:
            return
        self._run.end(self._waiting)
        waiting, self._waiting, self._lines = self._waiting, [], 0
        self._journals.flushed(self)
        try:
            data = encode_lines(waiting)
        except Exception:
            # A line that cannot be encoded must not block later lines.
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
        """End the journal. Queued lines still reach the disk."""
        self.flush()
        self._journals.put(Chunk(self.path, None, 0, 0.0), urgent=False)

    def _append(
        self,
        at: float,
        lines: list[JournalLine | JournalHead],
        *,
        wait: bool,
        urgent: bool = True,
    ) -> None:
        if not self._lines:
            self._since = at
            wait = wait and self._journals.defer(self)
        self._run.end(self._waiting)
        self._waiting += lines
        self._lines += len(lines)
        if not wait:
            self.flush(urgent=urgent)
        elif at - self._since >= _BATCH_WAIT_SECONDS:
            self.flush()


class Journals:
    """The journals of a process: files in `folder`, named by call SID.

    All but `flush` and `close` is called in one thread.
    """

    def __init__(
        self, folder: Path, *, queue_lines: int = _QUEUE_LINES, world: World = SYSTEM
    ) -> None:
        self._folder = folder
        make_folder(folder)
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
        self.copy: Callable[[str, bytes], object] = lambda call_sid, data: None
        """Called with a call SID and the lines that were just passed to the writing thread."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweep_at: asyncio.TimerHandle | None = None
        # Ordered, so that a simulation always writes in the same order.
        self._fresh: dict[Journal, None] = {}
        self._old: dict[Journal, None] = {}

    @property
    def lost(self) -> int:
        """Return how many lines were lost because the disk was too slow or failed."""
        return self._writer.lost

    @property
    def error(self) -> OSError | None:
        """Return the last error of the disk, or None. Calls continue without their journals."""
        return self._writer.error

    def begin(self, call_sid: str, setup: CallSetup) -> Journal:
        """Return the journal of a new call."""
        return Journal(
            self._path(call_sid), self, first=JournalHead(JOURNAL_VERSION, call_sid, setup)
        )

    def resume(self, call_sid: str, at: float) -> Journal:
        """Return the journal of a call that this process continues, from `at`."""
        return Journal(self._path(call_sid), self, first=JournalLine(at, version=JOURNAL_VERSION))

    def find(self, call_sid: str) -> Path | None:
        """Return the path of a call's journal, or None if there is none."""
        if not _SID.fullmatch(call_sid):
            return None
        path = self._path(call_sid)
        return path if path.is_file() else None

    async def read(self, call_sid: str) -> bytes:
        """Return all that was written of a call so far; empty if there is nothing."""
        await asyncio.to_thread(self.flush)
        path = self.find(call_sid)
        return await asyncio.to_thread(path.read_bytes) if path is not None else b""

    async def adopt(self, call_sid: str, data: bytes) -> None:
        """Replace the file of a call that this process does not have with another node's journal.

        Raises `OSError`, and `ConfigError` if `call_sid` is invalid.
        """
        path = self._path(call_sid)
        # Its own chunks, such as the closing of the file, are written before.
        await asyncio.to_thread(self.flush)
        await asyncio.to_thread(_replace, path, data)

    async def discard(self, call_sid: str) -> None:
        """Delete the file of a call that another node continues."""
        await asyncio.to_thread(self.flush)
        await asyncio.to_thread(self._path(call_sid).unlink, missing_ok=True)

    def put(self, chunk: Chunk, *, urgent: bool) -> bool:
        """Queue a chunk for its file. Return whether there was room."""
        if chunk.data is not None:
            self.copy(chunk.path.stem, chunk.data)
        return self._writer.put(chunk, urgent=urgent)

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until everything written so far is on disk. For tests, commands and recovery."""
        loop = self._loop
        if loop is None or loop.is_closed() or _is_running_here(loop):
            self._flush_all()
        else:
            handed_over = threading.Event()
            loop.call_soon_threadsafe(self._flush_all)
            loop.call_soon_threadsafe(handed_over.set)
            if not handed_over.wait(seconds):
                return False
        return self._writer.flush(seconds)

    def close(self) -> None:
        """Write what is queued, close all files, end the thread."""
        self._flush_all()
        self._writer.close()

    # --- waiting lines ------------------------------------------------------------------------

    def defer(self, journal: Journal) -> bool:
        """Schedule a later flush of `journal`. Return False if there is no event loop to do it."""
        if self._sweep_at is None:
            try:
                self._loop = asyncio.get_running_loop()
            except RuntimeError:
                return False
            self._sweep_at = self._loop.call_later(_BATCH_WAIT_SECONDS, self._sweep)
        self._fresh[journal] = None
        return True

    def flushed(self, journal: Journal) -> None:
        """Forget `journal`: none of its lines is waiting."""
        self._fresh.pop(journal, None)
        self._old.pop(journal, None)

    def _sweep(self) -> None:
        """Flush the journals that have waited since before the last sweep.

        They are flushed a few at a time: hundreds of them would hold up the sound of all calls.
        """
        for journal in list(itertools.islice(self._old, _FLUSHED_AT_ONCE)):
            journal.flush()
        loop = self._loop
        assert loop is not None
        if self._old:
            self._sweep_at = loop.call_later(_FLUSH_PAUSE_SECONDS, self._sweep)
            return
        self._old, self._fresh = self._fresh, {}
        self._sweep_at = None
        if self._old:
            self._sweep_at = loop.call_later(_BATCH_WAIT_SECONDS, self._sweep)

    def _flush_all(self) -> None:
        for journal in [*self._old, *self._fresh]:
            journal.flush()

    def _path(self, call_sid: str) -> Path:
        if not _SID.fullmatch(call_sid):
            raise ConfigError(
                "a call SID is at most 64 letters, digits, _ and -; got"
                f" {call_sid[:80]!r}: the request does not come from a carrier"
            )
        return self._folder / f"{call_sid}.jsonl"


def _replace(path: Path, data: bytes) -> None:
    """Write a file under another name first, so that no reader sees a part of it."""
    other = path.with_suffix(".copy")
    with open_file(other, "wb") as file:
        file.write(data)
    os.replace(other, path)


def _is_running_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
