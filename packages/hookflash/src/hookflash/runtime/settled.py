"""The lines of a transcript that are settled, for the journal: each once, as soon as it is known.

A caller's line is settled when its words are there, an agent's when the ledger has closed its item.
An agent's words may still come after that: then the line is told again, for as long as it is among
the newest. What is looked at does not grow with the call.
"""

from __future__ import annotations

from hookflash.core.conversation.transcript import Line, Transcript
from hookflash.runtime.journal_lines import Said

_OPEN = 32
"""How many lines that are not settled are watched: an older one will never be heard of."""

_NEWEST = 4
"""How many settled lines are watched for words that come late."""


class SettledLines:
    """Follows `transcript`. Lines that were settled when this was made are not told of."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        lines = transcript.lines
        self._taken = len(lines)
        newest = lines[-_OPEN:]
        self._open: list[Line] = [line for line in newest if not self._is_settled(line)]
        self._told: list[tuple[Line, str]] = []

    def news(self) -> list[Said]:
        """Return the lines that were settled, or have changed since they were."""
        lines = self._transcript.lines
        if len(lines) > self._taken:
            self._open += lines[self._taken :]
            self._taken = len(lines)
        found: list[Said] = []
        for number, (line, text) in enumerate(self._told):
            if line.text != text:
                self._told[number] = (line, line.text)
                found.append(_said(line))
        if not self._open:
            return found
        waiting: list[Line] = []
        for line in self._open:
            if not self._is_settled(line):
                waiting.append(line)
                continue
            if line.item_id:
                self._told.append((line, line.text))
            if line.text or line.cut:
                found.append(_said(line))
        self._open = waiting[-_OPEN:]
        del self._told[:-_NEWEST]
        return found

    def _is_settled(self, line: Line) -> bool:
        if line.speaker == "agent":
            return self._transcript.is_settled(line.item_id)
        return bool(line.text)


def _said(line: Line) -> Said:
    return Said(
        speaker=line.speaker,
        text=line.text,
        started_at=line.started_at,
        ended_at=line.ended_at,
        cut=line.cut,
        id=line.item_id,
    )
