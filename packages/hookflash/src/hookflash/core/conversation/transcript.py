"""Who said what, as heard: the caller's words by transcription, the agent's by the ledger.

An agent's line is open while any of it is unheard. The ledger's last word on the item closes it:
heard to the end, or cut at so many milliseconds, and then only the words before the cut were
said. Text has no times of its own, so the cut falls in proportion, back to a whole word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from hookflash.core.commands import Message
from hookflash.core.conversation.playout import PREPARED, Settled
from hookflash.core.record import Utterance
from hookflash.core.summary import extract

HISTORY_CHARACTERS = 40_000
"""So much of a call is told to a new session word for word: about an hour's talk."""

_LINE_CHARACTERS = 60
"""What a line costs besides its text."""

_SUMMED_LINES = 500

_MS_PER_CHARACTER = 60.0
"""Fast speech. While an item is still generated its text may run ahead of its sound."""


class Line(msgspec.Struct):
    """What somebody says. `ended_at` is `started_at` while nobody has told the end."""

    speaker: Literal["caller", "agent", "human", "note"]
    item_id: str
    started_at: float
    ended_at: float
    text: str = ""
    cut: str = ""
    whole: str = ""
    """All that the model has written of an agent's line, heard or not."""


class Transcript:
    """The lines of one call, in the order in which they became known."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._by_item: dict[str, Line] = {}
        self._fates: dict[str, Settled] = {}
        self._agent_was_heard = False

    # --- the caller ---------------------------------------------------------------------------

    def caller_started(self, item_id: str, now: float) -> None:
        if item_id not in self._by_item:
            self._add(Line("caller", item_id, now, now))

    def caller_stopped(self, item_id: str, now: float) -> None:
        line = self._by_item.get(item_id)
        if line is not None:
            line.ended_at = now

    def caller_said(self, item_id: str, text: str, now: float) -> Line:
        """Keep what the caller has said in a turn, complete; return its line."""
        self.caller_started(item_id, now)
        line = self._by_item[item_id]
        line.text = text.strip()
        return line

    # --- the agent ----------------------------------------------------------------------------

    def agent_says(self, item_id: str, text: str, now: float) -> None:
        """The next words of an item, which may be long before they are heard, or after."""
        line = self._by_item.get(item_id)
        if line is None:
            line = Line("agent", item_id, now, now)
            self._add(line)
        line.whole += text
        fate = self._fates.get(item_id)
        line.text, line.cut = (line.whole, "") if fate is None else _cut(line.whole, fate)

    def agent_heard(self, fate: Settled, now: float) -> Line:
        """The ledger has closed an item. Return its line, which has what was heard of it."""
        self._fates[fate.item_id] = fate
        if fate.heard_ms > 0 and not fate.item_id.startswith(PREPARED):
            self._agent_was_heard = True
        self.agent_says(fate.item_id, "", now)
        line = self._by_item[fate.item_id]
        if fate.began_at is not None:
            line.started_at = fate.began_at
            line.ended_at = fate.began_at + fate.heard_ms / 1000
        return line

    # --- the human ----------------------------------------------------------------------------

    def human_said(
        self,
        speaker: Literal["caller", "human"],
        text: str,
        started_at: float,
        ended_at: float,
    ) -> Message:
        """Something was said between the caller and a human. Return it as a model is told."""
        line = Line(speaker, "", started_at, ended_at, text.strip())
        self._lines.append(line)
        return _told(line)

    def note(self, message: Message) -> None:
        """Keep something that every model of this call should know, though nobody said it."""
        self._lines.append(Line("note", "", 0.0, 0.0, message.text))

    # --- reading it ---------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[Line]:
        """All lines as they are now, in the order in which they became known; no copies."""
        return self._lines

    def is_settled(self, item_id: str) -> bool:
        """Return whether the ledger's last word on an item was heard: its line is closed."""
        return item_id in self._fates

    def history(self) -> tuple[Message, ...]:
        """The conversation as heard, for a model that starts afresh.

        What is being heard is left out: the model is told when it is known how much of it was. Of a
        long call the newest lines are told, and the older ones in a few sentences.
        """
        first = self._first_told()
        lines: list[Line] = []
        for line in self._lines[first:]:
            if line.speaker == "agent" and line.item_id not in self._fates:
                continue
            place = len(lines)
            if not line.item_id and line.speaker != "note":
                # Known a while after it was said, so what was said since may come before it here.
                while place and lines[place - 1].started_at > line.started_at:
                    place -= 1
            lines.insert(place, line)
        told = tuple(_told(line) for line in lines if line.text)
        return (self._summed_up(first), *told) if first else told

    def _first_told(self) -> int:
        """Return the number of the first line that fits into the history."""
        left = HISTORY_CHARACTERS
        for number in range(len(self._lines) - 1, -1, -1):
            left -= len(self._lines[number].text) + _LINE_CHARACTERS
            if left < 0:
                return number + 1
        return 0

    def _summed_up(self, first: int) -> Message:
        older = [
            Utterance(speaker=line.speaker, text=line.text, started_at=0.0, ended_at=0.0)
            for line in self._lines[max(0, first - _SUMMED_LINES) : first]
            if line.speaker != "note" and line.text
        ]
        return Message("system", f"Of the {first} lines before these: {extract(older, (), '')}")

    def caller_since(self, since: float, most: int) -> str:
        """Return what the caller has said since, the newest `most` characters in whole words."""
        said = " ".join(
            line.text
            for line in self._lines
            if line.speaker == "caller" and line.text and line.started_at >= since
        )
        return said if len(said) <= most else f"...{said[-most:].partition(' ')[2]}"

    def close(self) -> None:
        """The call is over: what the ledger never spoke of was never heard."""
        for line in self._lines:
            if line.speaker == "agent" and line.item_id not in self._fates:
                line.text, line.cut = "", line.text

    def utterances(self, since: float) -> tuple[Utterance, ...]:
        """All that was said or prepared; times are seconds after `since`."""
        lines = sorted(self._lines, key=lambda line: line.started_at)
        return tuple(
            Utterance(
                speaker=line.speaker,
                text=line.text,
                started_at=round(line.started_at - since, 3),
                ended_at=round(max(line.ended_at, line.started_at) - since, 3),
                cut=line.cut,
            )
            for line in lines
            if line.speaker != "note" and (line.text or line.cut)
        )

    @property
    def agent_was_heard(self) -> bool:
        """Whether the agent, and not only a prepared line, was heard to say something."""
        return self._agent_was_heard

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self._by_item[line.item_id] = line


def _told(line: Line) -> Message:
    """Return a line as a model is told."""
    match line.speaker:
        case "caller":
            return Message("user", line.text)
        case "agent":
            return Message("assistant", line.text)
        case "human":
            return Message("system", f"The human said: {line.text}")
    return Message("system", line.text)


def _cut(text: str, fate: Settled) -> tuple[str, str]:
    """Split `text` into what was heard and what was not."""
    if not fate.cut:
        return text, ""
    whole_ms = float(fate.generated_ms)
    if not fate.ended:
        whole_ms = max(whole_ms, len(text) * _MS_PER_CHARACTER)
    place = int(len(text) * fate.heard_ms / whole_ms) if whole_ms > 0 else 0
    if place < len(text):
        place = text.rfind(" ", 0, place + 1) + 1 if " " in text[: place + 1] else 0
    return text[:place].rstrip(), text[place:]
