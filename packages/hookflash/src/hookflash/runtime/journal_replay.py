"""Read a journal and restore its call: after a crash, in another process, or for a report.

    a journal's bytes --rebuilding()--> the call, as the process that stopped had it
    a journal's lines --replay()--> each event, with the commands of then and of now

Only a journal of this version (`journal.JOURNAL_VERSION`) can be replayed. A call is only rebuilt
if the disk lost none of its lines. Any other call continues from its facts (`journal_facts.py`).
`switchboard.py` tries both, in this order.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path

import msgspec

from hookflash.core.call import Call
from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent, CallArrived, CallPlaced, CallRecovered
from hookflash.errors import ConfigError
from hookflash.runtime.journal import JOURNAL_VERSION
from hookflash.runtime.journal_lines import (
    JournalHead,
    JournalLine,
    command_without_audio,
    expanded,
    split_lines,
)


def read_journal(path: Path) -> tuple[JournalHead, list[JournalLine]]:
    """Read a journal for a replay. A line that a crash cut short is left out.

    Raises `ConfigError` if the file is not a journal, cannot be read, or was written, even in part,
    by another version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"journal {path.name}: cannot be read: {error.strerror}") from error
    raw = split_lines(data)
    head = _head(path.name, next(raw))
    return head, list(_checked(path.name, raw))


class _Version(msgspec.Struct):
    journal: int


def _head(name: str, text: bytes) -> JournalHead:
    try:
        # Check the version first: another version's setup may have another shape.
        _check_version(name, 1, msgspec.json.decode(text, type=_Version).journal)
        return msgspec.json.decode(text, type=JournalHead)
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


def _checked(name: str, raw: Iterable[bytes], *, commands: bool = True) -> Iterator[JournalLine]:
    """Yield the lines after the first. Raises `ConfigError`.

    An unreadable line is where a process died while writing. So it may only be the last line, or
    come before the `version` line of the next process. Without `commands`, command lines are
    skipped.
    """
    decoder = msgspec.json.Decoder(JournalLine)
    broken: ConfigError | None = None
    has_version = False
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
        elif type(line.event) is CallRecovered and not has_version:
            _check_version(name, number, 0)
        has_version = bool(line.version)
        yield from expanded(line)


_COMMAND = b',"command":{"type":'
_WITHIN = 56
"""The kind of a line is within its first bytes: `{"at":1790000000.123456,"command":{"type":...`."""


class ReplayStep(msgspec.Struct, frozen=True):
    """One event of a replay, with the commands of then and of now."""

    at: float
    cause: AnyEvent | None
    """None: the timer."""
    then: list[AnyCommand]
    now: list[AnyCommand]

    @property
    def same(self) -> bool:
        return self.then == self.now


def replay(call: Call, lines: Iterable[JournalLine]) -> Iterator[ReplayStep]:
    """Replay a journal's events with `call`, one `ReplayStep` at a time."""
    cause: JournalLine | None = None
    then: list[AnyCommand] = []
    for line in [*lines, JournalLine(0.0, expired=True)]:
        if line.event is None and not line.expired:
            if line.command is not None:
                then.append(line.command)
            continue
        if cause is not None:
            if cause.event is not None:
                commands = call.receive(cause.event, cause.at)
            else:
                commands = call.expire(cause.at)
            yield ReplayStep(
                cause.at, cause.event, then, [command_without_audio(each) for each in commands]
            )
        cause, then = line, []


def rebuilding(name: str, data: bytes) -> Generator[None, None, tuple[Call, CallArrived | None]]:
    """Rebuild a call from its journal's bytes; each `next` replays one line.

    Returns the call, and its `CallArrived`, or None if the journal has none. Raises `ConfigError`
    like `read_journal`, or if the disk lost lines, and whatever the core raises.
    """
    raw = split_lines(data)
    call = Call(_head(name, next(raw)).setup)
    arrived: CallArrived | None = None
    for line in _checked(name, raw, commands=False):
        event = line.event
        if line.lost:
            # What was lost may have placed a human's leg, or moved the caller.
            raise ConfigError(
                f"journal {name}: the disk lost {line.lost} lines, so a replay would not give the"
                " call as it was; see the log for the disk's error"
            )
        if event is not None:
            call.receive(event, line.at)
        elif line.expired:
            call.expire(line.at)
        if isinstance(event, CallPlaced):
            arrived = CallArrived(event.call_sid, event.caller, event.called, "outbound")
        elif arrived is None and isinstance(event, CallArrived) and (event.caller or event.called):
            arrived = event
        yield
    return call, arrived
