"""Write instructions to the carrier as TwiML. No I/O.

    ConnectAgent   <Connect action><Stream url statusCallback><Parameter token></Stream></Connect>
    Speak          <Say>
    Redirect       <Redirect>
    HangUp         <Hangup/>
    Bridge         nothing: a screening that ends without <Hangup/> bridges the legs
    DialHumans     <Dial action timeout callerId answerOnBridge><Number|Client|Sip ...></Dial>
      with a limit ... timeLimit, also for JoinRoom
      an extension ... <Number sendDigits>
      with `wave`  ... url, requested when somebody answers; machineDetection
    JoinRoom       <Dial action hangupOnStar><Conference ...>room</Conference></Dial>
    Screen         <Gather numDigits action actionOnEmptyResult><Say></Gather>
    ReferCaller    <Refer action><Sip></Refer>
    JoinQueue      <Enqueue action waitUrl workflowSid><Task>{...}</Task></Enqueue>, or a name
    KeepInQueue    <Gather action><Say><Play></Gather>, the answer to waitUrl
    LeaveQueue     <Leave/>
    Hold           <Say><Play><Redirect>
    TakeVoicemail  <Say><Record action transcribeCallback recordingStatusCallback><Redirect>

General rules: every URL is absolute, and only documented attributes are used. Every verb that can
end has an action: if a stream, a process or a leg is lost, Twilio requests instructions instead of
hanging up. Every document ends with `<Hangup/>`, except where its end has a meaning: a bridge, and
what a caller in a queue hears. An attribute is always text, never a list (the builder would print
its `repr`).

Rules of rooms: the name contains the caller's call and the wave, because two rooms with one name
would be one room. The room ends when the human leaves it. There is no beep, and the jitter buffer
is small, because the default one adds up to a second. Only the first participant's status callback
counts, so both set the same one. `*` takes a leg out of its room, and its action is requested.

Rules of queues: only Say, Play, Pause, Gather, Redirect, Leave and Hangup are allowed, and the end
of the document makes Twilio request it again. `<Record>` requests its action only if something was
recorded; after silence the next verb runs, which requests it as well.

Sources: twilio.com/docs/voice/twiml and its pages on connect, stream, say, hangup, dial, number,
client, sip, conference, gather, refer, enqueue, leave, play, redirect, record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

import msgspec
from twilio.twiml.voice_response import Dial, VoiceResponse

from hookflash.carriers.twilio.caller_ids import Parties
from hookflash.carriers.twilio.document_text import cost_of, share, shortened, texts_of, with_texts
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.voices import Voices
from hookflash.core.commands import (
    Bridge,
    ConnectAgent,
    DialHumans,
    HangUp,
    Hold,
    Instruction,
    JoinQueue,
    JoinRoom,
    KeepInQueue,
    LeaveQueue,
    PlayKeys,
    Redirect,
    ReferCaller,
    Screen,
    Speak,
    TakeVoicemail,
)
from hookflash.core.handoff_plan import Target
from hookflash.errors import CarrierError, ConfigError

TOKEN = "token"
"""The name of the stream's `<Parameter>` that contains its one-time token."""

MAX_REST_CHARACTERS = 4000
MAX_PARAMETER_CHARACTERS = 500

REJECT_BUSY = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy" /></Response>'
"""The answer that rejects a call: the caller gets the busy tone, at no cost.

Source: twilio.com/docs/voice/twiml/reject.
"""

_OPEN_ENDED = (Bridge, HangUp, KeepInQueue, LeaveQueue, Redirect)
"""Instructions after which no `<Hangup/>` is added."""


def render(
    instructions: Sequence[Instruction],
    urls: Urls,
    *,
    parties: Parties,
    token: Callable[[int], str],
    voices: Voices | None = None,
) -> str:
    """Write a document.

    `token` issues the one-time token for the stream of a step. `parties` are those of the
    document's call. Raises `ConfigError` for an instruction that Twilio cannot execute.
    """
    return _Document(urls, parties, token, voices or Voices()).write(instructions)


def render_for_rest(
    instructions: Sequence[Instruction],
    urls: Urls,
    *,
    parties: Parties,
    token: Callable[[int], str],
    voices: Voices | None = None,
) -> str:
    """Write a document for REST: spoken texts are shortened until it fits.

    Raises `CarrierError` if it cannot fit, which needs many targets with long addresses, and
    `ConfigError` like `render`.
    """
    tokens: dict[int, str] = {}

    def once(step: int) -> str:
        if step not in tokens:
            tokens[step] = token(step)
        return tokens[step]

    document = _Document(urls, parties, once, voices or Voices())
    written = document.write(instructions)
    if len(written) <= MAX_REST_CHARACTERS:
        return written
    texts = texts_of(instructions)
    # Not empty, because an empty text would drop its verb and its size.
    bare = document.write(with_texts(instructions, ["-"] * len(texts)))
    shares = share([cost_of(text) for text in texts], MAX_REST_CHARACTERS - len(bare))
    fitting = [shortened(text, cost) for text, cost in zip(texts, shares, strict=True)]
    written = document.write(with_texts(instructions, fitting))
    if len(written) > MAX_REST_CHARACTERS:
        raise CarrierError(
            f"TwiML over REST may have {MAX_REST_CHARACTERS} characters, this has {len(bare)}"
            " without the spoken texts: ring fewer targets at once"
        )
    return written


