"""Who said what, as heard: the caller's words by transcription, the agent's by the ledger.

An agent's line is open while any of it is unheard. The ledger closes it when the item is settled:
heard to the end, or cut at so many milliseconds. Then only the words before the cut count as heard.
Text has no times, so the cut is made in proportion, at the start of a word.
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
"""How much of a call a new session gets word for word: about an hour of talk."""

_LINE_CHARACTERS = 60
"""What a line adds to the history besides its text."""

_SUMMED_LINES = 500

_MS_PER_CHARACTER = 60.0
"""Fast speech. While an item is generated, its text may run ahead of its sound."""


class Line(msgspec.Struct):
    """What somebody says. `ended_at` is `started_at` while the end is unknown."""

    speaker: Literal["caller", "agent", "human", "note"]
    item_id: str
    started_at: float
    ended_at: float
    text: str = ""
    cut: str = ""
    whole: str = ""
    """The whole text of an agent's line, heard or not."""


class Transcript:
    """The lines of one call, in the order in which they became known."""

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._by_item: dict[str, Line] = {}
        self._settled: dict[str, Settled] = {}
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
        """Add the complete text of the caller's turn; return its line."""
        self.caller_started(item_id, now)
        line = self._by_item[item_id]
        line.text = text.strip()
        return line

    # --- the agent ----------------------------------------------------------------------------

    def agent_says(self, item_id: str, text: str, now: float) -> None:
        """Add the next words of an item; they may come before or after they are heard."""
        line = self._by_item.get(item_id)
        if line is None:
            line = Line("agent", item_id, now, now)
            self._add(line)
        line.whole += text
        settled = self._settled.get(item_id)
        line.text, line.cut = (line.whole, "") if settled is None else _cut(line.whole, settled)

    def agent_heard(self, settled: Settled, now: float) -> Line:
        """The ledger has settled an item. Return its line, with the text that was heard."""
        self._settled[settled.item_id] = settled
        if settled.heard_ms > 0 and not settled.item_id.startswith(PREPARED):
            self._agent_was_heard = True
        self.agent_says(settled.item_id, "", now)
        line = self._by_item[settled.item_id]
        if settled.began_at is not None:
            line.started_at = settled.began_at
            line.ended_at = settled.began_at + settled.heard_ms / 1000
        return line

    # --- the human ----------------------------------------------------------------------------

    def human_said(
        self,
        speaker: Literal["caller", "human"],
        text: str,
        started_at: float,
        ended_at: float,
    ) -> Message:
        """Add what the caller or a human said; return the message for the model."""
        line = Line(speaker, "", started_at, ended_at, text.strip())
        self._lines.append(line)
        return _message(line)

    def note(self, message: Message) -> None:
        """Add something that every session of this call must know, but nobody said."""
        self._lines.append(Line("note", "", 0.0, 0.0, message.text))

    # --- reading it ---------------------------------------------------------------------------

    @property
    def lines(self) -> Sequence[Line]:
        """All lines as they are now, in the order in which they became known; no copies."""
        return self._lines

    def is_settled(self, item_id: str) -> bool:
        """Return whether the ledger has settled an item, so that its line is final."""
        return item_id in self._settled

    def history(self) -> tuple[Message, ...]:
        """Return the conversation as heard, for a new session.

        An item that is not settled is left out; the session gets it when it is. A long call is
        shortened: the newest lines word for word, the older ones as a summary.
        """
        first = self._first_message()
        lines: list[Line] = []
        for line in self._lines[first:]:
            if line.speaker == "agent" and line.item_id not in self._settled:
                continue
            index = len(lines)
            if not line.item_id and line.speaker != "note":
                # It became known late: put it before the lines that were said after it.
                while index and lines[index - 1].started_at > line.started_at:
                    index -= 1
            lines.insert(index, line)
        messages = tuple(_message(line) for line in lines if line.text)
        return (self._summed_up(first), *messages) if first else messages

    def _first_message(self) -> int:
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

    def close(self) -> None:
        """The call is over: an item that the ledger has not settled was never heard."""
        for line in self._lines:
            if line.speaker == "agent" and line.item_id not in self._settled:
                line.text, line.cut = "", line.text

    def utterances(self, since: float) -> tuple[Utterance, ...]:
        """Return every line, heard or cut. Times are seconds after `since`."""
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
        """Whether the caller has heard the agent, not only a prepared line."""
        return self._agent_was_heard

    def _add(self, line: Line) -> None:
        self._lines.append(line)
        self._by_item[line.item_id] = line


def _message(line: Line) -> Message:
    """Return a line as a message for the model."""
    match line.speaker:
        case "caller":
            return Message("user", line.text)
        case "agent":
            return Message("assistant", line.text)
        case "human":
            return Message("system", f"The human said: {line.text}")
    return Message("system", line.text)


def _cut(text: str, settled: Settled) -> tuple[str, str]:
    """Split `text` into what was heard and what was not."""
    if not settled.cut:
        return text, ""
    whole_ms = float(settled.generated_ms)
    if not settled.ended:
        whole_ms = max(whole_ms, len(text) * _MS_PER_CHARACTER)
    end = int(len(text) * settled.heard_ms / whole_ms) if whole_ms > 0 else 0
    if end < len(text):
        end = text.rfind(" ", 0, end + 1) + 1 if " " in text[: end + 1] else 0
    return text[:end].rstrip(), text[end:]
