"""What follows when nobody was reached, or when the human is done with the caller.

Functions of (handoff, step).
"""

from __future__ import annotations

from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import HangUp, Redirect, Speak, TakeVoicemail
from hookflash.core.handoff import ringing
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.states import HandoffState, Trigger
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.phases import Phase

_WITH_AGENT = (Phase.RINGING, Phase.TALKING)


def nobody_reached(handoff: Handoff, outcome: str, note: str, step: s.Step) -> None:
    """Nobody of this wave took the call: ring the next wave, or do what the plan says."""
    if handoff.has_next_wave(step.now):
        if handoff.stays:
            ringing.ring(handoff, step, Trigger.NEXT)
        else:
            ringing.dial(handoff, step)
        return
    step.do(*handoff.legs.end_all())
    if handoff.leg.phase in _WITH_AGENT:
        _with_agent(handoff, outcome, note, step)
    else:
        _without_agent(handoff, outcome, note, step)


def _with_agent(handoff: Handoff, outcome: str, note: str, step: s.Step) -> None:
    """The caller is with the agent: it says why nobody was reached, and goes on."""
    to = handoff.destination
    match to.plan.otherwise:
        case "voicemail":
            handoff.fire(Trigger.MESSAGE, step.now)
            text = prompts.voicemail(to, outcome)
            step.tell(s.LastWordsDue(purpose="voicemail", text=text, own_line=True))
        case "hang-up":
            handoff.fire(Trigger.GIVE_UP, step.now)
            handoff.failed = True
            text = prompts.sorry(to.plan.sorry)
            step.tell(s.LastWordsDue(purpose="hang-up", text=text, own_line=True))
        case _:
            handoff.fire(Trigger.NOBODY, step.now)
            known, wanted = prompts.came_back(to, outcome, note)
            step.tell(s.TellAgent(known=known, say=wanted))


def _without_agent(handoff: Handoff, outcome: str, note: str, step: s.Step) -> None:
    """The caller is not with the agent: they go back, leave a message, or hear a sentence."""
    request, plan = handoff.request, handoff.plan
    assert request is not None
    if plan.otherwise in ("return", "callback") and request.source != "failure":
        handoff.fire(Trigger.COME_BACK, step.now)
        known, wanted = prompts.came_back(request.destination, outcome, note)
        step.tell(s.ReturnCaller(say=wanted, known=known))
    elif plan.otherwise != "hang-up":
        handoff.fire(Trigger.MESSAGE, step.now)
        take_message(plan, prompts.nobody_there(plan.voicemail_prompt, handoff.setup.phrases), step)
    else:
        handoff.fire(Trigger.GIVE_UP, step.now)
        handoff.failed = True
        sentence = (Speak(plan.sorry, plan.language), HangUp())
        step.tell(s.MoveCaller(instructions=sentence, phase=Phase.ENDING))


def leave(handoff: Handoff, step: s.Step) -> None:
    """Give a call that came for a human only back to the application that had it before."""
    brought = handoff.setup.brought
    assert brought is not None
    handoff.failed = not any(each.outcome == "bridged" for each in handoff.attempts)
    last = Redirect(brought.return_url) if brought.return_url else HangUp()
    step.tell(s.MoveCaller(instructions=(last,), phase=Phase.ENDING))


def take_message(plan: HandoffPlan, text: str, step: s.Step) -> None:
    """Say `text` to the caller, and record what they say then."""
    message = TakeVoicemail(0, text, language=plan.language)
    step.tell(s.MoveCaller(instructions=(message,), phase=Phase.ENDING))


def human_done(handoff: Handoff, step: s.Step) -> None:
    """The human is done: the caller goes back to the agent, or the call ends, as the plan says."""
    request, state = handoff.request, handoff.state
    assert request is not None
    ends = handoff.legs.end_all()
    if state is not HandoffState.RETURNING:
        handoff.record_attempt("bridged", step.now, target=handoff.legs.taker(handoff.wave))
    given_back = state in (HandoffState.RETURNING, HandoffState.PARTING)
    back = given_back or handoff.plan.afterwards == "return"
    step.do(*ends)
    handoff.awaits_caller = False
    if not back or request.source == "failure":
        handoff.fire(Trigger.OVER, step.now)
        step.tell(s.MoveCaller(instructions=(HangUp(),), phase=Phase.ENDING))
        return
    if not handoff.fire(Trigger.BACK, step.now):
        handoff.renew(step.now)
    known, wanted = prompts.after_human(handoff.destination)
    step.tell(s.ReturnCaller(say=wanted, known=known))


def give_back(handoff: Handoff, step: s.Step) -> None:
    """Give the caller back to the agent, on request, from humans or from waiting for them."""
    away = handoff.leg.phase in (Phase.HANDING_OFF, Phase.WITH_HUMAN)
    if not away or handoff.request is None:
        return
    handoff.check_queue(step.now)
    talked = handoff.talked
    ends = handoff.legs.end_all()
    handoff.awaits_caller = False
    if handoff.fire(Trigger.BACK if talked else Trigger.COME_BACK, step.now):
        outcome = "bridged" if talked else "cancelled"
        handoff.record_attempt(outcome, step.now, target=handoff.legs.taker(handoff.wave))
    else:
        handoff.renew(step.now)
    known, wanted = prompts.after_human(handoff.destination)
    if not talked and handoff.queue_asks_by is not None:
        known, wanted = prompts.fetched_from_queue(handoff.destination)
    elif not talked:
        known, wanted = prompts.came_back(handoff.destination, "cancelled")
    step.tell(s.ReturnCaller(say=wanted, known=known))
    step.do(*ends)