class _Document(msgspec.Struct, frozen=True):
    """What all instructions of a document need."""

    urls: Urls
    parties: Parties
    token: Callable[[int], str]
    voices: Voices

    def write(self, instructions: Sequence[Instruction]) -> str:
        document = VoiceResponse()
        for instruction in instructions:
            self._add(document, instruction)
        if not instructions or not isinstance(instructions[-1], _OPEN_ENDED):
            document.hangup()
        return str(document)

    def _add(self, document: VoiceResponse, instruction: Instruction) -> None:
        urls, parties, voices = self.urls, self.parties, self.voices
        match instruction:
            case ConnectAgent():
                self._connect(document, instruction)
            case DialHumans():
                _dial(document, instruction, urls, parties)
            case JoinRoom():
                if instruction.notes:
                    self._listen(document, instruction.step)
                _join_room(document, instruction, urls)
            case Screen():
                _screen(document, instruction, urls, parties, voices)
            case ReferCaller():
                _refer(document, instruction, urls)
            case JoinQueue():
                _join_queue(document, instruction, urls, parties)
            case KeepInQueue():
                _keep_in_queue(document, instruction, urls, voices)
            case LeaveQueue():
                document.leave()
            case PlayKeys(digits=digits):
                document.play(digits=digits)
            case Hold():
                _hold(document, instruction, urls, voices)
            case TakeVoicemail():
                _take_voicemail(document, instruction, urls, voices)
            case Speak(text=text, language=language):
                voices.say(document, text, language)
            case Redirect(url=url):
                document.redirect(url, method="POST")
            case HangUp():
                document.hangup()
            case _:
                # A bridge: the document ends here.
                return

    def _connect(self, document: VoiceResponse, what: ConnectAgent) -> None:
        urls, parties = self.urls, self.parties
        if parties.consulting:
            action = urls.consult(parties.call_sid, what.step)
        else:
            action = urls.connect(what.step)
        connect = document.connect(action=action, method="POST")
        stream = connect.stream(
            url=urls.media(), status_callback=urls.stream(), status_callback_method="POST"
        )
        stream.parameter(name=TOKEN, value=self._token(what.step))

    def _listen(self, document: VoiceResponse, step: int) -> None:
        """Start a stream beside the call that receives both sides.

        A name is in use while its stream runs. So executing one step twice starts no second stream,
        and a later step is not refused.
        """
        stream = document.start().stream(
            name=f"notes-{step}", url=self.urls.notes(), track="both_tracks"
        )
        stream.parameter(name=TOKEN, value=self._token(step))

    def _token(self, step: int) -> str:
        token = self.token(step)
        if len(TOKEN) + len(token) >= MAX_PARAMETER_CHARACTERS:
            raise ConfigError(
                f"stream token: name and value must stay under {MAX_PARAMETER_CHARACTERS}"
                f" characters, got {len(token)}"
            )
        return token


# --- humans --------------------------------------------------------------------------------------

MAX_TARGETS = 10

KEY_SECONDS = 6
"""How long a human may take to press a key after the question."""

_LEG_EVENTS = "initiated ringing answered completed"
_ROOM_EVENTS = "start end join leave"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def _dial(document: VoiceResponse, what: DialHumans, urls: Urls, parties: Parties) -> None:
    if not 1 <= len(what.targets) <= MAX_TARGETS:
        raise ConfigError(
            f"<Dial>: expected 1 to {MAX_TARGETS} targets, got {len(what.targets)}; hunt instead"
        )
    # With answerOnBridge an unanswered caller (no model was available) hears real ringing. An
    # answered call is not affected.
    dialling = document.dial(
        action=urls.dial(what.step),
        method="POST",
        timeout=what.ring_seconds,
        caller_id=parties.shown_to_all(what.caller_id, {each.kind for each in what.targets}),
        answer_on_bridge=True,
        time_limit=what.talk_seconds,
    )
    for leg, target in enumerate(what.targets):
        _ring(dialling, target, _noun(what, leg, urls, parties))


def _noun(what: DialHumans, leg: int, urls: Urls, parties: Parties) -> dict[str, str]:
    attributes = {
        "status_callback": urls.leg(what.step),
        "status_callback_method": "POST",
        "status_callback_event": _LEG_EVENTS,
    }
    if what.wave is None:
        return attributes
    attributes["url"] = urls.human(parties.call_sid, what.wave, leg, "answered")
    attributes["method"] = "POST"
    return attributes


