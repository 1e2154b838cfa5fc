from __future__ import annotations

from typing import Any

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core.commands import AddMessage, Deliver, Message, RequestResponse
from hookflash.core.record import Utterance


def test_a_hint_is_read_by_the_agent_only(scene: Any) -> None:
    line = scene().greet()
    (told,) = line(e.HintGiven("They are a regular.", "anna"))
    assert told == AddMessage(Message("system", prompts.hint("They are a regular.")))


def test_a_hint_without_an_agent_is_kept_for_the_next(scene: Any) -> None:
    line = scene().moved()
    assert line(e.HintGiven("They are a regular.")) == []
    assert line.call.conversation.transcript.history()[-1].text == prompts.hint(
        "They are a regular."
    )


def test_a_supervisors_line_is_said_by_the_agent(scene: Any) -> None:
    line = scene().greet()
    assert line(e.SayRequested("We close at six.", "anna")) == [
        RequestResponse(prompts.say("We close at six."), "none")
    ]


def test_nothing_is_said_after_the_goodbye_or_to_nobody(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    assert line(e.SayRequested("x")) == []
    assert scene().moved()(e.SayRequested("x")) == []


def test_a_caller_is_kept_company_while_a_colleague_is_asked(scene: Any) -> None:
    line = scene().greet()
    told, asked = line(e.QuestionAsked("q1", "Is the red one in stock?"))
    assert told.message.text == prompts.asked_human("Is the red one in stock?")
    assert asked == RequestResponse(prompts.KEEP_COMPANY, "none")
    assert line.call.conversation.questions == {"q1": "Is the red one in stock?"}
    assert line(e.QuestionAsked("q1", "Is the red one in stock?")) == [], "twice"
    assert line(e.QuestionAnswered("q1", "Yes.", "anna")) == []
    assert line.call.conversation.questions == {}


def test_what_nobody_has_answered_goes_to_the_owner(scene: Any) -> None:
    line = scene().greet()
    line(e.QuestionAsked("q1", "Is the red one in stock?"))
    (command,) = line(e.QuestionAnswered("q1", ""))
    assert isinstance(command, Deliver)
    left = command.delivery
    assert (left.id, left.kind, left.complete) == ("CA1-question-q1", "message", True)
    assert (left.reason, left.summary) == ("nobody answered a question", "Is the red one in stock?")
    assert (left.caller, left.created_at) == ("+15550100", line.now)
    assert line(e.QuestionAnswered("q1", "")) == [], "twice"
    assert line(e.QuestionAnswered("q9", "")) == [], "never asked"


def test_a_question_during_the_goodbye_is_only_noted(scene: Any) -> None:
    line = scene().greet()
    line(e.HangUpRequested())
    assert len(line(e.QuestionAsked("q1", "x"))) == 1
    assert scene().moved()(e.QuestionAsked("q1", "x")) == []


def test_what_a_human_said_is_in_the_record_and_in_the_agents_memory(scene: Any) -> None:
    line = scene().moved()
    start = line.now
    line(e.HumanSaid("human", " I will send a new one. ", start + 1, start + 3))
    line(e.HumanSaid("caller", "Thank you.", start + 3, start + 4))
    assert [each.text for each in line.call.conversation.transcript.history()[-2:]] == [
        "The human said: I will send a new one.",
        "Thank you.",
    ]
    line(e.CallCompleted())
    assert line.record.utterances[-2:] == (
        Utterance(speaker="human", text="I will send a new one.", started_at=3.0, ended_at=5.0),
        Utterance(speaker="caller", text="Thank you.", started_at=5.0, ended_at=6.0),
    )


def test_what_is_understood_late_is_told_to_the_agent_that_has_the_caller_back(scene: Any) -> None:
    line = scene().moved()
    line(e.GiveBackRequested())
    start = line.now
    assert line(e.HumanSaid("human", "I send a new one.", start - 2, start - 1)) == [
        AddMessage(Message("system", "The human said: I send a new one."))
    ]
    assert line(e.HumanSaid("caller", "Thank you.", start - 1, start)) == [
        AddMessage(Message("user", "Thank you."))
    ]
    assert line(e.HumanSaid("human", "  ", start - 1, start)) == []
    line(e.CallCompleted())
    assert line(e.HumanSaid("human", "Goodbye.", start - 1, start)) == [], "the record is made"
