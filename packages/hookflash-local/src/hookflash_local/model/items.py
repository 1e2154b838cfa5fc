"""The conversation's items: their order, their sound, and what each comes to as a turn. No I/O.

    in_progress -> completed | incomplete        (what the model makes)
    completed                                    (what the client adds)

An item is kept twice: as the wire shows it (a dict, without sound), and as what the stand-in knows
of it (mu-law sound, the sentences spoken with the millisecond at which each begins). Truncation
cuts both, and deletes the transcript that the wire shows, as the real model does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hookflash_local.model.parts import Turn
from hookflash_local.model.shapes import Refusal

BYTES_PER_MS = 8


class Ids:
    """Names for everything in one session: `item_<session>_0003`. Unique, and in order."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._numbers = itertools.count(1)

    def new(self, kind: str) -> str:
        return f"{kind}_{self._session}_{next(self._numbers):04d}"

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return a server event of type `kind`, with an `event_id` of its own."""
        return {"type": kind, "event_id": self.new("event"), **fields}


@dataclass(slots=True)
class Entry:
    """One item. `item` is public; the rest is what the stand-in knows besides.

    `understood` is what a caller's sound was transcribed to, `spoken` the sentences of an assistant
    with the ms of audio before each, and `cut` whether it was truncated: sound that is generated
    later is then no longer part of it.
    """

    item: dict[str, Any]
    audio: bytearray = field(default_factory=bytearray)
    spoken: list[tuple[str, float]] = field(default_factory=list)
    understood: str | None = None
    cut: bool = False

    @property
    def id(self) -> str:
        return str(self.item["id"])

    @property
    def audio_ms(self) -> float:
        return len(self.audio) / BYTES_PER_MS

    @property
    def is_caller_audio(self) -> bool:
        return self.item.get("role") == "user" and any(
            part["type"] == "input_audio" for part in self.item["content"]
        )

    def truncate(self, audio_end_ms: int) -> None:
        """Keep what was heard. Raises `Refusal` if the item is none of the model's sound."""
        parts = self.item.get("content", [])
        spoken = self.item.get("role") == "assistant" and any(
            part["type"] == "output_audio" for part in parts
        )
        if not spoken or not (self.audio or self.cut):
            raise Refusal(
                "unsupported_content_type",
                "Only model output audio messages can be truncated.",
                "item_id",
            )
        if audio_end_ms > self.audio_ms:
            raise Refusal(
                "invalid_value",
                f"Audio content of {self.audio_ms:.0f}ms is already shorter than {audio_end_ms}ms",
                "audio_end_ms",
            )
        self.spoken = list(self._heard(audio_end_ms))
        del self.audio[audio_end_ms * BYTES_PER_MS :]
        self.cut = True
        for part in parts:
            part.pop("transcript", None)

    def _heard(self, heard_ms: float) -> Iterator[tuple[str, float]]:
        """Yield the sentences heard; the one that was cut keeps its share of words."""
        ends = [begin for _, begin in self.spoken[1:]] + [self.audio_ms]
        for (text, begin), end in zip(self.spoken, ends, strict=False):
            if end <= heard_ms:
                yield text, begin
            elif begin < heard_ms:
                words = text.split()
                share = int(len(words) * (heard_ms - begin) / (end - begin))
                yield " ".join(words[:share]), begin

    def turn(self, tool_names: dict[str, str]) -> Turn:
        """Return the item as a mind reads it; `tool_names` are the tools' names by call id."""
        item = self.item
        if item["type"] == "function_call":
            return Turn("tool_call", "", item["name"], item["arguments"], item["call_id"])
        if item["type"] == "function_call_output":
            call_id = item["call_id"]
            return Turn("tool_output", item["output"], tool_names.get(call_id, ""), "", call_id)
        said = [part["text"] for part in item["content"] if part.get("text")]
        said += [text for text, _ in self.spoken if text]
        if self.understood:
            said.append(self.understood)
        return Turn(item["role"], " ".join(said))


class ItemList:
    """The items of the default conversation, in order."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_id: dict[str, Entry] = {}

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @property
    def last_id(self) -> str | None:
        return self._entries[-1].id if self._entries else None

    def get(self, item_id: str) -> Entry | None:
        return self._by_id.get(item_id)

    def before(self, item_id: str) -> str | None:
        """Return the id of the item before this one; None if it is the first, or not there."""
        names = [entry.id for entry in self._entries]
        place = names.index(item_id) if item_id in names else 0
        return names[place - 1] if place else None

    def find(self, item_id: str, code: str, doing: str) -> Entry:
        """Return the item, or raise `Refusal` with `item_<code>_invalid_item_id`."""
        entry = self.get(item_id)
        if entry is None:
            raise Refusal(
                f"item_{code}_invalid_item_id",
                f"Error {doing} item: the item with id '{item_id}' does not exist.",
                "item_id",
            )
        return entry

    def insert(self, entry: Entry, after: str | None = None) -> str | None:
        """Put `entry` after the item `after` (`root`: in front; None: at the end).

        Returns the id of the item before it. Raises `Refusal` if `after` is not there, or if the
        entry's own id is already taken.
        """
        if self.get(entry.id) is not None:
            raise Refusal(
                "item_create_duplicate_item_id",
                f"Error creating item: an item with id '{entry.id}' already exists.",
                "item.id",
            )
        if after is None:
            place = len(self._entries)
        elif after == "root":
            place = 0
        else:
            before = self.get(after)
            if before is None:
                raise Refusal(
                    "item_create_invalid_previous_item_id",
                    f"Error creating item: the previous item with id '{after}' does not exist.",
                    "previous_item_id",
                )
            place = self._entries.index(before) + 1
        self._entries.insert(place, entry)
        self._by_id[entry.id] = entry
        return self._entries[place - 1].id if place else None

    def delete(self, item_id: str) -> None:
        self._entries.remove(self.find(item_id, "delete", "deleting"))
        del self._by_id[item_id]


def turns(entries: list[Entry]) -> list[Turn]:
    """Return the items as a mind reads them, without those in which nothing was said."""
    names = {
        entry.item["call_id"]: entry.item["name"]
        for entry in entries
        if entry.item["type"] == "function_call"
    }
    read = [entry.turn(names) for entry in entries]
    return [turn for turn in read if turn.text or turn.role in ("tool_call", "tool_output")]
