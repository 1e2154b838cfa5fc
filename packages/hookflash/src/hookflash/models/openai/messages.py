"""The codec of OpenAI Realtime messages: bytes to values, and back. No I/O.

Rules:

* Only fields that are used are declared, so added or changed fields have no effect.
* Audio stays the base64 text in which it arrived: it is never decoded here.
* Clones and proxies of the API still use beta names (`response.audio.delta` ...). They decode to
  subclasses of the GA messages, so readers need not know.
* Proxies write null instead of leaving a field out, and numbers as the `code` of an error. Such a
  message is read all the same, so that the reason of a failure is not lost.
* `decode` never raises. An unused type becomes `Ignored` (known) or `Unknown`, an unreadable
  message `Malformed`.
* Every message from `encode` is a documented client event.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec
from msgspec import UNSET, Struct, UnsetType

# --- parts of server messages -----------------------------------------------------------------


class Format(Struct, frozen=True):
    """An audio format such as `{"type": "audio/pcmu"}`."""

    type: str | None = None


class AudioSide(Struct, frozen=True):
    format: Format | str | None = None


class SessionAudio(Struct, frozen=True):
    input: AudioSide | None = None
    output: AudioSide | None = None


class SessionView(Struct, frozen=True):
    """The server's session; the last two fields are those of the beta shape."""

    id: str | None = None
    audio: SessionAudio | None = None
    input_audio_format: str | None = None
    output_audio_format: str | None = None


class ErrorView(Struct, frozen=True):
    """An error of the API. `code` identifies it, `type` is a coarse class."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: Any = None
    """The id of the sent message that caused it, as text."""


class Item(Struct, frozen=True):
    """An item of the conversation, as far as a function call needs it."""

    type: str | None = None
    status: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class StatusDetails(Struct, frozen=True):
    reason: str | None = None
    error: ErrorView | None = None


class Response(Struct, frozen=True):
    """A response. `conversation_id` is null for an out-of-band one; clones leave it out or write
    null for every response.

    `usage` is decoded in `usage.py`, so that an unknown form does not invalidate the response.
    """

    id: str
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    usage: Any = None
    conversation_id: str | UnsetType | None = UNSET
    metadata: Any = None
    """The metadata that was sent with the request; None for the model's own responses."""


# --- server messages --------------------------------------------------------------------------


class SessionCreated(Struct, frozen=True, tag="session.created"):
    session: SessionView


class SessionUpdated(Struct, frozen=True, tag="session.updated"):
    session: SessionView


class ErrorRaised(Struct, frozen=True, tag="error"):
    error: ErrorView


class ResponseCreated(Struct, frozen=True, tag="response.created"):
    response: Response


class ResponseDone(Struct, frozen=True, tag="response.done"):
    response: Response


class OutputItemDone(Struct, frozen=True, tag="response.output_item.done"):
    item: Item
    response_id: str = ""


class AudioDelta(Struct, frozen=True, gc=False, tag="response.output_audio.delta"):
    """A piece of speech: `delta` is base64 in the session's output format."""

    delta: str
    item_id: str
    response_id: str = ""


class BetaAudioDelta(AudioDelta, frozen=True, gc=False, tag="response.audio.delta"):
    pass


class AudioDone(Struct, frozen=True, tag="response.output_audio.done"):
    item_id: str
    response_id: str = ""


class BetaAudioDone(AudioDone, frozen=True, tag="response.audio.done"):
    pass


class TranscriptDelta(Struct, frozen=True, gc=False, tag="response.output_audio_transcript.delta"):
    delta: str
    item_id: str
    response_id: str = ""


class BetaTranscriptDelta(
    TranscriptDelta, frozen=True, gc=False, tag="response.audio_transcript.delta"
):
    pass


class SpeechStarted(Struct, frozen=True, tag="input_audio_buffer.speech_started"):
    item_id: str


class SpeechStopped(Struct, frozen=True, tag="input_audio_buffer.speech_stopped"):
    item_id: str


class InputTranscribed(
    Struct, frozen=True, tag="conversation.item.input_audio_transcription.completed"
):
    item_id: str
    transcript: str


class InputTranscriptionFailed(
    Struct, frozen=True, tag="conversation.item.input_audio_transcription.failed"
):
    item_id: str
    error: ErrorView


class Ignored(Struct, frozen=True):
    """A known message that is not used."""

    type: str


class Unknown(Struct, frozen=True):
    """A message of an unknown type, perhaps newer than this version."""

    type: str


class Malformed(Struct, frozen=True):
    """An unreadable message; `type` is "" if it could not be read either."""

    type: str
    reason: str


_Mapped = (
    AudioDelta
    | TranscriptDelta
    | AudioDone
    | SessionCreated
    | SessionUpdated
    | ErrorRaised
    | ResponseCreated
    | ResponseDone
    | OutputItemDone
    | BetaAudioDelta
    | BetaTranscriptDelta
    | BetaAudioDone
    | SpeechStarted
    | SpeechStopped
    | InputTranscribed
    | InputTranscriptionFailed
)

ServerMessage = _Mapped | Ignored | Unknown | Malformed

MAPPED = frozenset(str(kind.__struct_config__.tag) for kind in get_args(_Mapped))
"""Server events that are used, by GA and beta names."""

