"""A caller waits in a queue: their place, how long it takes, and the key out of it."""

from __future__ import annotations

from hookflash.core import lines
from hookflash.core import signals as s
from hookflash.core.commands import AnswerCarrier, KeepInQueue, LeaveQueue
from hookflash.core.handoff.handoff import Handoff


def queue_asks(handoff: Handoff, signal: s.QueueAsks, step: s.Step) -> None:
    """The carrier asks what the caller hears while they wait."""
    event = signal.event
    if handoff.request is None or not signal.current:
        step.do(AnswerCarrier((LeaveQueue(),)))
        return
    plan = handoff.plan
    leaves = plan.queue_leave_key and event.digit == plan.queue_leave_key
    if leaves or step.now >= handoff.give_up_at:
        step.do(AnswerCarrier((LeaveQueue(),)))
        return
    place = lines.position(event.position, event.average_seconds)
    text = place + lines.leave_queue(plan.queue_leave_key)
    seconds = plan.queue_announce_seconds
    step.do(AnswerCarrier((KeepInQueue(event.step, text, seconds, plan.language),)))
