"""The humans of a wave are rung.

Functions of (handoff, step). Warm and consult: Hookflash places a leg for each human, and the
caller stays with the agent, or waits in the room if the agent is lost. Cold: the caller's own leg
dials the humans.
"""

from __future__ import annotations

from hookflash.core import signals as s
from hookflash.core.commands import (
    DialHumans,
    Instruction,
    JoinQueue,
    JoinRoom,
    ReferCaller,
    RingHuman,
)
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.limits import DIAL_SLACK_SECONDS, QUEUE_SECONDS, ROOM_SLACK_SECONDS
from hookflash.core.handoff.states import Trigger
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase


def ring(handoff: Handoff, step: s.Step, trigger: Trigger) -> None:
    """Place a leg for each human of the next wave; the caller stays where they are."""
    plan = handoff.plan
    wave = handoff.next_wave(step.now)
    handoff.fire(trigger, step.now)
    for number, (target_number, target) in enumerate(wave):
        handoff.legs.place(handoff.wave, number, target_number)
        detect = plan.acceptance == "human-detected"
        step.do(RingHuman(handoff.wave, number, target, plan.ring_seconds, plan.caller_id, detect))


def dial(handoff: Handoff, step: s.Step) -> None:
    """Ring the next wave from the caller's own leg."""
    wave = handoff.next_wave(step.now)
    handoff.fire(Trigger.MOVE, step.now)
    move_caller(handoff, _dialled(handoff, wave), step)


def _dialled(handoff: Handoff, wave: tuple[tuple[int, Target], ...]) -> Instruction:
    request, plan = handoff.request, handoff.plan
    assert request is not None
    targets = tuple(target for _, target in wave)
    if targets[0].kind == "queue":
        attributes = {
            "call_sid": handoff.info.call_sid,
            "destination": request.destination.key,
            "reason": request.reason,
            "summary": request.summary,
        }
        return JoinQueue(0, targets[0], attributes)
    if request.manner == "refer":
        return ReferCaller(0, targets[0])
    if not plan.screened:
        return DialHumans(
            0, targets, plan.ring_seconds, plan.caller_id, talk_seconds=plan.talk_seconds
        )
    for number, (target_number, _) in enumerate(wave):
        handoff.legs.place(handoff.wave, number, target_number, dialled=True)
    return DialHumans(
        0, targets, plan.ring_seconds, plan.caller_id, handoff.wave, plan.talk_seconds
    )


def wait_in_room(handoff: Handoff, step: s.Step) -> None:
    """Move the caller to the room, where they wait with music for the human of this wave."""
    plan = handoff.plan
    room = JoinRoom(
        handoff.info.call_sid, handoff.wave, notes=plan.notes, talk_seconds=plan.talk_seconds
    )
    move_caller(handoff, room, step)


def move_caller(handoff: Handoff, instruction: Instruction, step: s.Step) -> None:
    """Move the caller's leg to an instruction that brings them to a human."""
    plan = handoff.plan
    if handoff.stays:
        # The humans' legs have limits of their own.
        seconds = plan.total_seconds + ROOM_SLACK_SECONDS
    elif any(target.kind == "queue" for target in plan.targets):
        seconds = QUEUE_SECONDS
    else:
        seconds = plan.ring_seconds + DIAL_SLACK_SECONDS
    step.tell(
        s.MoveCaller(
            instructions=(instruction,),
            phase=Phase.HANDING_OFF,
            wait_seconds=seconds,
            wave=handoff.wave,
        )
    )
