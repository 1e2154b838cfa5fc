"""Report each settled line of a transcript once, for the journal.

A caller's line is settled when it has text, an agent's when the playout ledger has closed its item.
Text of an agent's line may still arrive later: the line is then reported again, while it is one of
the newest. The cost of a look does not grow with the call.
"""

from __future__ import annotations

from hookflash.core.conversation.transcript import Line, Transcript
from hookflash.runtime.journal_lines import Said

_OPEN = 32
"""How many unsettled lines are watched. An older one no longer settles."""

_NEWEST = 4
"""How many settled lines are watched for late text."""


class SettledLines:
    """Follows `transcript`. Lines that are settled at the start are not reported."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        lines = transcript.lines
        self._taken = len(lines)
        newest = lines[-_OPEN:]
        self._open: list[Line] = [line for line in newest if not self._is_settled(line)]
        self._watched: list[tuple[Line, str]] = []

    def changes(self) -> list[Said]:
        """Return the lines that were settled, or changed after they were settled."""
        lines = self._transcript.lines
        if len(lines) > self._taken:
            self._open += lines[self._taken :]
            self._taken = len(lines)
        found: list[Said] = []
        for number, (line, text) in enumerate(self._watched):
            if line.text != text:
                self._watched[number] = (line, line.text)
                found.append(_said(line))
        if not self._open:
            return found
        waiting: list[Line] = []
        for line in self._open:
            if not self._is_settled(line):
                waiting.append(line)
                continue
            if line.item_id:
                self._watched.append((line, line.text))
            if line.text or line.cut:
                found.append(_said(line))
        self._open = waiting[-_OPEN:]
        del self._watched[:-_NEWEST]
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
