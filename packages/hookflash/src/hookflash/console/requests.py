"""What people ask of a live call, as the events that it takes. No I/O.

The console's actions become events here, and the events of consoles are read here to show who
did what.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core.handoff_plan import HandoffPlan, Target

ACTIONS = ("hint", "say", "handoff", "cancel", "giveback", "hangup", "answer")
"""What a supervisor may do to a call."""


def hint(text: str, by: str) -> e.AnyEvent:
    return e.HintGiven(text, by)


def say(text: str, by: str) -> e.AnyEvent:
    return e.SayRequested(text, by)


def hand_off(destination: str, reason: str, summary: str, by: str) -> e.AnyEvent:
    return e.HandoffRequested(destination, reason, summary, "console", by=by)


def take_over(target: Target, reason: str, summary: str, by: str) -> e.AnyEvent:
    """The supervisor's own telephone rings, whatever the agent's directory has. The agent stays
    with the caller until they have pressed 1, so a mailbox takes nobody."""
    plan = HandoffPlan(targets=(target,), manner="warm")
    return e.HandoffRequested(by, reason, summary, "console", plan=plan, by=by)


def cancel(by: str) -> e.AnyEvent:
    return e.HandoffCancelled(by)


def give_back(by: str) -> e.AnyEvent:
    return e.GiveBackRequested(by)


def hang_up(reason: str) -> e.AnyEvent:
    return e.HangUpRequested(reason)


def answer(question_id: str, text: str, by: str) -> e.AnyEvent:
    return e.QuestionAnswered(question_id, text, by)


def action_of(event: e.AnyEvent) -> tuple[str, str, str] | None:
    """Return who did what at a console, with which words; None if nobody did."""
    match event:
        case e.HintGiven():
            return event.by, "hint", event.text
        case e.SayRequested():
            return event.by, "say", event.text
        case e.HandoffRequested(source="console"):
            return event.by, "handoff", f"{event.destination}: {event.reason}"
        case e.HandoffCancelled():
            return event.by, "cancel", ""
        case e.GiveBackRequested():
            return event.by, "giveback", ""
        case e.QuestionAnswered():
            return event.by, "answer", event.answer
    return None