def _ring(dialling: Dial, target: Target, attributes: dict[str, str]) -> None:
    nouns = {"phone": dialling.number, "client": dialling.client, "sip": dialling.sip}
    if target.kind not in nouns:
        raise ConfigError(
            f"<Dial>: a target of kind {target.kind!r} cannot be rung; join it instead"
        )
    if target.extension:
        attributes = {**attributes, "send_digits": target.keys}
    nouns[target.kind](target.address, **attributes)


def _join_room(document: VoiceResponse, what: JoinRoom, urls: Urls) -> None:
    if what.leg is None:
        action = urls.room(what.step)
    else:
        action = urls.human(what.room, what.wave, what.leg, "left")
    dialling = document.dial(
        action=action,
        method="POST",
        # Only the human leaves the room with a key, not the caller.
        hangup_on_star=None if what.leg is None else True,
        time_limit=what.talk_seconds,
    )
    dialling.conference(
        room_name(what.room, what.wave),
        beep="false",
        jitter_buffer_size="small",
        start_conference_on_enter=True,
        end_conference_on_exit=what.leg is not None,
        participant_label="caller" if what.leg is None else f"human-{what.leg}",
        status_callback=urls.room_events(what.room, what.wave),
        status_callback_method="POST",
        status_callback_event=_ROOM_EVENTS,
    )


def room_name(call_sid: str, wave: int) -> str:
    """Return the name of a room. It contains no phone number and needs no escaping in a URL."""
    return f"hookflash-{_NOT_IN_A_NAME.sub('_', call_sid)[:64]}-{wave}"


def _screen(
    document: VoiceResponse, what: Screen, urls: Urls, parties: Parties, voices: Voices
) -> None:
    # Request the action without a key, too: a voicemail box never presses one.
    gather = document.gather(
        action=urls.human(parties.call_sid, what.wave, what.leg, what.point),
        method="POST",
        num_digits=1,
        finish_on_key="",
        action_on_empty_result=True,
        timeout=what.seconds or KEY_SECONDS,
    )
    voices.say(gather, what.text, what.language)


def _refer(document: VoiceResponse, what: ReferCaller, urls: Urls) -> None:
    if what.target.kind != "sip":
        raise ConfigError(f"<Refer>: expected a SIP address, got a target of {what.target.kind!r}")
    document.refer(action=urls.refer(what.step), method="POST").sip(what.target.address)


# --- callers who wait ----------------------------------------------------------------------------

SILENT_SECONDS = 5
"""A message is complete after this much silence."""

TRANSCRIBED_SECONDS = 120
"""Twilio transcribes no longer recordings."""

TRANSCRIPT_URL = "transcript_url"
"""The attribute of a task with the URL of its call."""

_WORKFLOW = re.compile(r"WW[0-9a-fA-F]{32}")


def _join_queue(document: VoiceResponse, what: JoinQueue, urls: Urls, parties: Parties) -> None:
    address = what.target.address
    if what.target.kind != "queue":
        raise ConfigError(f"<Enqueue>: expected a queue, got a target of kind {what.target.kind!r}")
    addresses = {
        "action": urls.queue(what.step),
        "method": "POST",
        "wait_url": urls.wait(what.step),
        "wait_url_method": "POST",
    }
    if _WORKFLOW.fullmatch(address):
        queue = document.enqueue(None, workflow_sid=address, **addresses)
        read_at = {TRANSCRIPT_URL: urls.transcript(parties.call_sid)}
        queue.task(json.dumps({**what.attributes, **read_at}))
    else:
        # A plain queue has a name only and no attributes.
        document.enqueue(address, **addresses)


def _keep_in_queue(document: VoiceResponse, what: KeepInQueue, urls: Urls, voices: Voices) -> None:
    gather = document.gather(
        action=urls.wait(what.step),
        method="POST",
        num_digits=1,
        finish_on_key="",
        action_on_empty_result=True,
        timeout=1,
    )
    voices.say(gather, what.text, what.language)
    gather.play(urls.music(what.seconds))


def _hold(document: VoiceResponse, what: Hold, urls: Urls, voices: Voices) -> None:
    voices.say(document, what.text)
    document.play(urls.music(what.seconds))
    document.redirect(urls.hold(what.step), method="POST")


def _take_voicemail(
    document: VoiceResponse, what: TakeVoicemail, urls: Urls, voices: Voices
) -> None:
    voices.say(document, what.text, what.language)
    seconds = min(what.seconds, TRANSCRIBED_SECONDS) if what.transcribe else what.seconds
    document.record(
        action=urls.voicemail(what.step),
        method="POST",
        max_length=seconds,
        timeout=SILENT_SECONDS,
        finish_on_key="#",
        play_beep=True,
        recording_status_callback=urls.recording(what.step),
        recording_status_callback_method="POST",
        recording_status_callback_event="completed",
        transcribe=what.transcribe or None,
        transcribe_callback=urls.transcription(what.step) if what.transcribe else None,
    )
    document.redirect(urls.voicemail(what.step), method="POST")
