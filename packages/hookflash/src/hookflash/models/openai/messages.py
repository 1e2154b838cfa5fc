"""The codec of OpenAI Realtime messages: bytes in, values out, and back. No I/O.

Rules:
* Only the fields that somebody reads are declared; whatever else a message holds is skipped,
  so a field that is added or changes its type costs nothing.
* Audio stays the base64 text in which it came: it is never decoded here.
* Beta names (`response.audio.delta` ...) are still spoken by clones and proxies of the API; they
  decode to subclasses of the GA messages, so no reader has to know.
* `decode` never raises. What has a type that we do not read comes back as `Ignored` (known to
  us) or `Unknown` (not), what cannot be read at all as `Malformed`.
* Every message that `encode` makes is one of the API's documented client events.
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
    """The session as the server holds it; the two fields of the beta shape come last."""

    id: str | None = None
    audio: SessionAudio | None = None
    input_audio_format: str | None = None
    output_audio_format: str | None = None


class ErrorView(Struct, frozen=True):
    """An error as the API reports it; `code` is what to go by, `type` a coarse class."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: Any = None
    """The message of ours that it is about: a text."""


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
    """A response. `conversation_id` is null for an out-of-band one; clones leave it out. `usage` is
    read by `usage.py`: what cannot be counted must not cost the response."""

    id: str
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    usage: Any = None
    conversation_id: str | UnsetType | None = UNSET
    metadata: Any = None
    """What we gave the request along, echoed; None for the model's own answers."""


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
    """A piece of speech: `delta` is base64 of the session's output format."""

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
    """A message that we know and have no use for."""

    type: str


class Unknown(Struct, frozen=True):
    """A message of a type that we have never heard of, perhaps because it is newer than we."""

    type: str


class Malformed(Struct, frozen=True):
    """Something that cannot be read; `type` is empty if not even that could be found."""

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
"""Server events that we read, by their names of today and of the beta."""

IGNORED = frozenset(
    {
        # Said again, with more detail, by the messages that we read.
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
        # Acknowledgements of what we asked for, or answers to what we never ask.
        "conversation.item.deleted",
        "conversation.item.retrieved",
        "conversation.item.truncated",
        "input_audio_buffer.cleared",
        # The response that follows it is reported like any other.
        "input_audio_buffer.timeout_triggered",
        # Text-only output: we always ask for audio.
        "response.output_text.delta",
        "response.output_text.done",
        "response.text.delta",
        "response.text.done",
        # Only on WebRTC and SIP; here the carrier holds the buffer and reports the keys.
        "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.cleared",
        "output_audio_buffer.started",
        "output_audio_buffer.stopped",
        # MCP tools run on the server and need nothing of ours.
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
"""Server events that are knowingly not acted on, by their names of today and of the beta."""


class _Head(Struct, frozen=True):
    type: str


_decoder: msgspec.json.Decoder[_Mapped] = msgspec.json.Decoder(_Mapped)
_head_decoder = msgspec.json.Decoder(_Head)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def type_of(message: Struct) -> str:
    """Return the `type` that a server or client message has on the wire."""
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
    return Malformed(kind, reason) if kind in MAPPED else Unknown(kind)


# --- client messages --------------------------------------------------------------------------


class SessionUpdate(Struct, frozen=True, tag="session.update"):
    """Changes only the fields that are present; answered by `session.updated` or an error."""

    session: dict[str, Any]


class AudioAppend(Struct, frozen=True, tag="input_audio_buffer.append"):
    """Caller audio, base64 of the session's input format. Not acknowledged."""

    audio: str


class AudioCommit(Struct, frozen=True, tag="input_audio_buffer.commit"):
    """What was heard so far is a turn of the caller's, though the model has not said so."""


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
    """`instructions` in `response` replace the session's for this response. Errors about it name
    `event_id`."""

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


def encode_sound(payload: str) -> bytes:
    """Return `AudioAppend(payload)` as JSON; `payload` is base64, which needs no escaping."""
    return f'{{"type":"input_audio_buffer.append","audio":"{payload}"}}'.encode()


def message_item(role: str, text: str) -> dict[str, Any]:
    """Return a line of the conversation as an item: user and system `input_text`, assistant
    `output_text` (audio of the assistant cannot be given back to the API)."""
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def tool_output_item(call_id: str, output: str) -> dict[str, Any]:
    """Return the answer to a function call as an item; `output` is text, JSON or not."""
    return {"type": "function_call_output", "call_id": call_id, "output": output}
