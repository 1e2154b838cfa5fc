"""Instructions to the carrier, written as TwiML. No I/O.

    ConnectAgent  <Connect action><Stream url statusCallback><Parameter token></Stream></Connect>
    DialHumans    <Dial action timeout callerId answerOnBridge><Number|Client|Sip ...></Dial>
    JoinQueue     <Enqueue action workflowSid><Task>{...}</Task></Enqueue>, or a plain queue
    Speak         <Say>
    HangUp        <Hangup/>

Rules: every address is absolute; only documented attributes; every verb that can end has an
action, which is the net under the call: when a stream, a process or a leg is lost, Twilio asks
for what is next instead of hanging up; and every document ends with `<Hangup/>`, so that nothing
follows by accident. An attribute is always a text, never a list (the builder would print its
`repr`).

Sources: twilio.com/docs/voice/twiml and its pages on connect, stream, dial, number, client, sip,
enqueue, say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from twilio.twiml.voice_response import (
    Dial,
    VoiceResponse,
)

from hookflash.carriers.twilio.urls import Urls
from hookflash.core.commands import (
    ConnectAgent,
    DialHumans,
    HangUp,
    Instruction,
    JoinQueue,
    Speak,
)
from hookflash.errors import CarrierError, ConfigError

TOKEN = "token"
"""The name of the stream's `<Parameter>` that carries its one-time token."""

MAX_REST_CHARACTERS = 4000
MAX_TARGETS = 10
MAX_PARAMETER_CHARACTERS = 500

_LEG_EVENTS = "initiated ringing answered completed"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WORKFLOW = re.compile(r"WW[0-9a-fA-F]{32}")
_E164 = re.compile(r"\+[1-9]\d{5,14}")


def render(
    instructions: Sequence[Instruction],
    urls: Urls,
    *,
    token: Callable[[int], str],
    own_number: str | None = None,
    language: str | None = None,
    voice: str | None = None,
) -> str:
    """Write a document.

    `token` mints the one-time token of the stream of a step. `own_number` is shown to humans
    where an instruction names no caller id (see `own_number`); without it Twilio's default
    holds, which is the caller's own number. `language` and `voice` are those of `<Say>`.
    Raises `ConfigError` for an instruction that Twilio could not carry out.
    """
    document = VoiceResponse()
    for instruction in instructions:
        match instruction:
            case ConnectAgent():
                _connect(document, instruction, urls, token(instruction.step))
            case DialHumans():
                _dial(document, instruction, urls, instruction.caller_id or own_number)
            case JoinQueue():
                _enqueue(document, instruction, urls)
            case Speak(text=text):
                document.say(_NOT_XML.sub(" ", text), language=language, voice=voice)
            case _:
                document.hangup()
    if not instructions or not isinstance(instructions[-1], HangUp):
        document.hangup()
    return str(document)


def fit_for_rest(document: str) -> str:
    """Return `document`, or raise `CarrierError` if REST would refuse it for its length."""
    if len(document) > MAX_REST_CHARACTERS:
        raise CarrierError(
            f"TwiML over REST may have {MAX_REST_CHARACTERS} characters, this has"
            f" {len(document)}: ring fewer targets at once or shorten what is said"
        )
    return document


def own_number(direction: str, caller: str, called: str) -> str | None:
    """Return the number of ours in a call, which may always be shown to a human; or None.

    An inbound call came to our number, an outbound one from it. A call that came over SIP or
    from a browser has no telephone number of ours: then the plan has to name a caller id.
    """
    number = called if direction == "inbound" else caller
    other = caller if direction == "inbound" else called
    if not _E164.fullmatch(number) or other.lower().startswith(("sip:", "sips:")):
        return None
    return number


def _connect(document: VoiceResponse, what: ConnectAgent, urls: Urls, token: str) -> None:
    if len(TOKEN) + len(token) >= MAX_PARAMETER_CHARACTERS:
        raise ConfigError(
            f"stream token: name and value must stay under {MAX_PARAMETER_CHARACTERS} characters,"
            f" got {len(token)}"
        )
    connect = document.connect(action=urls.connect(what.step), method="POST")
    stream = connect.stream(
        url=urls.media(), status_callback=urls.stream(), status_callback_method="POST"
    )
    stream.parameter(name=TOKEN, value=token)


def _dial(document: VoiceResponse, what: DialHumans, urls: Urls, caller_id: str | None) -> None:
    if not 1 <= len(what.targets) <= MAX_TARGETS:
        raise ConfigError(
            f"<Dial>: expected 1 to {MAX_TARGETS} targets, got {len(what.targets)}; hunt instead"
        )
    # answerOnBridge lets a caller whose call is still unanswered (no model could be had) hear
    # real ringing; on an answered call it changes nothing.
    dial = document.dial(
        action=urls.dial(what.step),
        method="POST",
        timeout=what.ring_seconds,
        caller_id=caller_id,
        answer_on_bridge=True,
    )
    for target in what.targets:
        _ring(dial, target.kind, target.address, urls.leg(what.step))


def _ring(dial: Dial, kind: str, address: str, callback: str) -> None:
    nouns = {"phone": dial.number, "client": dial.client, "sip": dial.sip}
    if kind not in nouns:
        raise ConfigError(f"<Dial>: a target of kind {kind!r} cannot be rung; join it instead")
    nouns[kind](
        address,
        status_callback=callback,
        status_callback_method="POST",
        status_callback_event=_LEG_EVENTS,
    )


def _enqueue(document: VoiceResponse, what: JoinQueue, urls: Urls) -> None:
    address = what.target.address
    if what.target.kind != "queue":
        raise ConfigError(f"<Enqueue>: expected a queue, got a target of kind {what.target.kind!r}")
    action = urls.queue(what.step)
    if _WORKFLOW.fullmatch(address):
        queue = document.enqueue(None, action=action, method="POST", workflow_sid=address)
        queue.task(json.dumps(what.attributes))
    else:
        # A plain queue is a name and nothing else: it cannot carry attributes.
        document.enqueue(address, action=action, method="POST")
