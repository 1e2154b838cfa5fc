"""People around a call who have a word in it: supervisors, colleagues who are asked, humans.

Functions of (call, event, now) that couple the machines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import events as e
from hookflash.core import lines, taking_message, talking
from hookflash.core.commands import AddMessage, AnyCommand, Deliver, RequestResponse
from hookflash.core.phases import Phase

if TYPE_CHECKING:
    from hookflash.core.call import Call


def hint_given(call: Call, event: e.HintGiven, now: float) -> list[AnyCommand]:
    return talking.tell(call, lines.hint(event.text))


def say_requested(call: Call, event: e.SayRequested, now: float) -> list[AnyCommand]:
    if call.phase is not Phase.TALKING or call.farewell.purpose is not None:
        return []
    return talking.ask(call, RequestResponse(lines.say(event.text), "none"), now)


def question_asked(call: Call, event: e.QuestionAsked, now: float) -> list[AnyCommand]:
    """A tool waits for a human's word: the agent keeps the caller company meanwhile."""
    if event.question_id in call.facts.questions:
        return []
    call.facts.questions[event.question_id] = event.question
    told = talking.tell(call, lines.asked_human(event.question))
    if call.phase is not Phase.TALKING or call.farewell.purpose is not None:
        return told
    return [*told, *talking.ask(call, RequestResponse(lines.KEEP_COMPANY, "none"), now)]


def question_answered(call: Call, event: e.QuestionAnswered, now: float) -> list[AnyCommand]:
    """The answer itself comes as the result of the tool that asked. What nobody has answered goes
    to the owner, as a message."""
    question = call.facts.questions.pop(event.question_id, None)
    if question is None or event.answer:
        return []
    return [Deliver(taking_message.unanswered(call, event.question_id, question, now))]


def human_said(call: Call, event: e.HumanSaid, now: float) -> list[AnyCommand]:
    """What a caller and a human say is written down a moment later: when the caller is back with
    the agent already, its model is told as well."""
    if call.phase is Phase.ENDED or not event.text.strip():
        return []
    said = call.transcript.human_said(event.speaker, event.text, event.started_at, event.ended_at)
    return [AddMessage(said)] if call.model.listening else []
