"""Instructions to the carrier, written as TwiML. No I/O.

    ConnectAgent   <Connect action><Stream url statusCallback><Parameter token></Stream></Connect>
    Speak          <Say>
    HangUp         <Hangup/>
    Bridge         nothing: the end of a screening without <Hangup/> bridges the legs
    others         see `twiml_humans` and `twiml_waiting`

Rules: every address is absolute; only documented attributes; every verb that can end has an
action, which is the net under the call: when a stream, a process or a leg is lost, Twilio asks
for what is next instead of hanging up; and every document ends with `<Hangup/>`, so that nothing
follows by accident, but for those whose end means something else: a bridge, and what a caller in
a queue hears. An attribute is always a text, never a list (the builder would print its `repr`).

Sources: twilio.com/docs/voice/twiml and its pages on connect, stream, say, hangup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from twilio.twiml.voice_response import VoiceResponse

from hookflash.carriers.twilio import twiml_humans, twiml_waiting
from hookflash.carriers.twilio.parties import Parties
from hookflash.carriers.twilio.texts import cost_of, share, shortened, texts_of, with_texts
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
    ReferCaller,
    Screen,
    Speak,
    TakeVoicemail,
)
from hookflash.errors import CarrierError, ConfigError

TOKEN = "token"
"""The name of the stream's `<Parameter>` that carries its one-time token."""

MAX_REST_CHARACTERS = 4000
MAX_PARAMETER_CHARACTERS = 500

REJECT_BUSY = '<?xml version="1.0" encoding="UTF-8"?><Response><Reject reason="busy" /></Response>'
"""The answer to a call that is not to be answered: whoever calls gets the busy tone, and it costs
nothing. Source: twilio.com/docs/voice/twiml/reject."""

_OPEN_ENDED = (Bridge, HangUp, KeepInQueue, LeaveQueue)
"""What ends a document by itself: `<Hangup/>` behind it would be one too many, or would end what
is to go on."""


def render(
    instructions: Sequence[Instruction],
    urls: Urls,
    *,
    parties: Parties,
    token: Callable[[int], str],
    voices: Voices | None = None,
) -> str:
    """Write a document.

    `token` mints the one-time token of the stream of a step. `parties` are those of the call that
    the document belongs to. Raises `ConfigError` for an instruction that Twilio could not carry
    out.
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
    """Write a document that REST takes: what is said is shortened until all of it fits.

    Raises `CarrierError` where it cannot, which only many targets with long addresses can bring
    about, and `ConfigError` as `render`.
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
    # A text of nothing would not be said at all, and its verb not be counted.
    bare = document.write(with_texts(instructions, ["-"] * len(texts)))
    shares = share([cost_of(text) for text in texts], MAX_REST_CHARACTERS - len(bare))
    fitting = [shortened(text, cost) for text, cost in zip(texts, shares, strict=True)]
    written = document.write(with_texts(instructions, fitting))
    if len(written) > MAX_REST_CHARACTERS:
        raise CarrierError(
            f"TwiML over REST may have {MAX_REST_CHARACTERS} characters, this has {len(bare)}"
            " besides what is said: ring fewer targets at once"
        )
    return written


class _Document(msgspec.Struct, frozen=True):
    """What all instructions of a document are written with."""

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
                twiml_humans.dial(document, instruction, urls, parties)
            case JoinRoom():
                if instruction.notes:
                    self._listen(document, instruction.step)
                twiml_humans.join_room(document, instruction, urls)
            case Screen():
                twiml_humans.screen(document, instruction, urls, parties, voices)
            case ReferCaller():
                twiml_humans.refer(document, instruction, urls)
            case JoinQueue():
                twiml_waiting.join_queue(document, instruction, urls, parties)
            case KeepInQueue():
                twiml_waiting.keep_in_queue(document, instruction, urls, voices)
            case LeaveQueue():
                document.leave()
            case Hold():
                twiml_waiting.hold(document, instruction, urls, voices)
            case TakeVoicemail():
                twiml_waiting.take_voicemail(document, instruction, urls, voices)
            case Speak(text=text, language=language):
                voices.say(document, text, language)
            case HangUp():
                document.hangup()
            case _:
                # A bridge: that nothing follows is what it says.
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
        """A stream beside the call, which hears both sides and says nothing.

        A name is taken while its stream runs: carrying out the same step twice starts no second
        one, and another step is not refused because of the one before.
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
