"""Callers who say nothing, and lines at whose other end nobody is."""

from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import HangUp, MoveCall, RequestResponse
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase
from hookflash.core.setup import Consult

ASKED = RequestResponse(prompts.STILL_THERE, "none")
ASKED_AGAIN = RequestResponse(prompts.STILL_THERE_AGAIN, "none")
GOODBYE = RequestResponse(prompts.SILENT_GOODBYE, "none")
RECORDING = "Your call is important to us, please hold."


def quiet(scene: Any, **setup: Any) -> Any:
    """A caller who has been greeted and says nothing."""
    return scene(**{"away_timeout": 20.0} | setup).greet()


def said(line: Any, name: str, ms: int = 1000) -> None:
    """The agent says something, and it is heard."""
    line.say(name, f"r-{name}", ms)
    line.now += ms / 1000
    line.returned()


def answers(line: Any, item: str, text: str) -> None:
    """The caller says something."""
    line.speaks(item)
    line.now += 0.5
    line.pauses(item)
    line(e.CallerTranscribed(item, text))


def test_a_silent_caller_is_asked_twice_and_then_the_call_ends(scene: Any) -> None:
    line = quiet(scene)
    assert line.wait(19.9) == []
    assert line.wait(0.2) == [ASKED]
    said(line, "there")
    assert line.wait(19.9) == []
    assert line.wait(0.2) == [ASKED_AGAIN]
    said(line, "again")
    assert line.wait(19.9) == []
    assert line.wait(0.2) == [GOODBYE]
    said(line, "bye")
    assert line.sent(MoveCall)[-1].instructions == (HangUp(),)
    assert line.call.phase is Phase.ENDING


def test_who_answers_is_asked_anew_the_next_time(scene: Any) -> None:
    line = quiet(scene)
    line.wait(20.1)
    said(line, "there")
    answers(line, "c1", "Yes, I am looking for the number.")
    said(line, "waits")
    assert line.wait(19.9) == []
    assert line.wait(0.2) == [ASKED]


def test_a_sound_without_words_is_no_answer(scene: Any) -> None:
    line = quiet(scene)
    line.wait(20.1)
    said(line, "there")
    answers(line, "c1", "...")
    said(line, "what")
    assert line.wait(20.1) == [ASKED_AGAIN]


def test_who_types_is_there(scene: Any) -> None:
    line = quiet(scene)
    line.wait(20.1)
    said(line, "there")
    line.press("4")
    line.wait(1.6)
    said(line, "typed")
    assert line.wait(20.1) == [ASKED]


def test_time_in_which_the_caller_can_say_nothing_does_not_count(scene: Any) -> None:
    line = quiet(scene)
    line.wait(15.0)
    said(line, "a", 3000)
    assert line.wait(19.9) == []
    line.speaks()
    assert ASKED not in line.wait(25.0)


def test_nobody_is_asked_while_a_human_is_rung(scene: Any) -> None:
    plan = HandoffPlan(targets=(Target.phone("+15550102"),), manner="warm", ring_seconds=60)
    line = scene(plan, away_timeout=20.0).accompanied()
    assert ASKED not in line.wait(30.0)


def test_nobody_is_asked_while_a_tool_runs(scene: Any) -> None:
    line = quiet(scene)
    line(e.ResponseStarted("r1"))
    line(e.ToolCallRequested("t1", "lookup", "{}", "r1"))
    line(e.ResponseEnded("r1", "completed"))
    assert ASKED not in line.wait(25.0)


def test_nobody_is_asked_where_the_owner_does_not_want_it(scene: Any) -> None:
    line = quiet(scene, away_timeout=None)
    assert line.wait(600.0) == []


def test_a_human_who_is_consulted_is_not_asked(scene: Any) -> None:
    consult = Consult(parent_sid="CA0", wave=1, leg=0, destination="billing", briefing="A refund.")
    line = quiet(scene, consult=consult)
    assert line.wait(60.0) == []


def test_a_turn_that_does_not_end_is_no_person(scene: Any) -> None:
    line = quiet(scene)
    line.speaks()
    assert line.wait(89.9) == []
    assert line.wait(0.2) == [GOODBYE]
    said(line, "bye")
    assert line.call.phase is Phase.ENDING


def test_a_recording_is_no_person(scene: Any) -> None:
    line = quiet(scene)
    for number in range(6):
        assert GOODBYE not in line.log
        answers(line, f"c{number}", RECORDING)
        if number < 5:
            said(line, f"a{number}")
    assert line.sent(RequestResponse)[-1] == GOODBYE


def test_who_says_other_words_in_between_is_a_person(scene: Any) -> None:
    line = quiet(scene)
    for number in range(12):
        answers(line, f"c{number}", RECORDING if number % 5 else "Hello?")
        said(line, f"a{number}")
    assert GOODBYE not in line.log


def test_who_says_a_few_words_again_and_again_is_a_person(scene: Any) -> None:
    line = quiet(scene)
    for number in range(8):
        answers(line, f"c{number}", "Yes.")
        said(line, f"a{number}")
    assert GOODBYE not in line.log


def test_a_recording_over_the_last_words_is_not_sent_away_twice(scene: Any) -> None:
    line = quiet(scene)
    for number in range(5):
        answers(line, f"c{number}", RECORDING)
        said(line, f"a{number}")
    line(e.HangUpRequested())
    line(e.CallerTranscribed("c9", RECORDING))
    assert GOODBYE not in line.log
