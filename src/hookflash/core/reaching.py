"""Humans are rung: one after another or all at once, screened, and one of them takes the call.

Functions of (call, event, now) that couple the machines. The caller meanwhile stays where they are:
with the agent (warm, consult), in the room with music where the agent is lost, or on a leg that the
carrier rings from by itself (cold), whose humans are only asked here whether they take the call.
However a leg ends, it is one outcome with one next step, and no leg is left over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookflash.core import consulting, leaving, lines, meeting, taking_message, talking
from hookflash.core import events as e
from hookflash.core.commands import (
    AnswerCarrier,
    AnyCommand,
    Bridge,
    DialHumans,
    EndLeg,
    HangUp,
    Instruction,
    JoinQueue,
    JoinRoom,
    ReferCaller,
    RequestResponse,
    RingHuman,
    Screen,
    Speak,
)
from hookflash.core.handoff import Trigger
from hookflash.core.legs import Leg, LegState
from hookflash.core.phases import Phase
from hookflash.core.whisper import whisper

if TYPE_CHECKING:
    from hookflash.core.call import Call

SCREEN_SECONDS = 60.0
CONSULT_SECONDS = 150.0
"""How long a human who has answered may take to accept."""

COMFORT_SECONDS = 8.0
_TRIES = 3

# --- ringing ----------------------------------------------------------------------------------


def ring(call: Call, now: float) -> list[AnyCommand]:
    """Ring the next wave; the caller stays where they are."""
    plan = call.handoff.plan
    wave = call.handoff.next_wave(now)
    commands: list[AnyCommand] = []
    for number, (target_number, target) in enumerate(wave):
        call.legs.place(call.handoff.wave, number, target_number)
        detect = plan.acceptance == "human-detected"
        commands.append(
            RingHuman(call.handoff.wave, number, target, plan.ring_seconds, plan.caller_id, detect)
        )
    call.handoff.comfort_at = None
    return commands


def dial(call: Call, now: float) -> Instruction:
    """Return the instruction by which the caller's own leg reaches for the next wave."""
    request, plan = call.handoff.request, call.handoff.plan
    assert request is not None
    step = call.route.next_step()
    wave = call.handoff.next_wave(now)
    # The carrier watches over what it rings itself.
    call.handoff.until = None
    call.handoff.fire(Trigger.MOVE)
    targets = tuple(target for _, target in wave)
    if targets[0].kind == "queue":
        attributes = {
            "call_sid": call.facts.call_sid,
            "destination": request.destination.key,
            "reason": request.reason,
            "summary": request.summary,
        }
        return JoinQueue(step, targets[0], attributes)
    if request.manner == "refer":
        return ReferCaller(step, targets[0])
    if not plan.screened:
        return DialHumans(step, targets, plan.ring_seconds, plan.caller_id)
    for number, (target_number, _) in enumerate(wave):
        call.legs.place(call.handoff.wave, number, target_number, dialled=True)
    return DialHumans(step, targets, plan.ring_seconds, plan.caller_id, call.handoff.wave)


# --- what becomes of a leg --------------------------------------------------------------------


def leg_placed(call: Call, event: e.LegPlaced, now: float) -> list[AnyCommand]:
    leg = call.legs.find(event.wave, event.leg)
    return [EndLeg(event.leg_sid)] if leg is None else [*call.legs.named(leg, event.leg_sid)]


def leg_refused(call: Call, event: e.LegRefused, now: float) -> list[AnyCommand]:
    leg = call.legs.find(event.wave, event.leg)
    if leg is None or not leg.live or leg.sid:
        return []
    # It may have been placed all the same: then it is ended as soon as its SID is known.
    call.legs.drop(leg)
    # The reason is the carrier's text, for the log: these are nobody's words.
    return _leg_over(call, leg, "refused", "", now)


