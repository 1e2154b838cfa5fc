"""The messages of Twilio's bidirectional media socket. No I/O.

Reading is tolerant: unknown events and fields, any payload length, numbers as text or numbers, a
missing stream SID, null instead of a missing field, base64 without its padding. Writing is strict:
exactly the documented fields, because Twilio reports a missing or extra one as error 31951. Audio
stays the base64 text in which it arrived. It is validated, so that invalid data never reaches the
model, and padded if its padding is missing.

Source: twilio.com/docs/voice/media-streams/websocket-messages.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Annotated, Any

import msgspec

from hookflash.core.events import CallerAudio, DigitPressed, MarkReturned, StreamStopped
from hookflash.core.visible_text import visible
from hookflash.errors import CarrierProtocolError

MULAW = "audio/x-mulaw"
_DIGITS = frozenset("0123456789ABCD*#")
_SHOWN = 40
"""How many characters of foreign text an error or log line may quote."""


class _Message(msgspec.Struct, frozen=True, tag_field="event", rename="camel"):
    pass


class Connected(_Message, frozen=True, tag="connected"):
    """The first message of a socket. It has no stream SID."""

    protocol: str = ""
    version: str = ""


class MediaFormat(msgspec.Struct, frozen=True, rename="camel"):
    """Documented as always mu-law, 8 kHz, one channel."""

    encoding: str = MULAW
    sample_rate: int = 8000
    channels: int = 1


class StartDetails(msgspec.Struct, frozen=True, rename="camel"):
    call_sid: str
    stream_sid: str = ""
    account_sid: str = ""
    media_format: MediaFormat = MediaFormat()
    custom_parameters: dict[str, Any] = {}


class Start(_Message, frozen=True, tag="start"):
    """The stream is open: its SIDs, and the parameters of the `<Stream>`."""

    start: StartDetails
    stream_sid: str = ""

    def sid(self) -> str:
        """Return the stream's SID, which is in two places."""
        return self.stream_sid or self.start.stream_sid

    def checked_sid(self) -> str:
        """Return the stream's SID.

        Raises `CarrierProtocolError` if there is none, or if the audio format is not the phone's.
        """
        form = self.start.media_format
        if (form.encoding, form.sample_rate, form.channels) != (MULAW, 8000, 1) or not self.sid():
            raise CarrierProtocolError(
                f"media socket: expected a stream SID and {MULAW}, 8000 Hz, one channel"
            )
        return self.sid()

    def parameter(self, name: str) -> str:
        """Return a `<Parameter>` of the TwiML, or ""."""
        value = self.start.custom_parameters.get(name, "")
        return value if isinstance(value, str) else ""


