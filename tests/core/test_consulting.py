from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import builtin_tools, prompts
from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    HangUp,
    JoinRoom,
    MoveCall,
    ReportConsult,
    RequestResponse,
    Speak,
)
from hookflash.core.setup import Consult

CONSULT = Consult(
    parent_sid="CA-parent",
    wave=2,
    leg=1,
    destination="billing",
    briefing="Call for billing: a refund.",
)


def consult(scene: Any) -> Any:
    line = scene(consult=CONSULT, destinations=())
    line.arrive()
    line(e.ModelReady("S1"))
    return line


def decided(line: Any, name: str, arguments: str = "{}", *, ms: int = 800) -> list[Any]:
    line(e.ResponseStarted("r1"))
    if ms:
        line.sound("a1", "r1", ms)
    commands = line(e.ToolCallRequested("t1", name, arguments, "r1"))
    if ms:
        line(e.ModelAudioEnded("r1", "a1"))
    return [*commands, *line(e.ResponseEnded("r1", "completed"))]


def test_the_human_is_briefed_first(scene: Any) -> None:
    line = consult(scene)
    asked = line.stream()[-1]
    assert '"Call for billing: a refund. Do you take the call?"' in asked.instructions


def greeted(scene: Any) -> Any:
    line = consult(scene)
    line.stream()
    line.say("hello", "r-hello", 1000)
    line.now += 1.0
    line.returned()
    return line


def test_a_human_who_takes_the_call_goes_into_the_room_of_the_caller(scene: Any) -> None:
    line = greeted(scene)
    output = decided(line, builtin_tools.CONNECT_TOOL)[0]
    assert "The caller is connected as soon as your last words were heard" in output.output
    line.now += 0.8
    report, _, moved = line.returned()
    assert report == ReportConsult("CA-parent", e.ConsultDecided("CA1", "connect"))
    assert moved == MoveCall(2, (JoinRoom("CA-parent", 2, leg=1),), 2.0)


@pytest.mark.parametrize(
    ("name", "decision"),
    [(builtin_tools.DECLINE_TOOL, "decline"), (builtin_tools.LEFT_TOOL, "voicemail")],
)
def test_a_human_who_does_not_take_it_is_said_goodbye(scene: Any, name: str, decision: Any) -> None:
    line = greeted(scene)
    decided(line, name, '{"reason": "in a meeting"}')
    line.now += 0.8
    report, _, moved = line.returned()
    assert report.decided == e.ConsultDecided("CA1", decision, "in a meeting")
    assert moved.instructions == (HangUp(),)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (builtin_tools.CONNECT_TOOL, prompts.CONSULT_CONNECT),
        (builtin_tools.DECLINE_TOOL, prompts.CONSULT_DECLINE),
        (builtin_tools.LEFT_TOOL, prompts.CONSULT_VOICEMAIL),
    ],
)
def test_last_words_that_were_not_said_are_asked_for(scene: Any, name: str, words: str) -> None:
    line = greeted(scene)
    assert decided(line, name, ms=0)[-1] == RequestResponse(words, "none")


def test_a_decision_of_a_consult_is_final(scene: Any) -> None:
    line = greeted(scene)
    decided(line, builtin_tools.CONNECT_TOOL)
    line(e.ResponseStarted("r2"))
    output = line(e.ToolCallRequested("t2", builtin_tools.DECLINE_TOOL, "{}", "r2"))[0]
    assert '"already settled"' in output.output


def test_a_stream_that_is_lost_after_the_decision_leads_where_it_was_settled(scene: Any) -> None:
    line = greeted(scene)
    decided(line, builtin_tools.CONNECT_TOOL)
    line(e.StreamStopped("MZ1"))
    answer = line.asks(1)[-1]
    assert answer == AnswerCarrier((JoinRoom("CA-parent", 2, leg=1),))


def test_the_three_tools_are_the_owners_in_a_callers_call(scene: Any) -> None:
    line = scene().greet()
    line(e.ResponseStarted("r1"))
    (run,) = line(e.ToolCallRequested("t1", builtin_tools.CONNECT_TOOL, "{}", "r1"))
    assert type(run).__name__ == "RunTool"


def test_a_consult_whose_agent_dies_ends_with_a_sentence(scene: Any) -> None:
    line = scene(consult=CONSULT, fallback="billing")
    line.arrive()
    line(e.ModelReady("S1"))
    line.stream()
    moved = line(e.ModelLost("wrong key", "none"))[-1]
    assert [type(each) for each in moved.instructions] == [Speak, HangUp]


def test_a_consult_whose_streams_never_open_ends_with_a_sentence(scene: Any) -> None:
    line = scene(consult=CONSULT, fallback="billing")
    line.arrive()
    for step in (1, 2, 3):
        line.asks(step)
    answer = line.asks(4)[-1]
    assert [type(each) for each in answer.instructions] == [Speak, HangUp]