def leg_changed(call: Call, event: e.LegChanged, now: float) -> list[AnyCommand]:
    """News of a leg that we have placed, or that the caller's own leg has dialled."""
    if event.leg is None:
        return _dialled_leg_changed(call, event, now)
    leg = call.legs.find(event.step, event.leg)
    if leg is None:
        return [] if event.status == "completed" else [EndLeg(event.leg_sid)]
    if event.status != "completed":
        ends = call.legs.named(leg, event.leg_sid)
        if event.status == "ringing" and leg.live:
            call.handoff.fire(Trigger.RANG)
        return [*ends]
    was = leg.state
    call.legs.over(leg)
    match was:
        case LegState.OVER:
            return []
        case LegState.TAKEN:
            return meeting.human_gone(call, leg, now)
        case LegState.ASKED if event.outcome != "machine":
            return _leg_over(call, leg, "declined", "hung up", now)
    return _leg_over(call, leg, event.outcome or "failed", "", now)


def _dialled_leg_changed(call: Call, event: e.LegChanged, now: float) -> list[AnyCommand]:
    if call.phase is not Phase.HANDING_OFF or event.step != call.route.step:
        # Late news of a leg that is no longer rung must not take the caller from the agent.
        return []
    if event.status == "ringing":
        call.handoff.fire(Trigger.RANG)
    elif event.status == "answered" and not call.legs.live and call.handoff.met(now):
        call.enter(Phase.WITH_HUMAN, now + leaving.TALK_SECONDS)
    return []


def _leg_over(call: Call, leg: Leg, outcome: str, note: str, now: float) -> list[AnyCommand]:
    """A leg that nobody took is over: others may still ring, or it is the next one's turn."""
    if leg.dialled or leg.wave != call.handoff.wave or not call.handoff.reaching:
        return []
    call.handoff.keep(outcome, now, target=leg.target, note=note)
    others = call.legs.live
    if others:
        if not any(each.state is LegState.ASKED for each in others):
            call.handoff.fire(Trigger.PUT_DOWN)
        return []
    return nobody(call, outcome, note, now)


def expire(call: Call, now: float) -> list[AnyCommand]:
    """The wave has had its time: whoever has not accepted by now does not."""
    ends: list[AnyCommand] = []
    for leg in call.legs.live:
        outcome = "machine" if leg.state is LegState.ASKED else "no-answer"
        call.handoff.keep(outcome, now, target=leg.target)
        ends += call.legs.drop(leg)
    last = call.handoff.attempts[-1].outcome
    return [*ends, *nobody(call, last, "", now)]


# --- a human answers --------------------------------------------------------------------------


def human_asked(call: Call, event: e.HumanAsked, now: float) -> list[AnyCommand]:
    """The carrier asks what a human's leg is to do; there is always an answer."""
    leg = call.legs.find(event.wave, event.leg)
    if leg is None or not leg.live or call.phase is Phase.ENDED:
        if leg is not None:
            leg.sid = leg.sid or event.leg_sid
            leg.ended = True
        return _answer(Speak(lines.TAKEN if call.legs.taken else lines.NO_CALLER), HangUp())
    call.legs.named(leg, event.leg_sid)
    if event.point in ("left", "parting"):
        return meeting.human_left(call, leg, event, now)
    if leg.state is LegState.TAKEN:
        return _answer(*_joins(call, leg))
    if event.point == "pressed":
        return _pressed(call, leg, event.digit, now)
    if event.answered_by == "machine":
        return _declined(call, leg, "machine", "", now)
    if leg.state is not LegState.ASKED:
        leg.state = LegState.ASKED
        call.handoff.fire(Trigger.PICKED_UP)
        call.handoff.until = _until(call, now, SCREEN_SECONDS)
    leg.unsure = event.answered_by == "unknown"
    if call.handoff.request is not None and call.handoff.request.manner == "consult":
        call.handoff.until = _until(call, now, CONSULT_SECONDS)
        return consulting.open_consult(call, leg, whisper(call))
    if not _needs_key(call, leg):
        return _accepted(call, leg, now)
    return _answer(_screen(call, leg))


