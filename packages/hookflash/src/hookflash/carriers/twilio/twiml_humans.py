"""How humans are reached and meet the caller, as TwiML. No I/O.

    DialHumans     <Dial action timeout callerId answerOnBridge><Number|Client|Sip ...></Dial>
      an extension ... <Number sendDigits>
      with `wave`  ... url, which is asked about whoever answers; machineDetection
    JoinRoom       <Dial action hangupOnStar><Conference ...>room</Conference></Dial>
    Screen         <Gather numDigits action actionOnEmptyResult><Say></Gather>
    ReferCaller    <Refer action><Sip></Refer>

Rules of rooms: two rooms of one name would be one room, so that the name holds the caller's call
and the wave; the room is over when the human leaves it; no beep, and a small jitter buffer, for
the default one adds up to a second. Only the first participant's status callback counts, so that
both give the same one. `*` takes a leg out of its room, and its action is asked for what is next.

Sources: twilio.com/docs/voice/twiml and its pages on dial, number, client, sip, conference,
gather, refer.
"""

from __future__ import annotations

import re

from twilio.twiml.voice_response import Dial, VoiceResponse

from hookflash.carriers.twilio.parties import Parties
from hookflash.carriers.twilio.urls import Urls
from hookflash.carriers.twilio.voices import Voices
from hookflash.core.commands import DialHumans, JoinRoom, ReferCaller, Screen
from hookflash.core.handoff_plan import Target
from hookflash.errors import ConfigError

MAX_TARGETS = 10

KEY_SECONDS = 6
"""How long a human has for a key after the question was asked."""

_LEG_EVENTS = "initiated ringing answered completed"
_ROOM_EVENTS = "start end join leave"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def dial(document: VoiceResponse, what: DialHumans, urls: Urls, parties: Parties) -> None:
    if not 1 <= len(what.targets) <= MAX_TARGETS:
        raise ConfigError(
            f"<Dial>: expected 1 to {MAX_TARGETS} targets, got {len(what.targets)}; hunt instead"
        )
    # answerOnBridge lets a caller whose call is still unanswered (no model could be had) hear
    # real ringing; on an answered call it changes nothing.
    dialling = document.dial(
        action=urls.dial(what.step),
        method="POST",
        timeout=what.ring_seconds,
        caller_id=parties.shown_to_all(what.caller_id, {each.kind for each in what.targets}),
        answer_on_bridge=True,
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


def join_room(document: VoiceResponse, what: JoinRoom, urls: Urls) -> None:
    if what.leg is None:
        action = urls.room(what.step)
    else:
        action = urls.human(what.room, what.wave, what.leg, "left")
    dialling = document.dial(
        action=action,
        method="POST",
        # The caller's own keys are theirs: only a human may leave by one.
        hangup_on_star=None if what.leg is None else True,
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
    """Return the name of a room: no number is in it, and it needs no escaping in a URL."""
    return f"hookflash-{_NOT_IN_A_NAME.sub('_', call_sid)[:64]}-{wave}"


def screen(
    document: VoiceResponse, what: Screen, urls: Urls, parties: Parties, voices: Voices
) -> None:
    # An empty result is asked about too: a mailbox never presses a key.
    gather = document.gather(
        action=urls.human(parties.call_sid, what.wave, what.leg, what.point),
        method="POST",
        num_digits=1,
        finish_on_key="",
        action_on_empty_result=True,
        timeout=KEY_SECONDS,
    )
    voices.say(gather, what.text, what.language)


def refer(document: VoiceResponse, what: ReferCaller, urls: Urls) -> None:
    if what.target.kind != "sip":
        raise ConfigError(f"<Refer>: expected a SIP address, got a target of {what.target.kind!r}")
    document.refer(action=urls.refer(what.step), method="POST").sip(what.target.address)
