"""Everything that can happen to a call, as frozen values.

An event says in the past tense what has happened. The sections below say where events come from.
Audio payloads are base64 text, as they came. A journal leaves them out and has only `size` (bytes
of mu-law), which is all that the core reads.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hookflash.core.handoff_plan import HandoffPlan, Target
from hookflash.core.token_usage import Tokens


class Event(msgspec.Struct, frozen=True, tag=True):
    """The base of all events; its subclasses are told apart in JSON by `type`."""


class Recording(msgspec.Struct, frozen=True):
    """The URL of a recording at the carrier, and its length."""

    url: str
    seconds: float = 0.0
    sid: str = ""


# --- from the carrier -------------------------------------------------------------------------


class CallArrived(Event, frozen=True, tag=True):
    """The carrier asks what to do with a new call (Twilio's voice webhook).

    `caller` and `called` are numbers in E.164 form, `client:` or `sip:` addresses, or texts such
    as `anonymous`. If the call is known already, the carrier retries, or uses its fallback URL.
    Answered by `AnswerCarrier`.
    """

    call_sid: str
    caller: str
    called: str
    direction: str = "inbound"


class CallPlaced(Event, frozen=True, tag=True):
    """The carrier has accepted the order to call somebody (`CallSetup.outbound`).

    `caller` is the line's number that is shown, `called` the number or address that is rung. When
    somebody or something answers, `CallArrived` follows.
    """

    call_sid: str
    caller: str
    called: str


class CalleeDetected(Event, frozen=True, tag=True):
    """The carrier has detected who answered a call that this line has placed.

    - machine: a mailbox greets; `machine-end`: its greeting is over, so it records.
    - unknown: the carrier cannot tell.
    """

    by: Literal["human", "machine", "machine-end", "fax", "unknown"]


class StreamStarted(Event, frozen=True, tag=True):
    """The media stream is open and its token was good. `step` is that of its `ConnectAgent`."""

    stream_sid: str
    step: int


class CallerAudio(Event, frozen=True, tag=True, gc=False):
    """Sound from the caller. `at_ms` is the carrier's presentation time since stream start."""

    payload: str
    size: int
    at_ms: int


class MarkReturned(Event, frozen=True, tag=True, gc=False):
    """The carrier has played everything up to this mark, or cleared it."""

    name: str


class DigitPressed(Event, frozen=True, tag=True):
    """The caller pressed a key.

    `digit` is 0-9, A-D, * or #. It is empty if it is hidden from the model and the journal: the
    driver hides it before it posts the event (`runtime/typed_digits.py`). `to_human`: it is the key
    that brings a human. `ends`: it ends an entry.
    """

    digit: str = ""
    to_human: bool = False
    ends: bool = False


class StreamStopped(Event, frozen=True, tag=True):
    """The media stream is over: `stop`, a bare close, or both (the second changes nothing)."""

    stream_sid: str
    reason: str = ""


class StreamStalled(Event, frozen=True, tag=True):
    """The media stream is open, but has carried no sound of the caller for a while."""

    stream_sid: str


Outcome = Literal[
    "bridged",
    "busy",
    "no-answer",
    "declined",
    "failed",
    "cancelled",
    "machine",
    "timeout",
    "refused",
    "human-gone",
    "caller-gone",
]
"""How an attempt to reach a human ended.

- declined: somebody answered and did not take the call.
- machine: a mailbox answered, or nobody pressed the key.
- timeout: the plan's whole time was over.
- refused: the carrier did not ring.
- human-gone: the human took the call, and hung up before the caller was there.
"""

Point = Literal["connect", "dial", "queue", "room", "refer", "hold", "voicemail"]
"""The instruction that has ended on the caller's leg."""


class InstructionsAsked(Event, frozen=True, tag=True):
    """An instruction has ended on the caller's leg, and the carrier asks what is next.

    `step` is the number of the instruction that ended (`ConnectAgent.step`, `DialHumans.step`
    ...). So a webhook that comes twice, late or out of order is recognised. `outcome` is set if the
    instruction was to reach a human. Answered by `AnswerCarrier`.
    """

    step: int
    point: Point
    leg_sid: str = ""
    outcome: Outcome | None = None
    recording: Recording | None = None


class LegChanged(Event, frozen=True, tag=True):
    """A human's leg is ringing, answered or over (status callback).

    A leg that the caller's own leg dialled has no number: `leg` is None, and `step` is that of the
    dial. For a leg of `RingHuman`, `step` is its wave and `leg` its number in the wave.
    """

    leg_sid: str
    status: Literal["initiated", "ringing", "answered", "completed"]
    step: int
    outcome: Outcome | None = None
    leg: int | None = None


class LegPlaced(Event, frozen=True, tag=True):
    """The carrier has accepted the order to ring a human (`RingHuman`)."""

    wave: int
    leg: int
    leg_sid: str


class LegRefused(Event, frozen=True, tag=True):
    """The carrier has refused to ring a human, or has not answered in time."""

    wave: int
    leg: int
    status: int | None = None
    code: int | None = None
    reason: str = ""


class HumanAsked(Event, frozen=True, tag=True):
    """The carrier asks what to do with a human's leg. Answered by `AnswerCarrier`.

    `answered`: a human or a machine has picked up. `answered_by` is `human`, `machine` or `unknown`
    if that was to be detected, else empty. `pressed`: a key, or none in time (`digit` is empty).
    `left`: the human has left the room and is still on the line. `parting`: as `pressed`, after
    `left`.
    """

    wave: int
    leg: int
    leg_sid: str
    point: Literal["answered", "pressed", "left", "parting"]
    digit: str = ""
    answered_by: Literal["human", "machine", "unknown", ""] = ""


class RoomChanged(Event, frozen=True, tag=True):
    """Somebody has joined or left the room of a wave, or the room has started or ended."""

    wave: int
    change: Literal["joined", "left", "started", "ended"]
    leg_sid: str = ""


class QueueAsked(Event, frozen=True, tag=True):
    """A caller waits in a queue, and the carrier asks what they hear. Answered by `AnswerCarrier`.

    `position` counts from 1; times are seconds; `digit` is a key that the caller pressed.
    """

    step: int
    position: int = 0
    waited_seconds: int = 0
    average_seconds: int = 0
    digit: str = ""


class RecordingReady(Event, frozen=True, tag=True):
    """The recording of a voicemail can be fetched; `step` is that of its `TakeVoicemail`."""

    step: int
    recording: Recording


class VoicemailTranscribed(Event, frozen=True, tag=True):
    """The carrier, or a transcriber, has transcribed a voicemail. Empty text: it could not."""

    step: int
    text: str


class CallMoved(Event, frozen=True, tag=True):
    """The carrier has carried out `MoveCall` for this step."""

    step: int


class CarrierRefused(Event, frozen=True, tag=True):
    """The carrier has refused `MoveCall`, or has not answered it in time.

    `gone` means that the call was already over: a race, not an error.
    """

    step: int
    status: int | None = None
    code: int | None = None
    gone: bool = False


class CallCompleted(Event, frozen=True, tag=True):
    """The carrier says that the caller's leg is over (status callback `completed`)."""

    status: str = "completed"


# --- from the model ---------------------------------------------------------------------------


class ModelReady(Event, frozen=True, tag=True):
    """The model's session is open, with the audio format that was asked for."""

    session_id: str = ""


class ModelLost(Event, frozen=True, tag=True):
    """The model's session is lost. `remedy`: open another one, or never try again.

    `unheard`: the caller has spoken, and the session has not reported it.
    """

    reason: str
    remedy: Literal["rotate", "none"] = "rotate"
    unheard: bool = False


class ModelRefused(Event, frozen=True, tag=True):
    """The model has answered a message with an error; the session goes on.

    `benign` errors are normal races (a response was already running, nothing to cancel, an item
    already shorter) and are only recorded.
    """

    code: str
    message: str
    benign: bool
    request_id: str = ""
    """The request that it refuses, if the model says which."""


class ResponseStarted(Event, frozen=True, tag=True):
    """The model begins a response: to a request, or by itself (`request_id` is empty)."""

    response_id: str
    request_id: str = ""


class ResponseEnded(Event, frozen=True, tag=True):
    """The model has finished generating, which does not mean that anything was heard."""

    response_id: str
    status: Literal["completed", "cancelled", "failed", "incomplete"]
    reason: str = ""
    retry_seconds: float = 0.0
    """How long the model asks to wait, if it says so (a rate limit)."""


class TokensUsed(Event, frozen=True, tag=True):
    """The model reports the tokens of a response, heard or not."""

    tokens: Tokens


class ModelAudio(Event, frozen=True, tag=True, gc=False):
    """A piece of the agent's speech: `size` bytes of mu-law of item `item_id`."""

    response_id: str
    item_id: str
    payload: str
    size: int


class PreparedAudio(Event, frozen=True, tag=True, gc=False):
    """A prepared sound is loaded (`PlayPrepared`): `size` bytes of mu-law. `text` is what it says,
    empty for a tone."""

    item_id: str
    payload: str
    size: int
    text: str = ""


class ModelAudioEnded(Event, frozen=True, tag=True):
    """No more sound will come for this item."""

    response_id: str
    item_id: str


class AgentTranscribed(Event, frozen=True, tag=True, gc=False):
    """The next piece of text of an item that the agent speaks (a delta, in order)."""

    item_id: str
    text: str


class CallerSpeechStarted(Event, frozen=True, tag=True):
    """The model's voice activity detection has detected that the caller begins to speak."""

    item_id: str


class CallerSpeechStopped(Event, frozen=True, tag=True):
    item_id: str


class CallerQuiet(Event, frozen=True, tag=True):
    """The caller has made no sound for two seconds, though no end of their turn was detected.

    `unheard`: they spoke before, and the model has not detected that either.
    """

    unheard: bool = False


class CallerTranscribed(Event, frozen=True, tag=True):
    """What the caller said in item `item_id`, complete. May come after the agent's answer."""

    item_id: str
    text: str


class ToolCallRequested(Event, frozen=True, tag=True):
    """The model calls a tool. `arguments` is JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str
    response_id: str = ""


# --- from tools, people and Hookflash itself --------------------------------------------------


class AgentPrepared(Event, frozen=True, tag=True):
    """Another agent is to take the call (`BringAgent`). `setup` is its `CallSetup`, as JSON has
    it."""

    key: str
    setup: dict[str, Any]


class AgentRefused(Event, frozen=True, tag=True):
    """The other agent cannot be found, or cannot be set up."""

    key: str


class ToolFinished(Event, frozen=True, tag=True):
    """A tool has answered; `output` is what the model reads, also when it `failed`."""

    call_id: str
    output: str
    failed: bool = False


class HandoffRequested(Event, frozen=True, tag=True):
    """Somebody other than the model asks for a human.

    With `plan`, that plan is used (a supervisor takes over), and `destination` is only its name.
    """

    destination: str
    reason: str
    summary: str = ""
    source: Literal["tool", "caller", "console", "policy", "failure"] = "console"
    plan: HandoffPlan | None = None
    by: str = ""


class TargetsChecked(Event, frozen=True, tag=True):
    """Whether a destination is open now, and which of its targets are free (`CheckTargets`).

    `opens` says in words when it opens, if it is closed. `free` are numbers of targets.
    """

    check: int
    open: bool = True
    opens: str = ""
    free: tuple[int, ...] | None = None
    """None: nobody was asked, all count as free."""
    targets: tuple[Target, ...] | None = None
    """The plan's targets, if it has some that are computed."""


class ConsultDecided(Event, frozen=True, tag=True):
    """The human on a consulting leg has decided whether to take the call."""

    leg_sid: str
    decision: Literal["connect", "decline", "voicemail"]
    reason: str = ""


class HandoffCancelled(Event, frozen=True, tag=True):
    """Somebody other than the model cancels a hand-off, before the caller is moved to the human."""

    by: str = ""


class GiveBackRequested(Event, frozen=True, tag=True):
    """The human, or somebody for them, gives the caller back to the agent."""

    by: str = ""


class HintGiven(Event, frozen=True, tag=True):
    """A supervisor gives the agent a hint that the caller does not hear."""

    text: str
    by: str = ""


class SayRequested(Event, frozen=True, tag=True):
    """A supervisor has the agent say something to the caller."""

    text: str
    by: str = ""


class QuestionAsked(Event, frozen=True, tag=True):
    """A tool asks a human something while the call goes on (`CallContext.ask_human`)."""

    question_id: str
    question: str
    via: str = ""


class QuestionAnswered(Event, frozen=True, tag=True):
    """The question was answered. An empty `answer`: nobody answered in time."""

    question_id: str
    answer: str
    by: str = ""


class DigitsWanted(Event, frozen=True, tag=True):
    """A tool waits for digits that the caller types (`CallContext.collect_digits`).

    They are complete with `count` digits, with the key `finish_on_key`, or when the caller presses
    no key for `seconds`. With `secret`, no model, recording or listener hears the caller until they
    are complete. `prompt` is what the agent says first. Ends in `GiveDigits`.
    """

    collection_id: str
    count: int
    secret: bool = False
    finish_on_key: str = "#"
    seconds: float = 20.0
    prompt: str = ""


class KeysWanted(Event, frozen=True, tag=True):
    """A tool has telephone keys pressed (`CallContext.press`). `digits` is as in `PlayKeys`.

    Ends in `ReportKeys`.
    """

    press_id: str
    digits: str


class DigitsUnwanted(Event, frozen=True, tag=True):
    """The tool that waited for digits has ended."""

    collection_id: str


class HumanSaid(Event, frozen=True, tag=True):
    """The caller or the human said something while they were bridged (notes), complete."""

    speaker: Literal["caller", "human"]
    text: str
    started_at: float
    ended_at: float


class HangUpRequested(Event, frozen=True, tag=True):
    """A tool or the owner asks to end the call once the agent has been heard."""

    reason: str = ""


class RecordingRefused(Event, frozen=True, tag=True):
    """The caller does not want this call to be recorded, or the owner refuses for them."""


class CallRecovered(Event, frozen=True, tag=True):
    """The call was rebuilt from its journal: its stream, session and tools are gone."""


class ShutdownRequested(Event, frozen=True, tag=True):
    """The process is about to stop: bring the caller to a human, or say a sentence."""


AnyEvent = (
    CallArrived
    | CallPlaced
    | CalleeDetected
    | AgentPrepared
    | AgentRefused
    | StreamStarted
    | CallerAudio
    | MarkReturned
    | DigitPressed
    | StreamStopped
    | StreamStalled
    | InstructionsAsked
    | LegChanged
    | LegPlaced
    | LegRefused
    | HumanAsked
    | RoomChanged
    | QueueAsked
    | RecordingReady
    | VoicemailTranscribed
    | CallMoved
    | CarrierRefused
    | CallCompleted
    | ModelReady
    | ModelLost
    | ModelRefused
    | ResponseStarted
    | ResponseEnded
    | TokensUsed
    | ModelAudio
    | PreparedAudio
    | ModelAudioEnded
    | AgentTranscribed
    | CallerSpeechStarted
    | CallerSpeechStopped
    | CallerQuiet
    | CallerTranscribed
    | ToolCallRequested
    | ToolFinished
    | HandoffRequested
    | TargetsChecked
    | ConsultDecided
    | HandoffCancelled
    | GiveBackRequested
    | HintGiven
    | SayRequested
    | QuestionAsked
    | QuestionAnswered
    | DigitsWanted
    | KeysWanted
    | DigitsUnwanted
    | HumanSaid
    | HangUpRequested
    | RecordingRefused
    | CallRecovered
    | ShutdownRequested
)