def _needs_key(call: Call, leg: Leg) -> bool:
    """Whether an answer counts only with a key. Where a human is to be detected, a key is asked for
    if the carrier could not tell, and on a leg that it dials by itself: there it knows too late."""
    acceptance = call.handoff.plan.acceptance
    if acceptance == "human-detected":
        return leg.dialled or leg.unsure
    return acceptance == "press-1"


def _pressed(call: Call, leg: Leg, digit: str, now: float) -> list[AnyCommand]:
    if digit == "1":
        return _accepted(call, leg, now)
    if digit == "2":
        return _declined(call, leg, "declined", "", now)
    leg.tries += not digit
    if leg.tries >= _TRIES:
        return _declined(call, leg, "machine", "", now)
    return _answer(_screen(call, leg))


def _declined(call: Call, leg: Leg, outcome: str, note: str, now: float) -> list[AnyCommand]:
    call.legs.drop(leg, told=True)
    return [*_answer(HangUp()), *_leg_over(call, leg, outcome, note, now)]


def consult_decided(call: Call, event: e.ConsultDecided, now: float) -> list[AnyCommand]:
    """What the agent and a human have settled on the human's leg, which sees to itself."""
    leg = call.legs.by_sid(event.leg_sid)
    if leg is None or leg.state is not LegState.ASKED:
        return [] if leg is not None and leg.state is LegState.TAKEN else [EndLeg(event.leg_sid)]
    if event.decision == "connect":
        return [each for each in _accepted(call, leg, now) if not isinstance(each, AnswerCarrier)]
    outcome = "declined" if event.decision == "decline" else "machine"
    ends = call.legs.drop(leg)
    return [*ends, *_leg_over(call, leg, outcome, event.reason, now)]


def _accepted(call: Call, leg: Leg, now: float) -> list[AnyCommand]:
    """The first human to accept has the call; whoever comes after is thanked."""
    if leg.dialled:
        if not call.handoff.met(now):
            call.legs.drop(leg, told=True)
            return _answer(HangUp())
        call.legs.take(leg)
        call.enter(Phase.WITH_HUMAN, now + leaving.TALK_SECONDS)
        return _answer(*_greeted(call, leg), Bridge())
    if not call.handoff.reaching:
        call.legs.drop(leg, told=True)
        return _answer(Speak(lines.TAKEN), HangUp())
    greeted = _greeted(call, leg)
    call.legs.take(leg)
    others: list[AnyCommand] = []
    for other in call.legs.live:
        if other is not leg:
            call.handoff.keep("canceled", now, target=other.target)
            others += call.legs.drop(other)
    call.handoff.fire(Trigger.ACCEPTED)
    answer = _answer(*greeted, *_joins(call, leg))
    return [*answer, *others, *meeting.close(call, now)]


def _greeted(call: Call, leg: Leg) -> tuple[Instruction, ...]:
    """What a human hears who need not press a key."""
    plan = call.handoff.plan
    if _needs_key(call, leg) or (leg.dialled and not plan.whisper):
        return ()
    return (Speak(whisper(call), plan.language),)


def _joins(call: Call, leg: Leg) -> tuple[Instruction, ...]:
    if leg.dialled:
        return (Bridge(),)
    return (JoinRoom(call.facts.call_sid, leg.wave, leg=leg.number),)


def _screen(call: Call, leg: Leg) -> Screen:
    plan = call.handoff.plan
    text = f"{whisper(call)} {plan.accept_prompt}"
    return Screen(leg.wave, leg.number, text, language=plan.language)


# --- nobody -----------------------------------------------------------------------------------


