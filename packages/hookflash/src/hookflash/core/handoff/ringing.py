"""Humans are rung: one after another or all at once.

Functions of (handoff, step). The caller meanwhile stays where they are: with the agent (warm,
consult), in the room with music where the agent is lost, or on a leg that the carrier rings from by
itself (cold), whose humans are only asked here whether they take the call.
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
from hookflash.core.handoff.states import Trigger
from hookflash.core.handoff_plan import Target
from hookflash.core.phases import Phase

_QUEUE_SECONDS = 4 * 3600.0 + 600.0
"""Twilio's longest call, and a little."""

_SLACK_SECONDS = 30.0
_ROOM_SLACK_SECONDS = 120.0
"""How much longer than the plan says a caller's leg may take to come back from humans."""


def ring(handoff: Handoff, step: s.Step, trigger: Trigger) -> None:
    """Ring the next wave; the caller stays where they are."""
    plan = handoff.plan
    wave = handoff.next_wave(step.now)
    handoff.fire(trigger, step.now)
    for number, (target_number, target) in enumerate(wave):
        handoff.legs.place(handoff.wave, number, target_number)
        detect = plan.acceptance == "human-detected"
        step.do(RingHuman(handoff.wave, number, target, plan.ring_seconds, plan.caller_id, detect))


def dial(handoff: Handoff, step: s.Step) -> None:
    """The caller's own leg reaches for the next wave."""
    wave = handoff.next_wave(step.now)
    handoff.fire(Trigger.MOVE, step.now)
    move_caller(handoff, _dialled(handoff, wave), step)


def _dialled(handoff: Handoff, wave: tuple[tuple[int, Target], ...]) -> Instruction:
    request, plan = handoff.request, handoff.plan
    assert request is not None
    targets = tuple(target for _, target in wave)
    if targets[0].kind == "queue":
        attributes = {
            "call_sid": handoff.facts.call_sid,
            "destination": request.destination.key,
            "reason": request.reason,
            "summary": request.summary,
        }
        return JoinQueue(0, targets[0], attributes)
    if request.manner == "refer":
        return ReferCaller(0, targets[0])
    if not plan.screened:
        return DialHumans(0, targets, plan.ring_seconds, plan.caller_id)
    for number, (target_number, _) in enumerate(wave):
        handoff.legs.place(handoff.wave, number, target_number, dialled=True)
    return DialHumans(0, targets, plan.ring_seconds, plan.caller_id, handoff.wave)


def wait_in_room(handoff: Handoff, step: s.Step) -> None:
    """The caller waits, with music, for the human of this wave."""
    room = JoinRoom(handoff.facts.call_sid, handoff.wave, notes=handoff.plan.notes)
    move_caller(handoff, room, step)


def move_caller(handoff: Handoff, instruction: Instruction, step: s.Step) -> None:
    """The caller's leg follows an instruction that is to bring them to a human."""
    plan = handoff.plan
    if handoff.stays:
        # The humans' legs have times of their own.
        seconds = plan.total_seconds + _ROOM_SLACK_SECONDS
    elif any(target.kind == "queue" for target in plan.targets):
        seconds = _QUEUE_SECONDS
    else:
        seconds = plan.ring_seconds + _SLACK_SECONDS
    step.tell(
        s.MoveCaller(instructions=(instruction,), phase=Phase.HANDING_OFF, wait_seconds=seconds)
    )
