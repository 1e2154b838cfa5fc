"""What happens on the stream: speech both ways, barge-in, tools, and the last words.

Functions of (call, event, now) that couple the machines. While the call is not in its talking
phase, late events of stream and model only complete the transcript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from hookflash.core import (
    asking,
    consenting,
    consulting,
    leaving,
    lines,
    losing,
    reaching,
    taking_message,
)
from hookflash.core import events as e
from hookflash.core.commands import (
    AddMessage,
    AnyCommand,
    CancelResponse,
    CloseStream,
    DeleteItem,
    Message,
    OpenModel,
    RequestResponse,
    SendCallerAudio,
    SendToolOutput,
    TruncateItem,
)
from hookflash.core.handoff import Trigger
from hookflash.core.last_words import last_words
from hookflash.core.model_line import State as ModelState
from hookflash.core.phases import Phase
from hookflash.core.playout import Settled
from hookflash.core.promise import AnnouncementKind
from hookflash.core.turns import State as FloorState

if TYPE_CHECKING:
    from hookflash.core.call import Call

_TALKING = Phase.TALKING
_READY = ModelState.READY


# --- the stream -------------------------------------------------------------------------------


def caller_audio(call: Call, event: e.CallerAudio, now: float) -> list[AnyCommand]:
    return [SendCallerAudio(event.payload, event.size)] if hears(call) else []


def hears(call: Call) -> bool:
    """Whether somebody hears the caller. Only an event other than sound can change it."""
    return _talking(call) and call.model.listening


def stream_started(call: Call, event: e.StreamStarted, now: float) -> list[AnyCommand]:
    call.facts.stream_sid = event.stream_sid
    if call.phase not in (Phase.RINGING, Phase.TALKING):
        # The call is to go elsewhere: closing makes the carrier ask where.
        return [CloseStream()]
    call.facts.streams += 1
    call.facts.stream_tries = 0
    call.enter(Phase.TALKING, None)
    if event.step == call.route.step:
        # It is there, by whichever road, and whatever the carrier has said about that.
        call.route.asked()
    if call.handoff.fire(Trigger.STREAM):
        call.handoff.until = None
    leaving.settle(call, now)
    commands: list[AnyCommand] = []
    if call.model.state is ModelState.CLOSED:
        # The call was recovered after the carrier had been told to open this stream.
        call.opening = call.opening or RequestResponse(lines.CUT_OFF)
        call.model.open(now)
        commands.append(OpenModel(call.transcript.history()))
    commands += call.consent.stream_opened(now)
    return [*commands, *call.playout.start(now), *_open(call, now)]


def mark_returned(call: Call, event: e.MarkReturned, now: float) -> list[AnyCommand]:
    if not _talking(call):
        return []
    return [*call.playout.mark(event.name, now), *after_heard(call, now)]


def digit_pressed(call: Call, event: e.DigitPressed, now: float) -> list[AnyCommand]:
    return _typed(call, call.keypad.press(event.digit, now), now) if _talking(call) else []


# --- the model's speech -----------------------------------------------------------------------


def model_ready(call: Call, event: e.ModelReady, now: float) -> list[AnyCommand]:
    if call.model.state is not ModelState.OPENING:
        return []
    call.model.ready()
    return _open(call, now)


def model_audio(call: Call, event: e.ModelAudio, now: float) -> list[AnyCommand]:
    # `_answering`, said in place: this comes up to fifty times a second. While the call talks, a
    # model that is ready has a stream: both are let go together.
    if call.model.state is not _READY or call.phase is not _TALKING:
        return []
    call.model.worked()
    if call.playout.unheard(event.response_id, event.item_id):
        # It began while we were cancelling it: the model must not believe that it was said.
        call.transcript.agent_heard(Settled(event.item_id, 0, 0, None, True, False), now)
        return [TruncateItem(event.item_id, 0)]
    call.floor.spoke = True
    commands = call.playout.add(event.response_id, event.item_id, event.payload, event.size, now)
    if call.farewell.purpose is not None:
        call.farewell.sounding(call.playout.quiet_at())
    return [*commands]


def model_audio_ended(call: Call, event: e.ModelAudioEnded, now: float) -> list[AnyCommand]:
    return [*call.playout.end_item(event.item_id), *after_heard(call, now)]


def agent_transcribed(call: Call, event: e.AgentTranscribed, now: float) -> list[AnyCommand]:
    call.transcript.agent_says(event.item_id, event.text, now)
    call.promise.said(event.text)
    return []


def response_started(call: Call, event: e.ResponseStarted, now: float) -> list[AnyCommand]:
    if not _answering(call):
        return []
    call.promise.response_started()
    stopped = call.floor.response_started(event.response_id, now)
    return stop(call) if call.farewell.line_is_due else _cancelled(call, stopped)


def response_ended(call: Call, event: e.ResponseEnded, now: float) -> list[AnyCommand]:
    marks = call.playout.end_response(event.response_id)
    if not _talking(call):
        return []
    if event.status == "failed":
        if not call.floor.response_failed(event.response_id, now):
            return losing.model_lost(call, e.ModelLost(event.reason, "none"), now)
        return [*marks]
    if event.status != "completed" or not call.floor.spoke:
        call.consent.spoil()
    owed = _owed_transfer(call) if event.status == "completed" else None
    commands: list[AnyCommand] = [*marks]
    if owed == "unclear":
        # Before anything else is asked of the model, so that the next response knows it.
        commands += tell(call, lines.SAY_DO_REMINDER)
    commands += call.floor.response_ended(event.response_id, now)
    if owed == "transfer":
        commands += call.floor.ask(RequestResponse(lines.SAY_DO, lines.TRANSFER_TOOL), now)
    elif owed == "unclear" and not call.floor.busy:
        commands += call.floor.ask(RequestResponse(), now)
    return [*commands, *after_heard(call, now)]


def _owed_transfer(call: Call) -> AnnouncementKind | None:
    """Return what the agent has announced without calling a tool, if it can still do it."""
    keys = [each.key for each in call.setup.destinations]
    if call.handoff.running or call.farewell.purpose is not None or not keys:
        return None
    return call.promise.owed(keys)


def model_refused(call: Call, event: e.ModelRefused, now: float) -> list[AnyCommand]:
    call.floor.refused(event.code, now)
    return []


# --- the caller's speech ----------------------------------------------------------------------


def caller_speech_started(call: Call, event: e.CallerSpeechStarted, now: float) -> list[AnyCommand]:
    """Barge-in, if anything is to be heard; a goodbye that is interrupted is taken back."""
    call.transcript.caller_started(event.item_id, now)
    if not _talking(call) or not call.floor.caller_started():
        return []
    commands: list[AnyCommand] = []
    if call.playout.idle():
        commands += _cancelled(call, call.floor.cancel())
    else:
        commands += _barge_in(call, now)
    if call.farewell.purpose is not None:
        commands += _take_back(call, now)
    return commands


def caller_speech_stopped(call: Call, event: e.CallerSpeechStopped, now: float) -> list[AnyCommand]:
    call.transcript.caller_stopped(event.item_id, now)
    call.floor.caller_stopped(now)
    return []


def caller_transcribed(call: Call, event: e.CallerTranscribed, now: float) -> list[AnyCommand]:
    call.transcript.caller_said(event.item_id, event.text, now)
    return []


def _barge_in(call: Call, now: float) -> list[AnyCommand]:
    """Silence first, then the model learns what was heard: the right item, to the millisecond."""
    clear, fates = call.playout.cut(now)
    commands: list[AnyCommand] = [*clear, *_cancelled(call, call.floor.cancel())]
    for fate in fates:
        call.transcript.agent_heard(fate, now)
        if not fate.cut or not call.model.listening:
            continue
        if fate.heard_ms == 0 and fate.ended:
            commands.append(DeleteItem(fate.item_id))
        else:
            commands.append(TruncateItem(fate.item_id, fate.heard_ms))
    call.facts.barge_ins += any(fate.cut for fate in fates)
    return commands


def stop(call: Call) -> list[AnyCommand]:
    """What the agent is about to say, and has not begun to, is not said any more."""
    call.floor.drop_wish()
    return [] if call.floor.spoke else _cancelled(call, call.floor.cancel())


def _cancelled(call: Call, cancelled: list[CancelResponse]) -> list[AnyCommand]:
    """Sound of a response that was cancelled may be on its way: it comes too late."""
    for each in cancelled:
        call.playout.drop(each.response_id)
    return [*cancelled]


def _take_back(call: Call, now: float) -> list[AnyCommand]:
    note = lines.STAYED_ON
    commands: list[AnyCommand] = []
    if call.farewell.purpose == "hand-off":
        commands += asking.call_off(call, now) or []
        note = lines.STAYED
    elif call.farewell.purpose == "voicemail":
        call.handoff.fire(Trigger.STREAM)
    call.farewell.end()
    call.floor.drop_wish()
    return [*commands, *tell(call, note)]


# --- tools ------------------------------------------------------------------------------------


def tool_call_requested(call: Call, event: e.ToolCallRequested, now: float) -> list[AnyCommand]:
    if not _answering(call):
        return []
    call.promise.did()
    consulted = call.setup.consult is not None and event.name in consulting.TOOLS
    if event.name not in lines.OWN_TOOLS and not consulted:
        return [*call.tools.ask(event.call_id, event.name, event.arguments, event.response_id, now)]
    if not call.tools.note(event.call_id):
        return []
    arguments = _arguments(event.arguments)
    match event.name:
        case lines.TRANSFER_TOOL:
            return asking.transfer(call, event.call_id, arguments, now)
        case lines.CANCEL_TOOL:
            return asking.cancel(call, event.call_id, now)
        case lines.CALLBACK_TOOL:
            return taking_message.callback(call, event.call_id, arguments, now)
        case lines.VOICEMAIL_TOOL:
            return taking_message.asked_for(call, event.call_id, now)
        case lines.STOP_RECORDING_TOOL:
            return consenting.refused_to_agent(call, event.call_id, now)
        case lines.END_TOOL:
            return _end_call(call, event.call_id, now)
    return consulting.decide(call, event, arguments, now)


def tool_finished(call: Call, event: e.ToolFinished, now: float) -> list[AnyCommand]:
    answered = call.tools.finish(event.call_id, event.output, event.failed, now)
    if answered is None:
        return []
    call.facts.tools.append(answered.use)
    commands: list[AnyCommand] = []
    if answered.orphan:
        commands += tell(call, lines.late_result(answered.use.name, event.output))
    else:
        commands.append(SendToolOutput(event.call_id, event.output))
    if _talking(call) and answered.complete and call.farewell.purpose is None:
        commands += ask(call, RequestResponse(), now)
    return commands


def _end_call(call: Call, call_id: str, now: float) -> list[AnyCommand]:
    ends: list[AnyCommand] = []
    if call.farewell.purpose is None:
        # Nobody is rung for a caller who says goodbye.
        ends = asking.call_off(call, now) or []
        spoke = call.floor.state is FloorState.ANSWERING and call.floor.spoke
        call.farewell.begin("hang-up", spoke=spoke, now=now)
    output = lines.tool_status("accepted", "The call ends as soon as your goodbye was heard.")
    return [*ends, *asking.answered(call, call_id, output, now)]


def _arguments(text: str) -> dict[str, Any]:
    """Read what the model wrote; what is no JSON object counts as empty, and is then refused."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}


