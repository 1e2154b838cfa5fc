from __future__ import annotations

from typing import Any

import pytest

from hookflash.core import builtin_tools, prompts
from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    Deliver,
    HangUp,
    MoveCall,
    RequestResponse,
    SendToolOutput,
    Speak,
    StoreRecord,
    TakeVoicemail,
)
from hookflash.core.delivery import Delivery
from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.phases import Phase

ANNA = Target.phone("+15550102")
PLAN = HandoffPlan(targets=(ANNA,), otherwise="voicemail")
RECORDING = e.Recording("https://api.example.test/RE1", 12.0, "RE1")
EMPTY = e.Recording("https://api.example.test/RE2", 0.0, "RE2")


def tool(line: Any, name: str, arguments: str = "{}") -> list[Any]:
    line(e.ResponseStarted(f"r-{name}"))
    return line(e.ToolCallRequested(f"t-{name}", name, arguments, f"r-{name}"))  # type: ignore[no-any-return]


def recorded(line: Any, step: int, recording: e.Recording | None = RECORDING) -> list[Any]:
    return line(e.InstructionsAsked(step, "voicemail", "", None, recording))  # type: ignore[no-any-return]


def nobody(scene: Any, plan: HandoffPlan = PLAN) -> Any:
    """A cold hand-off that reached nobody: the carrier was told to take a message."""
    line = scene(plan).moved()
    line.asks(2, "dial", "no-answer")
    return line


# --- voicemail --------------------------------------------------------------------------------


def test_a_caller_whom_nobody_answers_is_asked_for_a_message(scene: Any) -> None:
    line = nobody(scene)
    text = prompts.nobody_there(PLAN.voicemail_prompt)
    assert line.log[-1] == AnswerCarrier((TakeVoicemail(3, text),))


def test_what_they_say_is_delivered_and_they_are_thanked(scene: Any) -> None:
    line = nobody(scene)
    delivered, closing, answered = recorded(line, 3)
    assert answered == AnswerCarrier((Speak(prompts.MESSAGE_THANKS), HangUp()))
    assert delivered == Deliver(
        Delivery(
            id="CA1-voicemail-3",
            kind="voicemail",
            call_sid="CA1",
            agent="agent",
            destination="billing",
            created_at=line.now,
            caller="+15550100",
            called="+15550101",
            reason="a refund",
            summary="x",
            recording_url=RECORDING.url,
            recording_seconds=12.0,
            complete=False,
        )
    )
    line(e.CallCompleted())
    assert line.record.disposition == "voicemail"


def test_the_transcript_completes_the_delivery(scene: Any) -> None:
    line = nobody(scene)
    recorded(line, 3)
    (delivered,) = line(e.VoicemailTranscribed(3, "Please call me."))
    assert (delivered.delivery.transcript, delivered.delivery.complete) == ("Please call me.", True)
    assert line(e.VoicemailTranscribed(3, "Please call me.")) == [], "twice"
    assert line(e.RecordingReady(3, RECORDING)) == [], "known"


def test_a_transcript_that_comes_first_waits_for_the_recording(scene: Any) -> None:
    line = nobody(scene)
    (early,) = line(e.VoicemailTranscribed(3, "Please call me."))
    assert not early.delivery.complete
    (whole,) = line(e.RecordingReady(3, RECORDING))
    assert whole.delivery.complete
    assert whole.delivery.transcript == "Please call me."


def test_a_recording_that_is_told_after_the_call_makes_the_record_anew(scene: Any) -> None:
    line = nobody(scene)
    line(e.CallCompleted())
    assert line.record.disposition == "abandoned"
    delivered, stored = line(e.RecordingReady(3, RECORDING))
    assert isinstance(delivered, Deliver) and isinstance(stored, StoreRecord)
    assert stored.record.disposition == "voicemail"


