"""What a caller hears who waits for a tool that has lines of its own, or is to have none."""

from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core.commands import (
    ClearAudio,
    OpenModel,
    PlayAudio,
    PlayPrepared,
    RequestResponse,
)
from hookflash.core.conversation.limits import TOOL_LINE_LIMITS
from hookflash.core.conversation.states import OwedState, ToolLineState

from .times import A_BIT, FILLS, lasts

LINE = "Let me look that up."
FILLERS = {"look_up": 1, "search": 3, "ping": 0}
AGAIN = lasts(OwedState.FILLED)


def _moment() -> float:
    limit = TOOL_LINE_LIMITS[ToolLineState.DUE]
    assert limit is not None and isinstance(limit.seconds, float)
    return limit.seconds


MOMENT = _moment()
"""How long a tool may take before its line is said."""


def asked(scene: Any) -> Any:
    """The caller has asked something."""
    line = scene(tool_fillers=FILLERS).greet()
    line.speaks()
    line.pauses()
    return line


def calls(line: Any, *names: str, response: str = "r-tool", ids: str = "") -> None:
    """The model calls tools, and says nothing."""
    line(e.ResponseStarted(response))
    for number, name in enumerate(names, 1):
        line(e.ToolCallRequested(f"{ids or response}-{number}", name, "{}", response))
    line(e.ResponseEnded(response, "completed"))


def finishes(line: Any, response: str = "r-tool", number: int = 1) -> list[Any]:
    return line(e.ToolFinished(f"{response}-{number}", "found"))  # type: ignore[no-any-return]


def played(line: Any) -> list[tuple[str, str]]:
    """What was fetched so far: the line, and whose it is."""
    return [(each.line, each.tool) for each in line.sent(PlayPrepared)]


def hear(line: Any, ms: int = 1000, text: str = LINE) -> None:
    """The newest prepared sound is played and heard."""
    line.prepared(ms, text=text)
    line.now += ms / 1000
    line.returned()


# --- its own line -----------------------------------------------------------------------------


def test_a_tool_with_a_line_of_its_own_has_it_a_moment_after_it_was_called(scene: Any) -> None:
    line = asked(scene)
    line.now += 0.3
    calls(line, "look_up")
    line.wait(MOMENT - A_BIT)
    assert played(line) == []
    line.wait(2 * A_BIT)
    assert played(line) == [("filler", "look_up")]
    assert PlayAudio("", 8000) in line.prepared(1000, text=LINE)


def test_a_tool_that_answers_at_once_has_no_line(scene: Any) -> None:
    line = asked(scene)
    line.now += 0.3
    calls(line, "look_up")
    line.now += MOMENT - A_BIT
    assert RequestResponse() in finishes(line)
    line.say("answer", "r-answer", 1000, asked=True)
    line.now += 1.0
    line.returned()
    line.wait(10.0)
    assert played(line) == []


def test_an_answer_that_does_not_follow_is_filled_as_ever(scene: Any) -> None:
    """The tool has answered before its line was due, and the model does not go on."""
    line = asked(scene)
    line.now += 0.3
    calls(line, "look_up")
    line.now += MOMENT - A_BIT
    finishes(line)
    line.wait(FILLS - 0.3 - MOMENT + 2 * A_BIT)
    assert played(line) == [("filler", "")]


def test_a_late_call_gives_its_line_to_the_filler_that_is_due_anyway(scene: Any) -> None:
    line = asked(scene)
    line.wait(FILLS - 2 * A_BIT)
    calls(line, "look_up")
    line.wait(3 * A_BIT)
    assert played(line) == [("filler", "look_up")], "sooner than its own moment"
    hear(line)
    line.wait(AGAIN - A_BIT)
    assert len(played(line)) == 1, "and not twice"