# --- what waits for silence -------------------------------------------------------------------


def after_heard(call: Call, now: float) -> list[AnyCommand]:
    """Something may have been heard to its end: close its lines, and let go what waited for it."""
    for fate in call.playout.heard():
        call.transcript.agent_heard(fate, now)
    if not _talking(call) or not call.playout.idle() or call.floor.busy:
        call.handoff.comfort_at = None
        return []
    recording = call.consent.heard(now)
    if call.farewell.purpose is None:
        call.floor.protected = False
        return [*recording, *_open(call, now), *reaching.comfort(call, now)]
    unsaid = not call.farewell.spoke and not call.farewell.asked_for_line
    if unsaid and call.model.listening:
        return [*recording, *_ask_for_last_words(call, now)]
    return [*recording, *leaving.farewell_over(call, now)]


def expire(call: Call, now: float) -> list[AnyCommand]:
    commands: list[AnyCommand] = [*call.playout.expire(now), *call.floor.expire(now)]
    commands += _typed(call, call.keypad.expire(now), now)
    if call.floor.overdue(now):
        commands += losing.model_lost(call, e.ModelLost("it does not answer"), now)
    return [*commands, *after_heard(call, now)]


def _ask_for_last_words(call: Call, now: float) -> list[AnyCommand]:
    call.farewell.wait_for_line(now)
    return [*call.floor.ask(RequestResponse(last_words(call), "none"), now)]


