"""What a call leaves for its owner: a voicemail, a wish to be called back, an unanswered question.

Functions of (handoff, signal, step). Several webhooks report a recording, in any order, perhaps
after the call. Each one completes the same delivery.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hookflash.core import prompts
from hookflash.core import signals as s
from hookflash.core.commands import Deliver, HangUp, Speak
from hookflash.core.delivery import Delivery
from hookflash.core.events import Recording
from hookflash.core.handoff import outcome
from hookflash.core.handoff.handoff import Handoff
from hookflash.core.handoff.states import Trigger
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.phases import Phase

LEAST_SECONDS = 1.0
"""A shorter recording counts as no message."""

_LEAST_DIGITS = 3


# --- voicemail ------------------------------------------------------------------------------------


def voicemail_wanted(handoff: Handoff, signal: s.VoicemailWanted, step: s.Step) -> None:
    """The model calls its tool: the caller wants to leave a message."""
    if handoff.running:
        output = prompts.tool_status("not now", handoff.state.value)
        step.tell(s.AnswerTool(call_id=signal.call_id, output=output))
        return
    if _plan(handoff) is None:
        output = prompts.tool_status("refused", "This line takes no messages. Say so.")
        step.tell(s.AnswerTool(call_id=signal.call_id, output=output))
        return
    handoff.fire(Trigger.MESSAGE, step.now)
    output = prompts.tool_status(
        "accepted", "The caller is asked to speak after the tone as soon as you were heard."
    )
    step.tell(
        s.LastWordsDue(
            purpose="voicemail",
            text=prompts.LEAVE_MESSAGE,
            spoke=signal.spoke,
            answer=s.AnswerTool(call_id=signal.call_id, output=output),
        )
    )


def take_message(handoff: Handoff, step: s.Step) -> None:
    """The last words before a message were heard: record the message."""
    plan = _plan(handoff)
    assert plan is not None
    outcome.take_message(plan, plan.voicemail_prompt, step)


def recorded(handoff: Handoff, signal: s.MessageRecorded, step: s.Step) -> None:
    """The recording is over; the caller may still be on the line, and hears a last sentence."""
    handoff.voicemail_step = signal.step
    recording, plan = signal.recording, _plan(handoff)
    left = recording is not None and recording.seconds >= LEAST_SECONDS
    handoff.failed = handoff.failed or not left
    handoff.fire(Trigger.OVER if left else Trigger.GIVE_UP, step.now)
    sorry = plan.sorry if plan is not None else handoff.setup.phrases.nobody_there
    text = handoff.setup.phrases.message_thanks if left else sorry
    ending = (Speak(text, plan.language if plan is not None else None), HangUp())
    step.tell(s.MoveCaller(instructions=ending, phase=Phase.ENDING))
    if recording is not None:
        _deliver_recording(handoff, recording, step)


def ready(handoff: Handoff, signal: s.MessageReady, step: s.Step) -> None:
    """The recording can be fetched."""
    handoff.voicemail_step = signal.step
    _deliver_recording(handoff, signal.recording, step)


def transcribed(handoff: Handoff, signal: s.MessageTranscribed, step: s.Step) -> None:
    """The message was transcribed, or could not be."""
    handoff.voicemail_step = signal.step
    delivery = handoff.voicemail or _new(handoff, "voicemail", step.now)
    if delivery.complete:
        return
    handoff.voicemail = msgspec.structs.replace(
        delivery, transcript=signal.text, complete=bool(delivery.recording_url)
    )
    step.do(Deliver(handoff.voicemail))


def _deliver_recording(handoff: Handoff, recording: Recording, step: s.Step) -> None:
    known = handoff.voicemail
    if recording.seconds < LEAST_SECONDS or (known is not None and known.recording_url):
        return
    delivery = known or _new(handoff, "voicemail", step.now)
    handoff.voicemail = msgspec.structs.replace(
        delivery,
        recording_url=recording.url,
        recording_seconds=recording.seconds,
        complete=bool(delivery.transcript),
    )
    step.do(Deliver(handoff.voicemail))
    if handoff.leg.phase is Phase.ENDED:
        # The record was stored before the recording was known.
        step.tell(s.RecordChanged())


# --- calling back ---------------------------------------------------------------------------------


def callback_taken(handoff: Handoff, signal: s.CallbackTaken, step: s.Step) -> None:
    """The model has noted a number and a wish: deliver them to the owner."""
    number = signal.number
    if sum(character.isdigit() for character in number) < _LEAST_DIGITS:
        refusal = (
            f"number must be a telephone number of the caller's; got {number!r}. Ask for it,"
            " digit by digit, read it back, and call this again."
        )
        output = prompts.tool_status("refused", refusal)
        step.tell(s.AnswerTool(call_id=signal.call_id, output=output))
        return
    handoff.callbacks += 1
    delivery = _new(handoff, "callback", step.now, f"callback-{handoff.callbacks}")
    step.do(
        Deliver(msgspec.structs.replace(delivery, number=number, wish=signal.wish, complete=True))
    )
    output = prompts.tool_status(
        "accepted", f"It is passed on that the caller wants to be called back on {number}. Say so."
    )
    step.tell(s.AnswerTool(call_id=signal.call_id, output=output))


# --- questions ------------------------------------------------------------------------------------


def question_unanswered(handoff: Handoff, signal: s.QuestionUnanswered, step: s.Step) -> None:
    """A tool's question that nobody answered is delivered to the owner."""
    message = _new(handoff, "message", step.now, f"question-{signal.question_id}")
    step.do(
        Deliver(
            msgspec.structs.replace(
                message,
                reason="nobody answered a question",
                summary=signal.question,
                complete=True,
            )
        )
    )


def _new(handoff: Handoff, kind: Any, now: float, name: str = "") -> Delivery:
    info, request = handoff.info, handoff.request
    return Delivery(
        id=f"{info.call_sid}-{name or f'voicemail-{handoff.voicemail_step}'}",
        kind=kind,
        call_sid=info.call_sid,
        agent=handoff.setup.agent,
        destination=request.destination.key if request is not None else "",
        created_at=now,
        caller=info.caller,
        called=info.called,
        reason=request.reason if request is not None else "",
        summary=request.summary if request is not None else "",
        complete=False,
    )


def _plan(handoff: Handoff) -> HandoffPlan | None:
    """Return the plan whose texts are used: the hand-off's, else one that takes messages."""
    if handoff.request is not None:
        return handoff.plan
    plans = [each.plan for each in handoff.setup.destinations]
    takes = [plan for plan in plans if "voicemail" in (plan.otherwise, *plan.offers)]
    return next(iter(takes or plans), None)
