"""Write a call as text: what was heard, tool calls and hand-offs, by time. No I/O."""

from __future__ import annotations

import time
from collections.abc import Iterator

from hookflash.replay.svg import clock
from hookflash.replay.timeline import Leg, Spoken, Timeline, ToolSpan

_STAGES = {
    "farewell": "hand-off: the agent says goodbye",
    "moving": "hand-off: the call is on its way",
    "with human": "hand-off: caller and human hear each other",
    "returning": "hand-off: the caller comes back to the agent",
}


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
    entries: list[tuple[float, str, str]] = [
        (one.start, one.speaker, spoken_text(one)) for one in timeline.spoken
    ]
    entries += [(tool.start, "tool", tool_text(tool)) for tool in timeline.tools]
    entries += [
        (stage.start, "", _STAGES[stage.name]) for stage in timeline.stages if stage.name in _STAGES
    ]
    entries += [(leg.start, "", leg_text(leg)) for leg in timeline.legs]
    for start, who, text in sorted(entries, key=lambda one: one[0]):
        yield f"{clock(start):>5}  {who:<7} {text}"