def test_a_line_is_said_once_and_then_a_tone_and_the_agents_own_in_turn(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line.wait(MOMENT + A_BIT)
    for _ in range(3):
        hear(line)
        line.wait(AGAIN + A_BIT)
    assert played(line) == [("filler", "look_up"), ("tone", ""), ("filler", ""), ("tone", "")]


def test_several_lines_are_said_in_turn(scene: Any) -> None:
    line = asked(scene)
    calls(line, "search")
    line.wait(MOMENT + A_BIT)
    for _ in range(6):
        hear(line)
        line.wait(AGAIN + A_BIT)
    assert [tool for name, tool in played(line) if name == "filler"] == [*3 * ["search"], ""]


def test_a_tool_that_runs_twice_at_once_says_its_line_once(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up", "look_up")
    line.wait(MOMENT + A_BIT)
    for _ in range(2):
        hear(line)
        line.wait(AGAIN + A_BIT)
    assert played(line) == [("filler", "look_up"), ("tone", ""), ("filler", "")]


def test_of_two_tools_each_has_its_line(scene: Any) -> None:
    line = asked(scene)
    calls(line, "ping", "look_up", "search")
    line.wait(MOMENT + A_BIT)
    for _ in range(2):
        hear(line)
        line.wait(AGAIN + A_BIT)
    assert played(line) == [("filler", "look_up"), ("tone", ""), ("filler", "search")]


def test_a_model_that_has_said_something_of_its_own_is_not_followed_at_once(scene: Any) -> None:
    """ "One moment, I am looking", says the agent, and calls the tool."""
    line = asked(scene)
    line(e.ResponseStarted("r-tool"))
    line.sound("look", "r-tool", 1000)
    line(e.ToolCallRequested("t1", "look_up", "{}", "r-tool"))
    line(e.ModelAudioEnded("r-tool", "look"))
    line(e.ResponseEnded("r-tool", "completed"))
    line.now += 1.0
    line.returned()
    line.wait(FILLS - A_BIT)
    assert played(line) == []
    line.wait(2 * A_BIT)
    assert played(line) == [("filler", "look_up")]


def test_a_line_waits_until_what_is_being_said_was_heard(scene: Any) -> None:
    line = asked(scene)
    line.say("first", "r-first", 2000)
    calls(line, "look_up")
    line.wait(MOMENT + A_BIT)
    assert played(line) == []
    line.wait(2.0 - MOMENT - A_BIT)
    line.returned()
    line.wait(MOMENT + A_BIT)
    assert played(line) == [("filler", "look_up")]


def test_a_caller_who_speaks_stops_the_line(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line.wait(MOMENT + A_BIT)
    line.prepared(2000, text=LINE)
    line.now += 0.5
    assert ClearAudio() in line.speaks("c2")
    line.pauses("c2")
    line.wait(MOMENT + A_BIT)
    assert played(line) == [("filler", "look_up")], "and it is not begun again"
    (cut,) = [each.cut for each in line.call.record(line.now).utterances if each.cut]
    assert cut in LINE


def test_while_the_caller_speaks_no_line_is_said(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line.speaks("c2")
    line.wait(10.0)
    assert played(line) == []
    line.pauses("c2")
    line.wait(MOMENT + A_BIT)
    assert played(line) == [("filler", "look_up")]


def test_an_answer_that_comes_during_the_line_follows_it(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line.wait(MOMENT + A_BIT)
    line.prepared(1000, text=LINE)
    line.now += 0.2
    finishes(line)
    commands = line.say("answer", "r-answer", 1000, asked=True)
    assert ClearAudio() not in commands and PlayAudio("", 8000) in commands


def test_the_next_tool_of_a_chain_has_its_line_after_a_tone(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line.wait(MOMENT + A_BIT)
    hear(line)
    finishes(line)
    line.wait(A_BIT)
    calls(line, "search", response="r-next")
    for _ in range(2):
        line.wait(AGAIN + A_BIT)
        hear(line)
    assert played(line) == [("filler", "look_up"), ("tone", ""), ("filler", "search")]


def test_a_caller_whose_session_is_lost_still_hears_that_the_tool_runs(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line(e.ModelLost("the connection broke"))
    line(e.ModelReady("S2"))
    line.wait(MOMENT + A_BIT)
    for _ in range(3):
        hear(line)
        line.wait(AGAIN + A_BIT)
    assert played(line) == [("filler", "look_up"), ("tone", ""), ("filler", ""), ("tone", "")]
    assert len(line.sent(OpenModel)) == 2, "the session after owes nothing"
    assert RequestResponse() in finishes(line)


def test_before_a_goodbye_no_tool_has_a_line(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line(e.HangUpRequested())
    line.wait(MOMENT + A_BIT)
    assert played(line) == []


def test_a_stream_that_ends_takes_the_line_with_it(scene: Any) -> None:
    line = asked(scene)
    calls(line, "look_up")
    line(e.StreamStopped("MZ1"))
    assert line.call.conversation.tool_line.state is ToolLineState.NONE
    line.wait(MOMENT + A_BIT)
    assert played(line) == []


# --- none, and the agent's own ----------------------------------------------------------------


def test_a_tool_without_a_filler_has_a_tone_in_time_and_never_a_line(
    scene: Any,
) -> None:
    line = asked(scene)
    calls(line, "ping")
    line.wait(FILLS + A_BIT)
    for _ in range(3):
        hear(line, 250, "")
        line.wait(AGAIN + A_BIT)
    assert played(line) == 4 * [("tone", "")]


def test_a_tool_of_which_nothing_is_said_has_the_agents_filler(scene: Any) -> None:
    line = asked(scene)
    calls(line, "other", "ping")
    line.wait(FILLS - A_BIT)
    assert played(line) == []
    line.wait(2 * A_BIT)
    assert played(line) == [("filler", "")]


def test_a_tool_that_has_been_waited_for_costs_no_session(scene: Any) -> None:
    """The model answers for what the tool has just told it, not for the tool's time."""
    line = asked(scene)
    calls(line, "search")
    line.wait(MOMENT + A_BIT)
    for _ in range(2):
        hear(line)
        line.wait(AGAIN + A_BIT)
    hear(line)
    line.wait(AGAIN - A_BIT)
    finishes(line)
    line.wait(2 * A_BIT)
    assert len(line.sent(OpenModel)) == 1
