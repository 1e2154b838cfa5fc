"""Convert between supervisors' actions and events of a call. No I/O.

An action of the console becomes an event here. In the other direction, events of consoles are read
to show who did what.
"""

from __future__ import annotations

from hookflash.core import events as e
from hookflash.core.handoff_plan import HandoffPlan, Target

ACTIONS = ("hint", "say", "handoff", "cancel", "giveback", "hangup", "answer")
"""The actions that a supervisor may take on a call."""


def hint(text: str, by: str) -> e.AnyEvent:
    return e.HintGiven(text, by)


def say(text: str, by: str) -> e.AnyEvent:
    return e.SayRequested(text, by)


def hand_off(destination: str, reason: str, summary: str, by: str) -> e.AnyEvent:
    return e.HandoffRequested(destination, reason, summary, "console", by=by)


def take_over(target: Target, reason: str, summary: str, by: str) -> e.AnyEvent:
    """Ring the supervisor's own phone, whatever the agent's directory has.

    The agent stays with the caller until the supervisor presses 1, so a voicemail box cannot
    accept.
    """
    plan = HandoffPlan(targets=(target,), manner="warm")
    why = reason or "you take over this call"
    return e.HandoffRequested(by, why, summary, "console", plan=plan, by=by)


def cancel(by: str) -> e.AnyEvent:
    return e.HandoffCancelled(by)


def give_back(by: str) -> e.AnyEvent:
    return e.GiveBackRequested(by)


def hang_up(reason: str) -> e.AnyEvent:
    return e.HangUpRequested(reason)


def answer(question_id: str, text: str, by: str) -> e.AnyEvent:
    return e.QuestionAnswered(question_id, text, by)


def action_of(event: e.AnyEvent) -> tuple[str, str, str] | None:
    """Return (who, action, words) of a console's event; None for other events."""
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