IGNORED = frozenset(
    {
        # Repeated with more detail by messages that are used.
        "conversation.created",
        "conversation.item.added",
        "conversation.item.created",
        "conversation.item.done",
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.segment",
        "input_audio_buffer.committed",
        "response.content_part.added",
        "response.content_part.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_audio_transcript.done",
        "response.audio_transcript.done",
        "response.output_item.added",
        # Acknowledgements of requests, or answers to requests that are never made.
        "conversation.item.deleted",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
        # The response that follows it is reported like any other.
        "input_audio_buffer.timeout_triggered",
        # Text-only output: this client always requests audio.
        "response.output_text.delta",
        "response.output_text.done",
        "response.text.delta",
        "response.text.done",
        # Only on WebRTC and SIP; here the carrier has the buffer and reports the keys.
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.cleared",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        # MCP tools run on the server.
        "mcp_list_tools.completed",
        "mcp_list_tools.failed",
        "mcp_list_tools.in_progress",
        "response.mcp_call.completed",
        "response.mcp_call.failed",
        "response.mcp_call.in_progress",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "rate_limits.updated",
    }
)
"""Server events that are deliberately not used, by GA and beta names."""


class _Head(Struct, frozen=True):
    type: str


_decoder: msgspec.json.Decoder[_Mapped] = msgspec.json.Decoder(_Mapped)
_head_decoder = msgspec.json.Decoder(_Head)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def type_of(message: Struct) -> str:
    """Return the `type` of a server or client message on the wire."""
    tag = message.__struct_config__.tag
    return tag if isinstance(tag, str) else str(getattr(message, "type", ""))


_decode = _decoder.decode


def decode(data: bytes) -> ServerMessage:
    """Read one server message; never raises."""
    try:
        return _decode(data)
    except _UNREADABLE as fault:
        reason = str(fault)
    try:
        kind = _head_decoder.decode(data).type
    except _UNREADABLE as fault:
        return Malformed("", str(fault))
    if kind in IGNORED:
        return Ignored(kind)
    if kind not in MAPPED:
        return Unknown(kind)
    try:
        message: _Mapped = msgspec.convert(_as_documented(msgspec.json.decode(data)), _Mapped)
    except _UNREADABLE:
        return Malformed(kind, reason)
    return message


def _as_documented(value: Any) -> Any:
    """Return a message of a proxy as the API would write it: without nulls, and with error texts.

    A `conversation_id` may be null, because that has a meaning.
    """
    if isinstance(value, list):
        return [_as_documented(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _error(each) if name == "error" else _as_documented(each)
        for name, each in value.items()
        if each is not None or name == "conversation_id"
    }


def _error(value: Any) -> dict[str, str]:
    """Return an error as an object with texts. If it is no object, it becomes the `message`."""
    members = value if isinstance(value, dict) else {"message": value}
    return {
        name: each if isinstance(each, str) else msgspec.json.encode(each).decode()
        for name, each in members.items()
        if each is not None
    }


# --- client messages --------------------------------------------------------------------------


class SessionUpdate(Struct, frozen=True, tag="session.update"):
    """Changes only the fields that are present; answered by `session.updated` or an error."""

    session: dict[str, Any]


class AudioAppend(Struct, frozen=True, tag="input_audio_buffer.append"):
    """Caller audio, base64 of the session's input format. Not acknowledged."""

    audio: str


class AudioCommit(Struct, frozen=True, tag="input_audio_buffer.commit"):
    """End the caller's turn with the audio so far, although the model did not detect its end."""


class ItemCreate(Struct, frozen=True, tag="conversation.item.create"):
    item: dict[str, Any]


class ItemTruncate(Struct, frozen=True, tag="conversation.item.truncate"):
    """Only for assistant messages; `content_index` is always 0 for speech."""

    item_id: str
    audio_end_ms: int
    content_index: int = 0


class ItemDelete(Struct, frozen=True, tag="conversation.item.delete"):
    item_id: str


class ResponseCreate(Struct, frozen=True, tag="response.create"):
    """`instructions` in `response` replace the session's. Errors about it name `event_id`."""

    response: dict[str, Any]
    event_id: str | UnsetType = UNSET


class ResponseCancel(Struct, frozen=True, tag="response.cancel"):
    response_id: str


ClientMessage = (
    SessionUpdate
    | AudioAppend
    | AudioCommit
    | ItemCreate
    | ItemTruncate
    | ItemDelete
    | ResponseCreate
    | ResponseCancel
)

_encoder = msgspec.json.Encoder()


def encode(message: ClientMessage) -> bytes:
    """Return the JSON text of a client message, as UTF-8."""
    return _encoder.encode(message)


SOUND_HEAD, SOUND_END = encode(AudioAppend("|")).split(b"|")
"""The JSON before and after the base64 of `AudioAppend`. Base64 needs no escaping."""


def message_item(role: str, text: str) -> dict[str, Any]:
    """Return a line of the conversation as an item: user and system `input_text`, assistant
    `output_text` (the API does not accept the assistant's audio)."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def tool_output_item(call_id: str, output: str) -> dict[str, Any]:
    """Return the answer to a function call as an item; `output` is text, JSON or not."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}
