"""The lines of a journal: what they are, and how they are encoded. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from hookflash.core.commands import AnyCommand, PlayAudio, SendMark
from hookflash.core.events import AnyEvent, ModelAudio
from hookflash.core.setup import CallSetup

encode_lines = msgspec.json.Encoder().encode_lines


class Head(msgspec.Struct, frozen=True):
    """The first line. `journal` is the version of who wrote it (`journal.JOURNAL_VERSION`)."""

    journal: int
    call_sid: str
    setup: CallSetup


class State(msgspec.Struct, frozen=True):
    phase: str
    handoff: str


class Sound(msgspec.Struct, frozen=True, gc=False):
    """Pieces of one item of the agent's speech, each sent on at once and whole.

    Of each: when it came, its size in bytes, and the name of the mark that followed it, or an
    empty text. It is most of what there is to write, and says little: so it is one line.
    """

    response_id: str
    item_id: str
    pieces: list[tuple[float, int, str]]


class Said(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A line of the transcript as heard, once it is settled: readable without a replay.

    Times are seconds since 1970. `cut` is what the agent had prepared and the caller did not hear.
    A later `Said` with the same `id`, written by the same process, replaces this one; lines without
    an `id` are never replaced. A `note` was said by nobody: every model of the call is told of it.
    """

    speaker: Literal["caller", "agent", "human", "note"]
    text: str
    started_at: float
    ended_at: float
    cut: str = ""
    id: str = ""


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line after the first; exactly one field besides `at` is set.

    `version` begins what another process writes, and is its `journal.JOURNAL_VERSION`.
    """

    at: float
    event: AnyEvent | None = None
    expired: bool = False
    command: AnyCommand | None = None
    state: State | None = None
    sound: Sound | None = None
    said: Said | None = None
    version: int = 0
    lost: int = 0


def unfolded(line: Line) -> Iterator[Line]:
    """Return what a line stands for: of sound, the events and commands that it was."""
    sound = line.sound
    if sound is None:
        yield line
        return
    for at, size, mark in sound.pieces:
        yield Line(at, ModelAudio(sound.response_id, sound.item_id, "", size))
        yield Line(at, command=PlayAudio("", size))
        if mark:
            yield Line(at, command=SendMark(mark))


class SoundRun:
    """Sound of one item, as long as nothing else is written between."""

    __slots__ = ("_item_id", "_pieces", "_response_id")

    def __init__(self) -> None:
        self._response_id = ""
        self._item_id = ""
        self._pieces: list[tuple[float, int, str]] = []

    def take(self, at: float, event: ModelAudio, mark: str, lines: list[Line | Head]) -> None:
        """Note a piece; that of another item ends the run before it, which goes to `lines`."""
        if event.item_id != self._item_id or event.response_id != self._response_id:
            self.end(lines)
            self._item_id, self._response_id = event.item_id, event.response_id
        self._pieces.append((at, event.size, mark))

    def end(self, lines: list[Line | Head]) -> None:
        """Add the run as a line to `lines`, and forget it."""
        pieces = self._pieces
        if pieces:
            sound = Sound(self._response_id, self._item_id, pieces)
            lines.append(Line(pieces[0][0], sound=sound))
            self._pieces = []


def silenced_event(event: AnyEvent) -> AnyEvent:
    if type(event) is ModelAudio:
        return ModelAudio(event.response_id, event.item_id, "", event.size)
    return event


def silenced_command(command: AnyCommand) -> AnyCommand:
    return PlayAudio("", command.size) if type(command) is PlayAudio else command


def lost_note(at: float, lines: int) -> bytes:
    """Return the line which says that so many are missing here."""
    return encode_lines([Line(at, lost=lines)])
