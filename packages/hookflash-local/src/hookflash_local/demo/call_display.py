"""Show a running call in the terminal, from the lines of its journal.

Finished speech is printed as a line. On a terminal, one more line is updated with who is speaking
now. In a pipe or a log, only finished lines are printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from hookflash.replay.svg import clock, shorten
from hookflash.replay.timeline import JournalReader, Spoken
from hookflash.replay.transcript import spoken_text, tool_text
from hookflash_local.demo.ring_attempts import RingAttempts

_COLOURS = {"caller": "cyan", "agent": "magenta", "human": "yellow"}
_STAGES = {
    "farewell": "the agent says goodbye; the hand-off waits until it was heard",
    "moving": "the goodbye was heard; the call moves",
    "ringing": "a human's phone rings",
    "screening": "a human has picked up and hears what it is about",
    "with human": "caller and human hear each other",
    "returning": "nobody there: the caller comes back to the agent",
}


class CallDisplay:
    """Prints a running call: `with CallDisplay(console) as display:`, then `display.feed(line)`.

    `reader` holds the call's timeline so far.
    """

    def __init__(self, console: Console) -> None:
        self.reader = JournalReader()
        self._attempts = RingAttempts()
        self._console = console
        self._live = Live(console=console, transient=True, refresh_per_second=10)
        self._printed: set[int] = set()
        self._stages_printed = 0
        self._barge_ins_printed = 0
        self._waiting: list[tuple[float, int, str, Text]] = []
        """Lines that are not printed yet: (start, number, who, text). Speech that began earlier and
        goes on comes before them."""
        self._lines = 0

    def __enter__(self) -> CallDisplay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._print_spoken(all_of_it=True)
        self._flush(until=math.inf)
        if self._live.is_started:
            self._live.stop()

    def feed(self, line: Mapping[str, Any]) -> None:
        """Take the next decoded line of the journal and show what it changes."""
        if self.reader.timeline.record is not None:
            return
        spoken_so_far = list(self.reader.timeline.spoken)
        self.reader.feed(line)
        for step in self._attempts.feed(line):
            since = step.at - self.reader.timeline.arrived_at
            self._print(since, "", Text(step.text, style="yellow"))
        if self.reader.timeline.record is not None:
            # The record replaces the estimates, but lines that were printed stay as they are.
            self.reader.timeline.spoken = spoken_so_far
        self._show()

    def tick(self, at: float) -> None:
        """Advance to `at` (seconds since 1970) and print speech that has ended since."""
        self.reader.tick(at)
        self._show()

    def _show(self) -> None:
        self._print_spoken()
        self._print_barge_ins()
        self._print_tools()
        self._print_stages()
        self._flush(until=self._earliest_unfinished())
        if self._console.is_terminal and self.reader.timeline.stages:
            # Not before the call begins: until then the terminal may show a progress bar.
            self._live.update(self._now_line())
            if not self._live.is_started:
                self._live.start()

    def _print_spoken(self, all_of_it: bool = False) -> None:
        for spoken in self.reader.timeline.spoken:
            if (spoken.ended or all_of_it) and id(spoken) not in self._printed:
                if spoken.text or spoken.cut:
                    self._printed.add(id(spoken))
                    self._print(spoken.start, spoken.speaker, self._said(spoken))

    def _said(self, spoken: Spoken) -> Text:
        if not self._console.is_terminal:
            return Text(spoken_text(spoken))
        text = Text(spoken.text)
        if spoken.cut:
            text.append(" " if spoken.text else "")
            text.append(spoken.cut, style="dim strike")
        return text

    def _print_tools(self) -> None:
        for tool in self.reader.timeline.tools:
            if tool.end is not None and id(tool) not in self._printed:
                self._printed.add(id(tool))
                took = f" ({(tool.end - tool.start) * 1000:.0f} ms)"
                self._print(tool.start, "tool", Text(tool_text(tool) + took, style="dim"))

    def _print_stages(self) -> None:
        stages = self.reader.timeline.stages
        for stage in stages[self._stages_printed :]:
            if stage.name in _STAGES:
                self._print(stage.start, "", Text(_STAGES[stage.name], style="bold"))
        self._stages_printed = len(stages)

    def _print_barge_ins(self) -> None:
        barge_ins = self.reader.timeline.barge_ins
        for at in barge_ins[self._barge_ins_printed :]:
            self._print(at, "", Text("barge-in: the caller speaks, the agent stops", style="red"))
        self._barge_ins_printed = len(barge_ins)

    def _earliest_unfinished(self) -> float:
        """Return when the first speech or tool began that has no line yet."""
        timeline = self.reader.timeline
        unfinished = [
            one.start
            for one in timeline.spoken
            if id(one) not in self._printed and not one.ended and timeline.record is None
        ]
        unfinished += [tool.start for tool in timeline.tools if id(tool) not in self._printed]
        return min(unfinished, default=math.inf)

    def _print(self, at: float, who: str, text: Text) -> None:
        """Print a line as soon as nothing that began earlier is still to be printed."""
        self._lines += 1
        self._waiting.append((at, self._lines, who, text))

    def _flush(self, *, until: float) -> None:
        self._waiting.sort(key=lambda each: each[:2])
        while self._waiting and self._waiting[0][0] <= until:
            at, _, who, text = self._waiting.pop(0)
            self._print_line(at, who, text)

    def _print_line(self, at: float, who: str, text: Text) -> None:
        line = Text(f"{clock(at):>5}  ", style="dim")
        line.append(f"{who:<7}", style=_COLOURS.get(who, "dim"))
        self._console.print(line + Text(" ") + text, soft_wrap=True)

    def _now_line(self) -> Text:
        timeline = self.reader.timeline
        stage = timeline.stages[-1].name if timeline.stages else "answering"
        line = Text(f"{clock(timeline.seconds):>5}  ", style="dim")
        for spoken in reversed(timeline.spoken):
            if not spoken.ended and spoken.start <= timeline.seconds:
                line.append(f"{spoken.speaker:<7} ", style=_COLOURS[spoken.speaker])
                room = max(10, self._console.width - 20)
                return line.append(shorten(spoken.text or "…", room), style="italic")
        return line.append(stage, style="dim")
