"""The lines of a journal and their encoding. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from hookflash.core.commands import AnyCommand, PlayAudio, SendMark
from hookflash.core.events import AnyEvent, ModelAudio
from hookflash.core.setup import CallSetup

encode_lines = msgspec.json.Encoder().encode_lines


class JournalHead(msgspec.Struct, frozen=True):
    """The first line. `journal` is the version of its writer (`journal.JOURNAL_VERSION`)."""

    journal: int
    call_sid: str
    setup: CallSetup


class JournalState(msgspec.Struct, frozen=True):
    """The state names of a call: its phase, and that of its hand-off."""

    phase: str
    handoff: str


class Sound(msgspec.Struct, frozen=True, gc=False):
    """Several pieces of one item of the agent's speech, each sent on unchanged.

    `pieces` has for each: its arrival time, its size in bytes, and the name of the mark after it,
    or an empty text. This is most of a journal, so it is folded into one line.
    """

    response_id: str
    item_id: str
    pieces: list[tuple[float, int, str]]


class Said(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A settled line of the transcript, as heard: readable without a replay.

    Times are seconds since 1970. `cut` is what the agent had prepared and the caller did not hear.
    A later `Said` of the same process with the same `id` replaces this one; lines without an `id`
    are never replaced. A `note` is context that every model session of the call gets; nobody said
    it.
    """

    speaker: Literal["caller", "agent", "human", "note"]
    text: str
    started_at: float
    ended_at: float
    cut: str = ""
    id: str = ""


class JournalLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line after the first. Exactly one field besides `at` is set.

    `version` begins the lines of another process: its `journal.JOURNAL_VERSION`.
    """

    at: float
    event: AnyEvent | None = None
    expired: bool = False
    command: AnyCommand | None = None
    state: JournalState | None = None
    sound: Sound | None = None
    said: Said | None = None
    version: int = 0
    lost: int = 0


def expanded(line: JournalLine) -> Iterator[JournalLine]:
    """Yield the lines that a line stands for: a `Sound` becomes its events and commands."""
    sound = line.sound
    if sound is None:
        yield line
        return
    for at, size, mark in sound.pieces:
        yield JournalLine(at, ModelAudio(sound.response_id, sound.item_id, "", size))
        yield JournalLine(at, command=PlayAudio("", size))
        if mark:
            yield JournalLine(at, command=SendMark(mark))


class SoundRun:
    """Consecutive audio of one item, until another line is written."""

    __slots__ = ("_item_id", "_pieces", "_response_id")

    def __init__(self) -> None:
        self._response_id = ""
        self._item_id = ""
        self._pieces: list[tuple[float, int, str]] = []

    def take(
        self, at: float, event: ModelAudio, mark: str, lines: list[JournalLine | JournalHead]
    ) -> None:
        """Add a piece. If it belongs to another item, first append the finished run to `lines`."""
        if event.item_id != self._item_id or event.response_id != self._response_id:
            self.end(lines)
            self._item_id, self._response_id = event.item_id, event.response_id
        self._pieces.append((at, event.size, mark))

    def end(self, lines: list[JournalLine | JournalHead]) -> None:
        """Append the run as one line to `lines`, and start an empty one."""
        pieces = self._pieces
        if pieces:
            sound = Sound(self._response_id, self._item_id, pieces)
            lines.append(JournalLine(pieces[0][0], sound=sound))
            self._pieces = []


def event_without_audio(event: AnyEvent) -> AnyEvent:
    if type(event) is ModelAudio:
        return ModelAudio(event.response_id, event.item_id, "", event.size)
    return event


def command_without_audio(command: AnyCommand) -> AnyCommand:
    return PlayAudio("", command.size) if type(command) is PlayAudio else command


def lost_note(at: float, lines: int) -> bytes:
    """Return the line which says that `lines` lines are missing here."""
    return encode_lines([JournalLine(at, lost=lines)])


def split_lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a file without their ends, one at a time. There is at least one."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1
    yield data[start:]
