"""The lines of a journal: what they are, and how they are encoded. No I/O."""

from __future__ import annotations

import msgspec

from hookflash.core.commands import AnyCommand, PlayAudio
from hookflash.core.events import AnyEvent, ModelAudio
from hookflash.core.setup import CallSetup

encode_lines = msgspec.json.Encoder().encode_lines


class Head(msgspec.Struct, frozen=True):
    journal: int
    call_sid: str
    setup: CallSetup


class State(msgspec.Struct, frozen=True):
    phase: str
    handoff: str


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line after the first; exactly one field besides `at` is set."""

    at: float
    event: AnyEvent | None = None
    expired: bool = False
    command: AnyCommand | None = None
    state: State | None = None
    lost: int = 0


class SoundRun:
    """Sound of one item, each piece sent on at once and whole."""

    __slots__ = ("_ats", "_item_id", "_response_id", "_sizes")

    def __init__(self) -> None:
        self._response_id = ""
        self._item_id = ""
        self._ats: list[float] = []
        self._sizes: list[int] = []

    def takes(self, at: float, event: ModelAudio, played: int) -> bool:
        """Note a piece of which `played` bytes were sent; False if it belongs to no such run."""
        size = event.size
        if size != played:
            return False
        if event.item_id != self._item_id or event.response_id != self._response_id:
            if self._ats:
                return False
            self._item_id, self._response_id = event.item_id, event.response_id
        self._ats.append(at)
        self._sizes.append(size)
        return True

    def end(self, lines: list[Line | Head]) -> None:
        """Add the run's lines to `lines`, and forget it."""
        if not self._ats:
            return
        response_id, item_id = self._response_id, self._item_id
        for at, size in zip(self._ats, self._sizes, strict=True):
            lines.append(Line(at, ModelAudio(response_id, item_id, "", size)))
            lines.append(Line(at, command=PlayAudio("", size)))
        self._ats.clear()
        self._sizes.clear()


def silenced_event(event: AnyEvent) -> AnyEvent:
    if type(event) is ModelAudio:
        return ModelAudio(event.response_id, event.item_id, "", event.size)
    return event


def silenced_command(command: AnyCommand) -> AnyCommand:
    return PlayAudio("", command.size) if type(command) is PlayAudio else command


def lost_note(at: float, lines: int) -> bytes:
    """Return the line which says that so many are missing here."""
    return encode_lines([Line(at, lost=lines)])
