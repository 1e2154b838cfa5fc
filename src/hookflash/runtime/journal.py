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
slow disk never delays a call. Its queue is bounded: what does not fit is lost, and said so.

    resource             acquired            released
    writing thread       Journals()          close()
    a journal's file     its first line      its last line, or close()
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand, PlayAudio, SendCallerAudio
from hookflash.core.events import AnyEvent, CallerAudio, ModelAudio
from hookflash.core.setup import CallSetup
from hookflash.errors import ConfigError

VERSION = 1
_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUEUE_LINES = 20_000
_encoder = msgspec.json.Encoder()


class Head(msgspec.Struct, frozen=True):
    journal: int
    call_sid: str
    setup: CallSetup


class State(msgspec.Struct, frozen=True):
    phase: str
    handoff: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line after the first; exactly one field besides `at` is set."""

    at: float
    event: AnyEvent | None = None
    expired: bool = False
    command: AnyCommand | None = None
    state: State | None = None
    lost: int = 0


class Journal:
    """The journal of one call, being written. `write` never blocks and never raises."""

    def __init__(self, path: Path, journals: Journals, *, head: Head | None) -> None:
        self.path = path
        self._journals = journals
        self._state: State | None = None
        self._lost = 0
        if head is not None:
            self._put(head)

    def write(
        self,
        at: float,
        cause: AnyEvent | Literal["expired"],
        commands: Iterable[AnyCommand],
        state: State,
    ) -> None:
        """Write what happened, what was to be done about it, and what the call has become."""
        if cause == "expired":
            self._put(Line(at, expired=True))
        elif type(cause) is CallerAudio:
            return
        else:
            self._put(Line(at, event=_silenced_event(cause)))
        for command in commands:
            if type(command) is not SendCallerAudio:
                self._put(Line(at, command=_silenced_command(command)))
        if state != self._state:
            self._state = state
            self._put(Line(at, state=state))

    def close(self) -> None:
        """Nothing more is written; what is queued still reaches the disk."""
        self._journals.put(self.path, None)

    def _put(self, line: Head | Line) -> None:
        if self._lost and isinstance(line, Line):
            note = _encoder.encode(Line(line.at, lost=self._lost)) + b"\n"
            if not self._journals.put(self.path, note):
                self._lost += 1
                return
            self._lost = 0
        if not self._journals.put(self.path, _encoder.encode(line) + b"\n"):
            self._lost += 1


class Journals:
    """The journals of a process, as files in `folder` named by call SID."""

    def __init__(self, folder: Path, *, queue_lines: int = _QUEUE_LINES) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._queue: queue.Queue[tuple[Path, bytes | None] | threading.Event | None] = queue.Queue(
            queue_lines
        )
        self.error: OSError | None = None
        """The last trouble with the disk. Calls go on without their journals."""
        self._thread = threading.Thread(target=self._run, name="hookflash-journal", daemon=True)
        self._thread.start()

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

    def put(self, path: Path, data: bytes | None) -> bool:
        """Queue bytes for a file, or its closing (None). Return whether there was room."""
        try:
            self._queue.put_nowait((path, data))
        except queue.Full:
            return False
        return True

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all that was queued is on disk. For tests, commands and recovery."""
        done = threading.Event()
        try:
            self._queue.put(done, timeout=seconds)
        except queue.Full:
            return False
        return done.wait(seconds)

    def close(self) -> None:
        """Write what is queued, close all files, end the thread."""
        self._queue.put(None)
        self._thread.join()

    def _path(self, call_sid: str) -> Path:
        if not _SID.fullmatch(call_sid):
            raise ConfigError(
                "a call SID is at most 64 letters, digits, _ and -; got"
                f" {call_sid[:80]!r}: the request does not come from a carrier"
            )
        return self._folder / f"{call_sid}.jsonl"

    def _run(self) -> None:
        files: dict[Path, BinaryIO] = {}
        while (item := self._queue.get()) is not None:
            try:
                if isinstance(item, threading.Event):
                    for file in files.values():
                        file.flush()
                    item.set()
                    continue
                self._write(files, *item)
                if self._queue.empty():
                    for file in files.values():
                        file.flush()
            except OSError as error:
                self.error = error
        for file in files.values():
            file.close()

    @staticmethod
    def _write(files: dict[Path, BinaryIO], path: Path, data: bytes | None) -> None:
        if data is None:
            file = files.pop(path, None)
            if file is not None:
                file.close()
            return
        if path not in files:
            files[path] = path.open("ab")
        files[path].write(data)


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
    lines = []
    decoder = msgspec.json.Decoder(Line)
    for number, text in enumerate(raw[1:], start=2):
        try:
            if text:
                lines.append(decoder.decode(text))
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
            yield Step(cause.at, cause.event, then, [_silenced_command(each) for each in commands])
        cause, then = line, []


def rebuild(head: Head, lines: Iterable[Line]) -> Call:
    """Return the call as it was when its journal's last line was written."""
    call = Call(head.setup)
    for _ in replay(call, lines):
        pass
    return call


def _silenced_event(event: AnyEvent) -> AnyEvent:
    return msgspec.structs.replace(event, payload="") if type(event) is ModelAudio else event


def _silenced_command(command: AnyCommand) -> AnyCommand:
    return msgspec.structs.replace(command, payload="") if type(command) is PlayAudio else command
