"""A journal made by hand: one call with everything that a picture has to show."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hookflash.core import commands as c
from hookflash.core import events as e
from hookflash.core.record import CallRecord, HandoffAttempt, ToolUse, Utterance

BEGAN = 1_795_336_000.0
"""When the call arrived: journals count seconds since 1970."""


class JournalScript:
    """Writes journal lines at seconds of the call."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = [
            {
                "journal": 1,
                "call_sid": "CA" + "0f" * 16,
                "setup": {"agent": "Riverside"},
            }
        ]

    def event(self, at: float, event: e.AnyEvent) -> None:
        self.lines.append({"at": BEGAN + at, "event": msgspec.to_builtins(event)})

    def command(self, at: float, command: c.AnyCommand) -> None:
        self.lines.append({"at": BEGAN + at, "command": msgspec.to_builtins(command)})

    def state(self, at: float, phase: str, handoff: str = "idle") -> None:
        self.lines.append({"at": BEGAN + at, "state": {"phase": phase, "handoff": handoff}})

    def agent_says(self, at: float, item: str, text: str, seconds: float) -> None:
        """The model generates all of it at once, and all of it is sent at once."""
        response, size = f"r-{item}", int(seconds * 8000)
        self.event(at, e.ResponseStarted(response))
        self.event(at, e.ModelAudio(response, item, "", size))
        self.event(at, e.AgentTranscribed(item, text))
        self.command(at, c.PlayAudio("", size))
        self.event(at + 0.1, e.ResponseEnded(response, "completed"))

    def caller_says(self, start: float, end: float, item: str, text: str) -> None:
        self.event(start, e.CallerSpeechStarted(item))
        self.event(end, e.CallerSpeechStopped(item))
        self.event(end + 0.2, e.CallerTranscribed(item, text))


RECORD = CallRecord(
    call_sid="CA" + "0f" * 16,
    agent="Riverside",
    caller="+15550100",
    called="+15550101",
    disposition="handed_off",
    arrived_at=BEGAN,
    seconds=31.5,
    barge_ins=1,
    utterances=(
        Utterance(speaker="agent", text="Hello, how can I help?", started_at=0.81, ended_at=2.3),
        Utterance(speaker="caller", text="Are you open?", started_at=3.0, ended_at=4.0),
        Utterance(
            speaker="agent",
            text="We are open from nine",
            started_at=4.52,
            ended_at=6.0,
            cut="until five on all days.",
        ),
        Utterance(speaker="caller", text="A human & please <now>", started_at=6.0, ended_at=8.0),
        Utterance(speaker="agent", text="One moment.", started_at=9.0, ended_at=10.0),
    ),
    handoffs=(
        HandoffAttempt(
            destination="desk",
            reason="asked",
            source="tool",
            started_at=9.0,
            outcome="bridged",
            seconds_to_human=12.5,
        ),
    ),
    tools=(
        ToolUse(name="hours", arguments="{}", output="9-17", failed=False, started_at=4, seconds=1),
    ),
)


def play_whole_call(script: JournalScript) -> JournalScript:
    """Greeting, question, tool, barge-in, farewell, ringing, human, end; without its record."""
    script.event(0, e.CallArrived("CA" + "0f" * 16, "+15550100", "+15550101"))
    script.state(0, "ringing")
    script.state(0.3, "talking")
    script.agent_says(0.8, "a1", "Hello, how can I help?", 1.5)
    script.caller_says(3.0, 4.0, "c1", "Are you open?")
    script.command(4.2, c.RunTool("t1", "hours", '{"day":"sat"}'))
    script.event(4.4, e.ToolFinished("t1", "9-17"))
    script.agent_says(4.5, "a2", "We are open from nine until five on all days.", 3.0)
    script.event(6.0, e.CallerSpeechStarted("c2"))
    script.command(6.0, c.ClearAudio())
    script.event(8.0, e.CallerSpeechStopped("c2"))
    script.event(8.2, e.CallerTranscribed("c2", "A human & please <now>"))
    script.state(9.0, "talking", "farewell")
    script.agent_says(9.0, "a3", "One moment.", 1.0)
    script.state(10.0, "handing off", "moving")
    script.event(10.2, e.LegChanged("CAhuman", "ringing", 2))
    script.state(10.2, "handing off", "ringing")
    script.event(21.5, e.LegChanged("CAhuman", "answered", 2))
    script.state(21.5, "with a human", "with human")
    script.event(31.0, e.LegChanged("CAhuman", "completed", 2, "bridged"))
    script.state(31.0, "ended", "done")
    return script


@pytest.fixture
def script() -> JournalScript:
    return JournalScript()


@pytest.fixture
def whole_call(script: JournalScript) -> JournalScript:
    return play_whole_call(script)


@pytest.fixture
def record() -> CallRecord:
    return RECORD
