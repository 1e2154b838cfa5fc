"""Recording: the line first, heard to its end; nothing before it, nothing after a no."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import (
    AddMessage,
    ClearAudio,
    CloseModel,
    Message,
    MoveCall,
    PlayAudio,
    RequestResponse,
    SendMark,
    SendToolOutput,
    StartRecording,
    StopRecording,
)
from hookflash.core.phases import Phase
from hookflash.core.setup import Consult

LINE = "This call is recorded."
CONSENT = RequestResponse(prompts.consent(LINE), "none")
GREETING = RequestResponse(prompts.greeting("Hello."))


def starts(scene: Any) -> list[StartRecording]:
    return scene.sent(StartRecording)  # type: ignore[no-any-return]


@pytest.fixture
def line(scene: Any) -> Any:
    """A call that is to be recorded, where the agent has been asked for the line."""
    line = scene(greeting="Hello.", record=True, consent=LINE)
    line.arrive()
    line(e.ModelReady("S1"))
    assert line.stream() == [SendMark("1:1:probe"), CONSENT]
    return line


def heard(line: Any, response: str = "r1") -> list[Any]:
    """The line is said and heard."""
    line.say("consent-" + response, response, 1000, text=LINE)
    line.now += 1.0
    return line.returned()  # type: ignore[no-any-return]


def unfinished(line: Any, response: str) -> list[Any]:
    """The line is begun, and cut off by the model itself."""
    line(e.ResponseStarted(response))
    line.sound("consent-" + response, response, 300)
    line(e.ResponseEnded(response, "incomplete"))
    line.now += 0.3
    return line.returned()  # type: ignore[no-any-return]


def test_a_call_is_not_recorded_unless_it_is_wanted(scene: Any) -> None:
    line = scene(greeting="Hello.", consent=LINE).greet()
    line(e.CallCompleted())
    assert starts(line) == []
    assert line.record.recorded_from is None
    assert CONSENT not in line.log


def test_without_a_line_recording_begins_with_the_stream(scene: Any) -> None:
    line = scene(greeting="Hello.", record=True)
    line.arrive()
    line(e.ModelReady("S1"))
    line.now += 2.0
    assert line.stream() == [StartRecording(line.now), SendMark("1:1:probe"), GREETING]
    line(e.CallCompleted())
    assert line.record.recorded_from == 2.0


def test_recording_begins_when_the_line_was_heard_and_then_the_agent_greets(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    assert starts(line) == []
    line.now += 1.0
    assert line.returned() == [StartRecording(line.now), GREETING]
    assert not line.call.conversation.requests.protected
    line(e.CallCompleted())
    assert line.record.recorded_from == 1.0


def test_the_line_cannot_be_talked_over(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    line.now += 0.5
    assert line.speaks() == []
    line.pauses()
    line.now += 0.5
    assert starts(line) == [] and line.returned()[0] == StartRecording(line.now)


def test_a_greeting_that_is_protected_is_so_after_the_line(scene: Any) -> None:
    line = scene(greeting="Hello.", greeting_interruptible=False, record=True, consent=LINE)
    line.talk()
    assert GREETING in heard(line)
    line.say("hello", "r2", 1000)
    line.now += 0.5
    assert line.speaks() == []


@pytest.mark.parametrize("status", ["cancelled", "incomplete"])
def test_a_line_that_the_model_did_not_finish_is_said_again(line: Any, status: Any) -> None:
    line(e.ResponseStarted("r1"))
    line.sound("consent", "r1", 300)
    line(e.ResponseEnded("r1", status))
    line.now += 0.3
    assert line.returned() == [CONSENT]
    assert starts(line) == []
    assert heard(line, "r2") == [StartRecording(line.now), GREETING]


def test_a_line_that_is_never_finished_is_given_up_and_nothing_is_recorded(line: Any) -> None:
    for response in ("r1", "r2"):
        assert unfinished(line, response) == [CONSENT]
    assert unfinished(line, "r3") == [GREETING]
    line.say("hello", "r4", 1000)
    line.now += 1.0
    line.returned()
    line(e.CallCompleted())
    assert starts(line) == []
    assert line.record.recorded_from is None


def test_a_line_without_a_sound_was_not_heard_and_a_mute_model_is_given_up(line: Any) -> None:
    for response in ("r1", "r2"):
        line(e.ResponseStarted(response))
        assert line(e.ResponseEnded(response, "completed")) == [CONSENT]
    line(e.ResponseStarted("r3"))
    commands = line(e.ResponseEnded("r3", "completed"))
    assert [type(each) for each in commands] == [CloseModel, CloseModel, MoveCall]
    line(e.CallCompleted())
    assert starts(line) == []
    assert line.record.recorded_from is None


def test_a_line_that_is_said_at_the_second_try_is_not_said_again(line: Any) -> None:
    line(e.ResponseStarted("r1"))
    assert line(e.ResponseEnded("r1", "completed")) == [CONSENT]
    assert heard(line, "r2") == [StartRecording(line.now), GREETING]


def test_a_model_that_fails_at_the_line_tries_again(line: Any) -> None:
    line(e.ResponseStarted("r1"))
    line(e.ResponseEnded("r1", "failed"))
    assert CONSENT in line.wait(1.5)
    assert heard(line, "r2")[0] == StartRecording(line.now)


def test_a_line_that_was_cut_off_is_said_again(line: Any) -> None:
    line(e.ResponseStarted("r1"))
    line.sound("consent", "r1", 1000)
    line.now += 0.5
    line(e.StreamStopped("MZ1", "stop"))
    line.asks(1)
    line(e.ModelReady("S2"))
    assert line.stream("MZ2")[-1] == CONSENT
    assert starts(line) == []
    assert heard(line, "r2")[0] == StartRecording(line.now)


def test_a_model_that_is_lost_in_the_line_leaves_it_to_the_next(line: Any) -> None:
    line(e.ResponseStarted("r1"))
    line.sound("consent", "r1", 300)
    line(e.ModelLost("gone"))
    line.now += 0.3
    line.returned()
    assert starts(line) == []
    line.wait(0.1)
    assert line(e.ModelReady("S2")) == [CONSENT]


@pytest.mark.parametrize("begun", [False, True])
def test_a_model_that_is_lost_before_the_line_leaves_it_to_the_next_once(
    line: Any, begun: bool
) -> None:
    if begun:
        line(e.ResponseStarted("r1"))
    line(e.ModelLost("gone"))
    assert line(e.ModelReady("S2")) == [CONSENT]
    assert heard(line, "r2") == [StartRecording(line.now), GREETING]


def test_a_session_that_is_lost_after_the_line_was_sent_takes_nothing_of_it_away(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    line.now += 0.5
    line(e.ModelLost("gone"))
    assert line(e.ModelReady("S2")) == [], "the line is still being heard"
    line.now += 0.5
    told = AddMessage(Message("assistant", LINE))
    assert line.returned() == [told, StartRecording(line.now), GREETING]
    assert line.log.count(CONSENT) == 1


def test_a_line_is_heard_though_the_model_answers_a_caller_who_spoke_over_it(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    line.speaks()
    line.pauses()
    line(e.ResponseStarted("r2"))
    line.now += 1.0
    assert line.returned() == [StartRecording(line.now)]
    line(e.ModelLost("gone"))
    line.wait(0.1)
    line(e.ModelReady("S2"))
    assert line.log.count(CONSENT) == 1


def test_a_line_that_a_hand_off_lets_the_caller_cut_is_not_heard(line: Any) -> None:
    """The last words of a hand-off can be interrupted, and so can the line before them."""
    line.say("consent", "r1", 1000, text=LINE)
    line(e.HandoffRequested("billing", "a supervisor asks", source="console", by="Kim"))
    line.now += 0.5
    assert ClearAudio() in line.speaks()
    line.pauses()
    line(e.CallerTranscribed("c1", "What does it cost?"))
    assert starts(line) == []
    assert CONSENT in line.log[line.log.index(ClearAudio()) :]
    line.say("again", "r2", 1000, text=LINE, asked=True)
    line.now += 1.0
    assert line.returned()[0] == StartRecording(line.now)


def test_recording_goes_on_with_the_next_stream_from_the_same_beginning(line: Any) -> None:
    (begun, _) = heard(line)
    line(e.StreamStopped("MZ1", "stop"))
    line.asks(1)
    line(e.ModelReady("S2"))
    line.now += 3.0
    assert begun in line.stream("MZ2")
    assert starts(line) == [begun, begun]


def test_a_call_that_is_recovered_goes_on_being_recorded(line: Any) -> None:
    (begun, _) = heard(line)
    line(e.CallRecovered())
    line.asks(1)
    line(e.ModelReady("S2"))
    assert begun in line.stream("MZ2")


def test_a_goodbye_in_place_of_the_greeting_begins_the_recording_too(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    line(e.HangUpRequested())
    line.now += 1.0
    assert line.returned() == [
        StartRecording(line.now),
        RequestResponse(prompts.GOODBYE, "none"),
    ]


def test_a_goodbye_that_was_said_already_ends_the_call(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    line(e.ModelAudio("r2", "bye", "", 800))
    line(e.HangUpRequested())
    line.call.conversation.farewell.spoke = True
    line.now += 1.1
    line(e.ModelAudioEnded("r2", "bye"))
    assert line.returned()[0] == StartRecording(line.now)
    assert line.call.phase is Phase.ENDING


def test_a_human_who_is_consulted_is_not_recorded(scene: Any) -> None:
    consult = Consult(parent_sid="CA0", wave=1, leg=0, destination="billing", briefing="A refund.")
    line = scene(record=True, consent=LINE, consult=consult).talk()
    assert CONSENT not in line.log
    assert starts(line) == []


# --- no ---------------------------------------------------------------------------------------


def test_a_caller_who_says_no_is_not_recorded_any_more(line: Any) -> None:
    heard(line)
    assert line(e.RecordingRefused()) == [StopRecording()]
    assert line(e.RecordingRefused()) == [], "twice is once"
    line(e.StreamStopped("MZ1", "stop"))
    line.asks(1)
    line(e.ModelReady("S2"))
    line.stream("MZ2")
    assert len(starts(line)) == 1
    line(e.CallCompleted())
    assert line.record.recorded_from is None
    assert line(e.RecordingRefused()) == [], "the call is over"


def test_a_no_during_the_line_is_a_no_and_the_agent_greets(line: Any) -> None:
    line.say("consent", "r1", 1000, text=LINE)
    assert line(e.RecordingRefused()) == []
    line.now += 1.0
    assert line.returned() == [GREETING]
    assert starts(line) == []


def test_the_model_passes_on_a_no(line: Any) -> None:
    heard(line)
    line(e.ResponseStarted("r2"))
    stop, output = line(e.ToolCallRequested("t1", "stop_recording", "{}", "r2"))
    assert stop == StopRecording()
    assert isinstance(output, SendToolOutput) and "accepted" in output.output
    assert line(e.ResponseEnded("r2", "completed")) == [RequestResponse()]


def test_sound_is_played_as_ever_while_the_line_is_said(line: Any) -> None:
    line(e.ResponseStarted("r1"))
    assert line.sound("consent", "r1", 500) == [
        PlayAudio("", 4000),
        SendMark("1:2:consent:500"),
    ]
