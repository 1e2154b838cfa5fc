"""Supervisors who act on the call, humans who are asked something, and notes of what they say.

Functions of (conversation, event, step).
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import AddMessage
from hookflash.core.conversation import speaking
from hookflash.core.conversation.conversation import Conversation
from hookflash.core.conversation.requests import Kind, Request
from hookflash.core.conversation.states import ConversationState

_WITH_AGENT = (ConversationState.LIVE, ConversationState.CUT_OFF)


def handoff_requested(talk: Conversation, event: e.HandoffRequested, step: s.Step) -> None:
    """Somebody other than the model asks for a human."""
    if talk.state in _WITH_AGENT and talk.farewell.purpose is None:
        step.tell(
            s.HandoffWanted(
                destination=event.destination,
                reason=event.reason,
                summary=event.summary or talk.summary(),
                source=event.source,
                plan=event.plan,
            )
        )


def hint_given(talk: Conversation, event: e.HintGiven, step: s.Step) -> None:
    talk.tell(prompts.hint(event.text), step)


def say_requested(talk: Conversation, event: e.SayRequested, step: s.Step) -> None:
    if talk.state in _WITH_AGENT and talk.farewell.purpose is None:
        talk.ask(Request(Kind.HUMANS_WORDS, prompts.say(event.text), "none"), step)


def question_asked(talk: Conversation, event: e.QuestionAsked, step: s.Step) -> None:
    """A tool waits for a human's answer: the agent talks with the caller meanwhile."""
    if event.question_id in talk.questions:
        return
    talk.questions[event.question_id] = event.question
    talk.tell(prompts.asked_human(event.question), step)
    if talk.state in _WITH_AGENT and talk.farewell.purpose is None:
        talk.ask(Request(Kind.TOOL, prompts.KEEP_COMPANY, "none"), step)


def question_answered(talk: Conversation, event: e.QuestionAnswered, step: s.Step) -> None:
    """The question is closed. If nobody answered, it goes to the owner as a message.

    The answer itself comes as the output of the tool that asked.
    """
    question = talk.questions.pop(event.question_id, None)
    if question is not None and not event.answer:
        step.tell(s.QuestionUnanswered(question_id=event.question_id, question=question))


def human_said(talk: Conversation, event: e.HumanSaid, step: s.Step) -> None:
    """Add what the caller and a human said to the transcript.

    The note may be late: if the caller is back with the agent, the session gets it as well.
    """
    if not event.text.strip() or talk.closed:
        return
    said = talk.transcript.human_said(event.speaker, event.text, event.started_at, event.ended_at)
    if talk.model.listening:
        step.do(AddMessage(said))


def hang_up_requested(talk: Conversation, event: e.HangUpRequested, step: s.Step) -> None:
    """The owner ends the call, once the agent has said goodbye."""
    if talk.state in _WITH_AGENT and talk.farewell.purpose is None:
        step.tell(s.HandoffUnwanted(quiet=True))
        talk.farewell.begin("hang-up", prompts.GOODBYE, spoke=False, now=step.now)
        speaking.after_heard(talk, step)


def recording_refused(talk: Conversation, event: e.RecordingRefused, step: s.Step) -> None:
    if not talk.closed:
        step.do(*talk.consent.refuse())
