"""What a caller in a queue hears: their position, the wait, and the key that leaves the queue.

The carrier asks again and again what the caller hears, while they wait. It does not report that a
human has taken them: until that talk is over, the only sign is that it stops asking.
"""

from __future__ import annotations

import msgspec

from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import AnswerCarrier, KeepInQueue, LeaveQueue
from hookflash.core.events import QueueAsked
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.limits import CHARACTER_SECONDS, QUEUE_ASK_SECONDS


def without_digit(handoff: Handoff, event: QueueAsked) -> QueueAsked:
    """Return the event without its key, unless that key leaves the queue."""
    leaves = handoff.request is not None and event.digit == handoff.plan.queue_leave_key
    return event if leaves else msgspec.structs.replace(event, digit="")


def queue_asks(handoff: Handoff, signal: s.QueueAsks, step: s.Step) -> None:
    """The carrier asks what a caller in a queue hears: answer, or take them out of it."""
    event = signal.event
    if handoff.request is None or not signal.current:
        step.do(AnswerCarrier((LeaveQueue(),)))
        return
    plan = handoff.plan
    leaves = plan.queue_leave_key and event.digit == plan.queue_leave_key
    if leaves or step.now >= handoff.give_up_at:
        handoff.queue_asks_by = None
        step.do(AnswerCarrier((LeaveQueue(),)))
        return
    position = prompts.position(event.position, event.average_seconds, handoff.setup.phrases)
    text = position + prompts.leave_queue(plan.queue_leave_key, handoff.setup.phrases)
    seconds = plan.queue_announce_seconds
    spoken_seconds = len(text) * CHARACTER_SECONDS
    handoff.queue_asks_by = step.now + spoken_seconds + seconds + QUEUE_ASK_SECONDS
    step.do(AnswerCarrier((KeepInQueue(event.step, text, seconds, plan.language),)))