def nobody(
    call: Call, outcome: str, note: str, now: float, asked: leaving.Asked = None
) -> list[AnyCommand]:
    """Nobody of this wave has the caller: the next one, or what the plan says.

    `asked`: the carrier asks what the caller's leg is to do, and this must be answered.
    """
    handoff = call.handoff
    handoff.until = None
    if handoff.more(now):
        return _next(call, asked, now)
    ends = [*call.legs.drop_all()]
    with_agent = call.phase in (Phase.RINGING, Phase.TALKING)
    follow = _with_agent if with_agent else _without_agent
    return [*ends, *follow(call, outcome, note, asked, now)]


def _next(call: Call, asked: leaving.Asked, now: float) -> list[AnyCommand]:
    if not call.handoff.stays:
        return leaving.bring(call, (dial(call, now),), Phase.HANDING_OFF, asked, now)
    call.handoff.fire(Trigger.NEXT)
    return ring(call, now)


def waiting(call: Call) -> JoinRoom:
    """Return the instruction by which the caller waits, with music, for the human of this wave."""
    return JoinRoom(
        call.facts.call_sid,
        call.handoff.wave,
        call.route.next_step(),
        notes=call.handoff.plan.notes,
    )


def _with_agent(
    call: Call, outcome: str, note: str, asked: leaving.Asked, now: float
) -> list[AnyCommand]:
    """The agent has been there all the time: it says why, and goes on."""
    to = call.handoff.destination
    match to.plan.otherwise:
        case "voicemail":
            return taking_message.announce(call, now)
        case "hang-up":
            call.handoff.fire(Trigger.GIVE_UP)
            call.facts.failed = True
            call.farewell.begin("hang-up", spoke=False, now=now, own_line=True)
            return talking.after_heard(call, now)
    call.handoff.fire(Trigger.NOBODY)
    known, wanted = lines.came_back(to, outcome, note)
    return [
        *talking.tell(call, known),
        *talking.ask(call, RequestResponse(wanted), now),
    ]


def _without_agent(
    call: Call, outcome: str, note: str, asked: leaving.Asked, now: float
) -> list[AnyCommand]:
    """The caller's leg is elsewhere: it comes back, leaves a message, or hears a sentence."""
    request, plan = call.handoff.request, call.handoff.plan
    assert request is not None
    no_agent = request.source == "failure"
    if plan.otherwise in ("return", "callback") and not no_agent:
        call.handoff.fire(Trigger.COME_BACK)
        known, wanted = lines.came_back(request.destination, outcome, note)
        return leaving.to_agent(call, asked, RequestResponse(wanted), known, now)
    if plan.otherwise != "hang-up":
        call.handoff.fire(Trigger.MESSAGE)
        instruction = taking_message.take(call, apology=True)
        return leaving.bring(call, (instruction,), Phase.ENDING, asked, now)
    call.handoff.fire(Trigger.GIVE_UP)
    call.facts.failed = True
    sentence = (Speak(plan.sorry, plan.language), HangUp())
    return leaving.bring(call, sentence, Phase.ENDING, asked, now)


# --- keeping the caller company ---------------------------------------------------------------


def comfort(call: Call, now: float) -> list[AnyCommand]:
    """A caller who waits for a human and hears nothing is told that it still rings."""
    handoff = call.handoff
    if not handoff.reaching or call.floor.busy or call.floor.caller_speaking:
        handoff.comfort_at = None
        return []
    if handoff.comfort_at is None:
        handoff.comfort_at = now + COMFORT_SECONDS
    if now < handoff.comfort_at:
        return []
    handoff.comfort_at = None
    wish = RequestResponse(lines.still_ringing(handoff.destination), "none")
    return talking.ask(call, wish, now)


def _until(call: Call, now: float, seconds: float) -> float:
    request, plan = call.handoff.request, call.handoff.plan
    assert request is not None
    # Somebody who is listening to the whisper gets a while, even at the end of the plan's time.
    return max(now + 20.0, min(now + seconds, request.asked_at + plan.total_seconds))


def _answer(*instructions: Instruction) -> list[AnyCommand]:
    return [AnswerCarrier(instructions)]
