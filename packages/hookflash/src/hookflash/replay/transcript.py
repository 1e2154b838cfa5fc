"""Write a call as text: what was heard, tool calls and hand-offs, by time. No I/O."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hookflash.core.state_words import CALL_STATES
from hookflash.replay.svg import clock
from hookflash.replay.timeline import Leg, Spoken, Timeline, ToolSpan

_QUIET = frozenset(("answering", "talking", "ending", "ended"))
"""Stages that are not mentioned: what is said shows them."""


def spoken_text(spoken: Spoken) -> str:
    """Return the heard text, followed by the unheard text in brackets."""
    if not spoken.cut:
        return spoken.text
    return f"{spoken.text} [cut off: {spoken.cut}]".strip()


def tool_text(tool: ToolSpan) -> str:
    """Return one line for a tool call: name, arguments and result."""
    answer = "cancelled" if tool.cancelled else tool.output
    word = "failed" if tool.failed else "answered"
    return f"{tool.name} {tool.arguments} {word}: {answer}"


def leg_text(leg: Leg) -> str:
    """Return one line for an attempt to reach a human."""
    if leg.answered is None:
        return f"hand-off: ringing, {leg.outcome or 'no answer yet'}"
    return f"hand-off: a human answers after {leg.answered - leg.start:.1f} s"


def transcript_text(timeline: Timeline) -> str:
    """Return the whole transcript, one event per line, sorted by start time."""
    return "\n".join(_lines(timeline)) + "\n"


def _lines(timeline: Timeline) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(timeline.arrived_at))
    end = timeline.disposition.replace("_", " ") or "not finished"
    yield f"{timeline.agent} · {when} · {clock(timeline.seconds)} · {end}"
    yield ""
    for start, _, who, said, cut in entries(timeline):
        unheard = f"{said} [cut off: {cut}]".strip() if cut else said
        yield f"{clock(start):>5}  {who:<7} {unheard}"


Entry = tuple[float, float, str, str, str]
"""Start and end in seconds, who (a speaker, `tool` or empty), the text, and what was not heard."""


def entries(timeline: Timeline) -> list[Entry]:
    """Return what happened in a call, sorted by start time."""
    found: list[Entry] = [
        (one.start, one.end, one.speaker, one.text, one.cut) for one in timeline.spoken
    ]
    found += [
        (tool.start, tool.end or tool.start, "tool", tool_text(tool), "") for tool in timeline.tools
    ]
    found += [
        (stage.start, stage.start, "", f"{stage.name}: {CALL_STATES[stage.name].means}", "")
        for stage in timeline.stages
        if stage.name in CALL_STATES and stage.name not in _QUIET
    ]
    found += [(leg.start, leg.start, "", leg_text(leg), "") for leg in timeline.legs]
    return sorted(found, key=lambda one: one[0])