@pytest.mark.parametrize("recording", [EMPTY, None])
def test_a_caller_who_said_nothing_has_left_nothing(scene: Any, recording: Any) -> None:
    line = nobody(scene)
    commands = recorded(line, 3, recording)
    assert commands[-1] == AnswerCarrier((Speak(PLAN.sorry), HangUp()))
    line(e.CallCompleted())
    assert line.record.disposition == "failed"
    assert line(e.RecordingReady(3, EMPTY)) == []


def test_news_of_another_recording_is_none(scene: Any) -> None:
    line = nobody(scene)
    assert line(e.RecordingReady(9, RECORDING)) == []
    assert line(e.VoicemailTranscribed(9, "x")) == []


def test_the_model_has_a_message_taken_when_its_words_were_heard(scene: Any) -> None:
    line = scene(PLAN).greet()
    line(e.ResponseStarted("r1"))
    line.sound("a1", "r1", 900)
    (output,) = line(e.ToolCallRequested("t1", builtin_tools.VOICEMAIL_TOOL, "{}", "r1"))
    assert '"accepted"' in output.output
    line(e.ModelAudioEnded("r1", "a1"))
    line(e.ResponseEnded("r1", "completed"))
    line.now += 0.9
    assert line.returned()[-1] == MoveCall(2, (TakeVoicemail(2, PLAN.voicemail_prompt),), 2.0)
    assert line.call.phase is Phase.ENDING


def test_a_model_that_says_nothing_is_asked_for_a_line_first(scene: Any) -> None:
    line = scene(PLAN).greet()
    tool(line, builtin_tools.VOICEMAIL_TOOL)
    ended = line(e.ResponseEnded(f"r-{builtin_tools.VOICEMAIL_TOOL}", "completed"))
    assert ended == [RequestResponse(prompts.LEAVE_MESSAGE, "none")]


def test_a_message_is_not_taken_while_a_human_is_rung(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA,), manner="warm")).accompanied()
    assert '"not now","detail":"ringing"' in tool(line, builtin_tools.VOICEMAIL_TOOL)[0].output


def test_a_caller_who_changes_their_mind_about_a_message_goes_on(scene: Any) -> None:
    line = scene(PLAN).greet()
    line(e.ResponseStarted("r1"))
    line.sound("a1", "r1", 3000)
    line(e.ToolCallRequested("t1", builtin_tools.VOICEMAIL_TOOL, "{}", "r1"))
    line.speaks()
    assert line.call.conversation.farewell.purpose == "voicemail", "it may be a cough"
    line.pauses()
    line(e.CallerTranscribed("c1", "No, wait."))
    assert line.call.conversation.farewell.purpose is None
    assert not line.call.handoff.running


def test_the_words_of_a_plan_that_takes_messages_are_used(scene: Any) -> None:
    line = scene(HandoffPlan(targets=(ANNA,), voicemail_prompt="Speak.")).greet()
    tool(line, builtin_tools.VOICEMAIL_TOOL)
    line.wait(8.1)
    assert line.sent(MoveCall)[-1].instructions == (TakeVoicemail(2, "Speak."),)


# --- calling back -----------------------------------------------------------------------------


def test_a_wish_to_be_called_back_is_delivered(scene: Any) -> None:
    line = scene(PLAN).greet()
    delivered, output = tool(
        line, builtin_tools.CALLBACK_TOOL, '{"number": "0555 0100", "wish": "after five"}'
    )
    assert (delivered.delivery.number, delivered.delivery.wish) == ("0555 0100", "after five")
    assert delivered.delivery.id == "CA1-callback-1"
    assert delivered.delivery.complete
    assert "called back on 0555 0100" in output.output
    line(e.CallCompleted())
    assert line.record.disposition == "callback"


def test_a_number_that_is_none_is_refused_with_what_to_do(scene: Any) -> None:
    line = scene(PLAN).greet()
    (output,) = tool(line, builtin_tools.CALLBACK_TOOL, '{"number": "yes"}')
    assert isinstance(output, SendToolOutput)
    assert "got 'yes'" in output.output and "digit by digit" in output.output