def _open(call: Call, now: float) -> list[AnyCommand]:
    """Stream and model are both there: the agent speaks first, what must be said before all."""
    if not _answering(call):
        return []
    first_line = consenting.line_first(call, now)
    if first_line is not None or call.opening is None:
        return first_line or []
    opening, call.opening = call.opening, None
    unheard = not call.transcript.agent_was_heard or opening == leaving.greeting(call)
    first = call.facts.streams == 1 and unheard
    call.floor.protected = first and not call.setup.greeting_interruptible
    return [*call.floor.ask(opening, now)]


def _typed(call: Call, digits: str, now: float) -> list[AnyCommand]:
    if not digits:
        return []
    if digits == call.setup.key_to_human and call.setup.destinations:
        return asking.key_pressed(call, now)
    commands = tell(call, lines.typed(digits))
    if call.farewell.purpose is None:
        commands += ask(call, RequestResponse(), now)
    return commands


def tell(call: Call, text: str) -> list[AnyCommand]:
    """Let this model know something, and any that comes after it."""
    message = Message("system", text)
    call.transcript.note(message)
    return [AddMessage(message)] if call.model.listening else []


def ask(call: Call, wish: RequestResponse, now: float) -> list[AnyCommand]:
    """Have the model speak; while nobody would hear it, it is the first thing that it does then."""
    if _answering(call):
        return [*call.floor.ask(wish, now)]
    call.opening = call.opening or wish
    return []


def _answering(call: Call) -> bool:
    """Whether there is a session to hear from; what comes of one that is gone comes too late."""
    return _talking(call) and call.model.state is ModelState.READY


def _talking(call: Call) -> bool:
    return call.phase is Phase.TALKING and call.facts.stream_sid is not None
