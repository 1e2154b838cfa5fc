from __future__ import annotations

from hookflash.core.commands import CancelTool, RunTool
from hookflash.core.conversation.running_tools import Answered, RunningTools
from hookflash.core.record import ToolUse

T = 1000.0


def test_a_call_is_run_once_and_answered_once() -> None:
    tools = RunningTools()
    assert tools.ask("t1", "lookup", "{}", "r1", T) == [RunTool("t1", "lookup", "{}")]
    assert tools.ask("t1", "lookup", "{}", "r1", T) == []
    use = ToolUse(
        name="lookup", arguments="{}", output="42", failed=False, started_at=T, seconds=0.5
    )
    assert tools.finish("t1", "42", False, T + 0.5) == Answered(use, False, True)
    assert tools.finish("t1", "42", False, T + 0.6) is None
    assert tools.ask("t1", "lookup", "{}", "r1", T) == [], "not even after its answer"


def test_a_response_is_complete_with_its_last_answer() -> None:
    tools = RunningTools()
    for call_id, response in (("t1", "r1"), ("t2", "r1"), ("t3", "r2")):
        tools.ask(call_id, "lookup", "{}", response, T)
    complete = [
        answered.complete
        for call_id in ("t1", "t2", "t3")
        if (answered := tools.finish(call_id, "", False, T)) is not None
    ]
    assert complete == [False, True, True]


def test_tool_calls_of_a_lost_session_are_not_waited_for() -> None:
    tools = RunningTools()
    tools.ask("t1", "lookup", "{}", "", T)
    tools.orphan_all()
    tools.ask("t2", "lookup", "{}", "", T)
    answered = tools.finish("t2", "", False, T)
    assert answered is not None and answered.complete and not answered.orphan
    orphan = tools.finish("t1", "", True, T)
    assert orphan is not None and orphan.complete and orphan.orphan


def test_each_call_is_cancelled_once() -> None:
    tools = RunningTools()
    tools.ask("t1", "lookup", "{}", "r1", T)
    assert tools.cancel_all() == [CancelTool("t1")]
    assert tools.cancel_all() == []
    assert tools.finish("t1", "", False, T) is None


def test_calls_that_the_core_answers_itself_are_remembered() -> None:
    tools = RunningTools()
    assert tools.note("t1")
    assert not tools.note("t1")
    assert tools.ask("t1", "lookup", "{}", "r1", T) == []
