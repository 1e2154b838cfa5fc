"""A call as text: who said what as heard, with what happened in between. No I/O."""

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
    """What was heard, and in brackets what was prepared and never heard."""
    if not spoken.cut:
        return spoken.text
    return f"{spoken.text} [cut off: {spoken.cut}]".strip()


def tool_text(tool: ToolSpan) -> str:
    answer = "cancelled" if tool.cancelled else tool.output
    word = "failed" if tool.failed else "answered"
    return f"{tool.name} {tool.arguments} {word}: {answer}"


def leg_text(leg: Leg) -> str:
    if leg.answered is None:
        return f"hand-off: ringing, {leg.outcome or 'no answer yet'}"
    return f"hand-off: a human answers after {leg.answered - leg.start:.1f} s"


def written(timeline: Timeline) -> str:
    """Return the whole transcript, one thing a line, in the order in which they began."""
    return "\n".join(_lines(timeline)) + "\n"


def _lines(timeline: Timeline) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(timeline.arrived_at))
    end = timeline.disposition.replace("_", " ") or "not finished"
    yield f"{timeline.agent} · {when} · {clock(timeline.seconds)} · {end}"
    yield ""
    told: list[tuple[float, str, str]] = [
        (one.start, one.speaker, spoken_text(one)) for one in timeline.spoken
    ]
    told += [(tool.start, "tool", tool_text(tool)) for tool in timeline.tools]
    told += [
        (stage.start, "", _STAGES[stage.name]) for stage in timeline.stages if stage.name in _STAGES
    ]
    told += [(leg.start, "", leg_text(leg)) for leg in timeline.legs]
    for start, who, text in sorted(told, key=lambda one: one[0]):
        yield f"{clock(start):>5}  {who:<7} {text}"
