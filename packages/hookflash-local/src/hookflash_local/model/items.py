"""The items of a conversation: their order, their audio and their text as turns. No I/O.

    in_progress -> completed | incomplete        (items of the model)
    completed                                    (items of the client)

An `Entry` holds an item as sent to the client (a dict without audio), and what only the stand-in
knows: the audio (mu-law) and the sentences with their start times. Truncation cuts the audio and
the sentences, and deletes the transcript from the item, as the real model does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hookflash_local.model.components import Turn
from hookflash_local.model.validation import Refusal

BYTES_PER_MS = 8


class Ids:
    """Makes the IDs of one session, such as `item_<session>_0003`: unique and in order."""

    def __init__(self, session: str) -> None:
        self._session = session
        self._numbers = itertools.count(1)

    def new(self, kind: str) -> str:
        """Return a new ID with the prefix `kind`."""
        return f"{kind}_{self._session}_{next(self._numbers):04d}"

    def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return a server event of type `kind` with a new `event_id`."""
        return {"type": kind, "event_id": self.new("event"), **fields}


@dataclass(slots=True)
class Entry:
    """One item. `item` is sent to the client; the other fields are internal.

    `audio` is mu-law at 8 kHz. `understood` is the transcript of a caller's audio. `spoken` are an
    assistant's sentences, each with the ms of audio before it. `cut` is whether it was truncated;
    audio that is generated later is then not added.
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
        """The length of the audio."""
        return len(self.audio) / BYTES_PER_MS

    @property
    def is_caller_audio(self) -> bool:
        """Whether this is a user message with audio."""
        return self.item.get("role") == "user" and any(
            part["type"] == "input_audio" for part in self.item["content"]
        )

    def truncate(self, audio_end_ms: int) -> None:
        """Cut the item to the first `audio_end_ms`.

        Raises `Refusal` if the item has no audio of the model, or less than `audio_end_ms`.
        """
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
        """Yield the heard sentences; a partly heard one keeps its share of words."""
        ends = [begin for _, begin in self.spoken[1:]] + [self.audio_ms]
        for (text, begin), end in zip(self.spoken, ends, strict=False):
            if end <= heard_ms:
                yield text, begin
            elif begin < heard_ms:
                words = text.split()
                share = int(len(words) * (heard_ms - begin) / (end - begin))
                yield " ".join(words[:share]), begin

    def turn(self, tool_names: dict[str, str]) -> Turn:
        """Return the item as a turn; `tool_names` maps call IDs to tool names."""
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
        """The ID of the last item; None if there are no items."""
        return self._entries[-1].id if self._entries else None

    def get(self, item_id: str) -> Entry | None:
        """Return the item, or None if it does not exist."""
        return self._by_id.get(item_id)

    def before(self, item_id: str) -> str | None:
        """Return the ID of the previous item; None if this is the first, or does not exist."""
        names = [entry.id for entry in self._entries]
        place = names.index(item_id) if item_id in names else 0
        return names[place - 1] if place else None

    def find(self, item_id: str, code: str, doing: str) -> Entry:
        """Return the item, or raise `Refusal` with the code `item_<code>_invalid_item_id`."""
        entry = self.get(item_id)
        if entry is None:
            raise Refusal(
                f"item_{code}_invalid_item_id",
                f"Error {doing} item: the item with id '{item_id}' does not exist.",
                "item_id",
            )
        return entry

    def insert(self, entry: Entry, after: str | None = None) -> str | None:
        """Insert `entry` after the item `after` (`root`: first; None: last).

        Return the ID of the item before it. Raises `Refusal` if `after` does not exist, or if the
        entry's own ID is in use.
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
        """Delete the item. Raises `Refusal` if it does not exist."""
        self._entries.remove(self.find(item_id, "delete", "deleting"))
        del self._by_id[item_id]


def turns(entries: list[Entry]) -> list[Turn]:
    """Return the items as turns for the dialogue manager, without empty ones."""
    names = {
        entry.item["call_id"]: entry.item["name"]
        for entry in entries
        if entry.item["type"] == "function_call"
    }
    read = [entry.turn(names) for entry in entries]
    return [turn for turn in read if turn.text or turn.role in ("tool_call", "tool_output")]
