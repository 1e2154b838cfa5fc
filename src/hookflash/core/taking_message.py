"""What a call leaves for its owner: a voicemail, a wish to be called back, a question unanswered.

Functions of (call, event, now) that couple the machines. A recording is announced by several
webhooks, in any order, perhaps after the call: each makes the same delivery more complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hookflash.core import asking, leaving, lines, talking
from hookflash.core import events as e
from hookflash.core.commands import (
    AnyCommand,
    Deliver,
    HangUp,
    Speak,
    StoreRecord,
    TakeVoicemail,
)
from hookflash.core.delivery import Delivery
from hookflash.core.handoff import Trigger
from hookflash.core.handoff_plan import HandoffPlan
from hookflash.core.phases import Phase
from hookflash.core.turns import State as FloorState

if TYPE_CHECKING:
    from hookflash.core.call import Call

LEAST_SECONDS = 1.0
"""A recording that is shorter holds no message."""


# --- voicemail --------------------------------------------------------------------------------


def announce(call: Call, now: float) -> list[AnyCommand]:
    """The agent says that a message can be left; when that was heard it is recorded."""
    call.handoff.fire(Trigger.MESSAGE)
    call.farewell.begin("voicemail", spoke=False, now=now, own_line=True)
    return talking.after_heard(call, now)


def asked_for(call: Call, call_id: str, now: float) -> list[AnyCommand]:
    """The model calls its tool: the caller wants to leave a message."""
    if call.handoff.running or call.farewell.purpose is not None:
        state = call.handoff.state.value
        return asking.answered(call, call_id, lines.tool_status("not now", state), now)
    call.handoff.fire(Trigger.MESSAGE)
    spoke = call.floor.state is FloorState.ANSWERING and call.floor.spoke
    call.farewell.begin("voicemail", spoke=spoke, now=now)
    output = lines.tool_status(
        "accepted", "The caller is asked to speak after the tone as soon as you were heard."
    )
    return asking.answered(call, call_id, output, now)


def take(call: Call, *, apology: bool = False) -> TakeVoicemail:
    """Return the instruction that records a message. `apology`: no agent has said why."""
    plan = _plan(call)
    text = lines.nobody_there(plan.voicemail_prompt) if apology else plan.voicemail_prompt
    step = call.route.next_step()
    call.facts.voicemail_step = step
    return TakeVoicemail(step, text, language=plan.language)


def recorded(call: Call, event: e.InstructionsAsked, now: float) -> list[AnyCommand]:
    """The caller has spoken, and is still there or not."""
    left = event.recording is not None and event.recording.seconds >= LEAST_SECONDS
    kept = _keep(call, event.recording, now) if event.recording is not None else []
    call.facts.failed = call.facts.failed or not left
    call.handoff.fire(Trigger.OVER if left else Trigger.GIVE_UP)
    plan = _plan(call)
    text = lines.MESSAGE_THANKS if left else plan.sorry
    ending = (Speak(text, plan.language), HangUp())
    asked = (event.step, event.leg_sid)
    return [*leaving.bring(call, ending, Phase.ENDING, asked, now), *kept]


def recording_ready(call: Call, event: e.RecordingReady, now: float) -> list[AnyCommand]:
    if event.step != call.facts.voicemail_step:
        return []
    return _keep(call, event.recording, now)


def voicemail_transcribed(
    call: Call, event: e.VoicemailTranscribed, now: float
) -> list[AnyCommand]:
    if event.step != call.facts.voicemail_step:
        return []
    delivery = call.facts.voicemail or _new(call, "voicemail", now)
    if delivery.complete:
        return []
    call.facts.voicemail = msgspec.structs.replace(
        delivery, transcript=event.text, complete=bool(delivery.recording_url)
    )
    return [Deliver(call.facts.voicemail)]


def _keep(call: Call, recording: e.Recording, now: float) -> list[AnyCommand]:
    known = call.facts.voicemail
    if recording.seconds < LEAST_SECONDS or (known is not None and known.recording_url):
        return []
    delivery = known or _new(call, "voicemail", now)
    call.facts.voicemail = msgspec.structs.replace(
        delivery,
        recording_url=recording.url,
        recording_seconds=recording.seconds,
        complete=bool(delivery.transcript),
    )
    commands: list[AnyCommand] = [Deliver(call.facts.voicemail)]
    if call.phase is Phase.ENDED:
        # The record was made before anybody knew of it.
        commands.append(StoreRecord(leaving.record(call, now)))
    return commands


# --- calling back -----------------------------------------------------------------------------


def callback(call: Call, call_id: str, arguments: dict[str, Any], now: float) -> list[AnyCommand]:
    """The model has taken a number and a wish; they are the owner's to act on."""
    number = str(arguments.get("number", "")).strip()[:64]
    wish = str(arguments.get("wish", "")).strip()[:1000]
    if sum(character.isdigit() for character in number) < 3:
        refusal = lines.tool_status(
            "refused",
            f"number must be a telephone number of the caller's; got {number!r}. Ask for it,"
            " digit by digit, read it back, and call this again.",
        )
        return asking.answered(call, call_id, refusal, now)
    call.facts.callbacks += 1
    delivery = _new(call, "callback", now, f"callback-{call.facts.callbacks}")
    delivery = msgspec.structs.replace(delivery, number=number, wish=wish, complete=True)
    output = lines.tool_status(
        "accepted", f"It is passed on that the caller wants to be called back on {number}. Say so."
    )
    return [Deliver(delivery), *asking.answered(call, call_id, output, now)]


# --- questions --------------------------------------------------------------------------------


def unanswered(call: Call, question_id: str, question: str, now: float) -> Delivery:
    """Return the message that says what a tool has asked and nobody has answered."""
    message = _new(call, "message", now, f"question-{question_id}")
    return msgspec.structs.replace(
        message, reason="nobody answered a question", summary=question, complete=True
    )


def _new(call: Call, kind: Any, now: float, name: str = "") -> Delivery:
    facts, request = call.facts, call.handoff.request
    return Delivery(
        id=f"{facts.call_sid}-{name or f'voicemail-{facts.voicemail_step}'}",
        kind=kind,
        call_sid=facts.call_sid,
        agent=call.setup.agent,
        destination=request.destination.key if request is not None else "",
        created_at=now,
        caller=facts.caller,
        called=facts.called,
        reason=request.reason if request is not None else "",
        summary=request.summary if request is not None else "",
        complete=False,
    )


def _plan(call: Call) -> HandoffPlan:
    """Return the plan whose words are used: of the hand-off, else of any that takes messages."""
    if call.handoff.request is not None:
        return call.handoff.plan
    plans = [each.plan for each in call.setup.destinations]
    takes = [plan for plan in plans if "voicemail" in (plan.otherwise, *plan.offers)]
    return (takes or plans)[0]