class MediaDetails(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """`payload` is base64 of raw mu-law; `timestamp` is ms since the stream began."""

    payload: str
    timestamp: Annotated[int, msgspec.Meta(ge=0, le=2**53)] = 0
    track: str = "inbound"


class Media(_Message, frozen=True, gc=False, tag="media"):
    """Audio from the caller, usually 20 ms."""

    media: MediaDetails
    stream_sid: str = ""


class MarkDetails(msgspec.Struct, frozen=True, gc=False):
    name: str


class Mark(_Message, frozen=True, gc=False, tag="mark"):
    """A mark was reached, or cleared."""

    mark: MarkDetails
    stream_sid: str = ""


class DtmfDetails(msgspec.Struct, frozen=True):
    digit: str | int


class Dtmf(_Message, frozen=True, tag="dtmf"):
    """The caller pressed a key."""

    dtmf: DtmfDetails
    stream_sid: str = ""


class Stop(_Message, frozen=True, tag="stop"):
    """The last message: the call has ended or got other instructions."""

    stream_sid: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """An event that this version does not know. It is not an error."""

    event: str
    stream_sid: str = ""


Message = Connected | Start | Media | Mark | Dtmf | Stop | Unknown
CallerEvent = CallerAudio | MarkReturned | DigitPressed | StreamStopped

_KNOWN = frozenset({"connected", "start", "media", "mark", "dtmf", "stop"})


class _Named(msgspec.Struct, frozen=True, rename="camel"):
    event: str
    stream_sid: str = ""


_Documented = Connected | Start | Media | Mark | Dtmf | Stop
_decoder = msgspec.json.Decoder(_Documented, strict=False)
_named_decoder = msgspec.json.Decoder(_Named)


_decode = _decoder.decode


def decode(text: str | bytes) -> Message:
    """Read one text frame. Raises `CarrierProtocolError` if it is not a message."""
    try:
        message: Message = _decode(text)
        return message
    except (ValueError, RecursionError) as error:
        # A tagged union refuses an unknown tag: only then read the event's name.
        problem: Exception = error
    if (tolerated := _decode_with_nulls(text)) is not None:
        return tolerated
    try:
        named = _named_decoder.decode(text)
    except (ValueError, RecursionError):
        named = None
    if named is None or named.event in _KNOWN:
        raise CarrierProtocolError(
            "media socket: expected a JSON object with a known `event` and its documented fields,"
            f" got {len(text)} characters that say {str(problem)[:120]!r}"
        ) from None
    return Unknown(visible(named.event, _SHOWN), visible(named.stream_sid, _SHOWN))


def _decode_with_nulls(text: str | bytes) -> Message | None:
    """Read a message in which fields are null instead of missing; None if it has other faults.

    It is slower than `_decode`, and only used for messages that `_decode` does not accept.
    """
    if (b"null" if isinstance(text, bytes) else "null") not in text:  # type: ignore[operator]
        return None
    try:
        value = _without_nulls(msgspec.json.decode(text))
        message: Message = msgspec.convert(value, _Documented, strict=False)
    except (ValueError, RecursionError):
        return None
    return message


def _without_nulls(value: Any) -> Any:
    """Return a JSON value without the members of objects that are null."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return value


def to_sound(message: Media) -> CallerAudio | None:
    """Return the caller's audio; None for an empty payload or another track.

    Raises `CarrierProtocolError` for a payload that is not base64.
    """
    return any_sound(message) if message.media.track.startswith("inbound") else None


def any_sound(message: Media) -> CallerAudio | None:
    """Return the audio of either track; None for an empty payload.

    Raises `CarrierProtocolError` for a payload that is not base64.
    """
    media = message.media
    payload = media.payload
    if not payload:
        return None
    try:
        # Decoding in C is the cheapest strict check of base64, and it also gives the size.
        size = len(a2b_base64(payload, strict_mode=True))
    except ValueError as error:
        return _padded_sound(media, error)
    return CallerAudio(payload, size, media.timestamp)


def _padded_sound(media: MediaDetails, error: ValueError) -> CallerAudio:
    """Return audio with the padding that its base64 lacks: a model's decoder may require it.

    `error` says why the payload was not accepted. Raises `CarrierProtocolError` if padding does not
    help.
    """
    payload = media.payload
    if "=" not in payload:
        payload += "=" * (-len(payload) % 4)
    try:
        size = len(a2b_base64(payload, strict_mode=True))
    except ValueError:
        raise CarrierProtocolError(
            f"media socket: expected a payload in base64, got {error}"
        ) from None
    return CallerAudio(payload, size, media.timestamp)


_MEDIA, _INBOUND, _PAYLOAD = b'{"event":"media",', b'"track":"inbound"', b'"payload":"'


class SoundFinder:
    """Finds the payload in the media messages of one stream by their bytes.

    That costs a tenth of decoding them. Messages with blanks or escapes are not recognised.
    """

    __slots__ = ("_end", "_sid")

    def __init__(self, stream_sid: str) -> None:
        self._sid = b'"streamSid":' + msgspec.json.encode(stream_sid)
        self._end = b'"},' + self._sid + b"}"

    def find(self, text: bytes) -> bytes:
        """Return what should be the base64 of the caller's audio, or b"" for any other message."""
        if not text.startswith(_MEDIA):
            return b""
        at = text.find(_PAYLOAD) + len(_PAYLOAD)
        if at < len(_PAYLOAD):
            return b""
        if text.endswith(self._end) and text.find(_INBOUND, 0, at) > 0:
            return text[at : -len(self._end)]
        if text.endswith(b'"}}') and text.find(self._sid, 0, at) > 0:
            return text[at:-3] if text.find(_INBOUND, 0, at) > 0 else b""
        return b""


def to_event(message: Media | Mark | Dtmf | Stop) -> CallerEvent | None:
    """Return the core's event for a message, or None.

    Raises `CarrierProtocolError` for a payload that is not base64, or a digit that no phone has.
    """
    match message:
        case Media():
            return to_sound(message)
        case Mark(mark=mark):
            return MarkReturned(mark.name)
        case Dtmf(dtmf=dtmf):
            digit = str(dtmf.digit).upper()
            if digit not in _DIGITS:
                raise CarrierProtocolError(
                    "media socket: expected a digit 0-9, A-D, * or #,"
                    f" got another text of {len(digit)} characters"
                )
            return DigitPressed(digit)
    return StreamStopped(message.stream_sid, "stop")


class Frames:
    """Writes the messages of one stream; everything but the payload or name is prepared once.

    `media` takes base64 of raw mu-law as it came from the model and passes it through.
    """

    __slots__ = ("_clear", "_mark", "_media")

    def __init__(self, stream_sid: str) -> None:
        sid = msgspec.json.encode(stream_sid).decode()
        self._media = f'{{"event":"media","streamSid":{sid},"media":{{"payload":"'
        self._mark = f'{{"event":"mark","streamSid":{sid},"mark":{{"name":'
        self._clear = f'{{"event":"clear","streamSid":{sid}}}'

    def media(self, payload: str) -> str:
        return self._media + payload + '"}}'

    def mark(self, name: str) -> str:
        return self._mark + msgspec.json.encode(name).decode() + "}}"

    def clear(self) -> str:
        return self._clear
