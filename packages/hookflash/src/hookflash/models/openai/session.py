"""The state machine of one Realtime session: messages in, events out; commands in, messages out.

No I/O: the shell (`link`) calls the methods and sends what `frames()` returns.

    CONNECTING --opened--> CONFIGURING --session.updated, in mu-law--> READY
        |                       |                                        |
        +-----------------------+------- close, or ModelLost ------------+--> CLOSING
        |                       |                                        |       |
        +-----------------------+------- disconnected -------------------+-------+--> CLOSED

Rules:

* CONNECTING sends nothing, CONFIGURING only the session.update. Commands are queued in order, and
  the newest `backlog_seconds` of the caller's audio. READY sends the history, the commands and then
  the audio, so a requested greeting comes before an answer to the audio.
* `ModelReady` is posted once, and only if the effective formats are mu-law both ways. `ModelLost`
  is posted at most once, and nothing after it. Nothing is posted after `close`.
* Only one response at a time speaks to the caller: out-of-band responses are dropped with all their
  messages.
* A tool call counts once its item is complete, because an interrupted one has incomplete arguments.
  It is reported once, from `response.output_item.done` or `response.done`.
* Nothing that a server sends raises.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from enum import Enum

import msgspec

from hookflash.core import commands, events
from hookflash.core.audio import BYTES_PER_MS, payload_size
from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent
from hookflash.core.setup import ModelSetup
from hookflash.errors import IllegalTransition
from hookflash.models.openai import error_mapping, messages
from hookflash.models.openai.messages import ClientMessage, ServerMessage
from hookflash.models.openai.options import PCMU, RealtimeOptions, options_for, session_config
from hookflash.models.openai.usage import tokens_used

logger = logging.getLogger("hookflash.model")

_MU_LAW = (PCMU, "g711_ulaw")
"""The required format, by its GA and beta names."""

_REMEMBERED = 256
"""How many ids of a kind are remembered: far more than a call has."""

ModelCommand = (
    commands.SendCallerAudio
    | commands.CommitCallerAudio
    | commands.RequestResponse
    | commands.CancelResponse
    | commands.TruncateItem
    | commands.DeleteItem
    | commands.AddMessage
    | commands.SendToolOutput
)
"""The commands that are addressed to a model."""


_REQUEST = "request"
"""The key of the request id in a request's metadata, which its response repeats."""

_RATE_LIMITED = ("rate_limit_exceeded", "429")
"""The code of a rate limit: the API's, and the HTTP status that proxies write instead."""

_TRY_AGAIN = re.compile(r"try again in ([0-9]+(?:\.[0-9]+)?)\s*(ms|s)\b", re.IGNORECASE)


class SessionState(Enum):
    CONNECTING = "connecting"
    CONFIGURING = "configuring"
    READY = "ready"
    CLOSING = "closing"
    CLOSED = "closed"


class Backlog:
    """Queued until the session is ready: commands in order, and a bounded amount of caller
    audio."""

    def __init__(self, seconds: float) -> None:
        self._room = int(seconds * 1000 * BYTES_PER_MS)
        self._size = 0
        self._audio: deque[commands.SendCallerAudio] = deque()
        self._commands: list[ModelCommand] = []

    def add(self, command: ModelCommand) -> None:
        if not isinstance(command, commands.SendCallerAudio):
            self._commands.append(command)
            return
        self._audio.append(command)
        self._size += command.size
        while self._audio and self._size > self._room:
            self._size -= self._audio.popleft().size

    def drain(self) -> list[ModelCommand]:
        """Return and remove everything, commands before audio."""
        waiting = [*self._commands, *self._audio]
        self._commands.clear()
        self._audio.clear()
        self._size = 0
        return waiting


class SeenIds:
    """A bounded set of ids; the newest are retained."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, name: str) -> bool:
        """Add `name`. Return whether it was new."""
        if name in self._ids:
            return False
        if len(self._ids) >= _REMEMBERED:
            del self._ids[next(iter(self._ids))]
        self._ids[name] = None
        return True

    def __contains__(self, name: str) -> bool:
        return name in self._ids


class RealtimeSession:
    """One session; see the diagram above."""

    def __init__(self, setup: ModelSetup, options: RealtimeOptions) -> None:
        self.state = SessionState.CONNECTING
        self.takes_sound = False
        """Whether a frame of the caller's audio may be sent without `carry_out`."""
        self.session_id = ""
        self._setup = setup
        self._options = options = options_for(setup, options)
        self._logged_types = options.log_event_types
        self._backlog = Backlog(options.backlog_seconds)
        self._frames: list[bytes] = []
        self._out_of_band = SeenIds()
        self._reported_calls = SeenIds()
        self._unknown = SeenIds()

    # --- called by the shell ------------------------------------------------------------------

    def opened(self) -> None:
        """Configure the session: the socket is open."""
        if self.state is SessionState.CLOSING:
            return
        self._expect(SessionState.CONNECTING, "opened")
        self._enter(SessionState.CONFIGURING)
        self._send(messages.SessionUpdate(session_config(self._setup, self._options)))

    def receive(self, data: bytes) -> list[AnyEvent]:
        """Take one message of the model. Return the events it causes."""
        return self.read(messages.decode(data))

    def read(self, message: ServerMessage) -> list[AnyEvent]:
        """Take one decoded message of the model. Return the events it causes."""
        if self.state is SessionState.CLOSING or self.state is SessionState.CLOSED:
            return []
        if self._logged_types:
            self._log_message("<", message)
        if isinstance(message, messages.AudioDelta):
            audio = self.audio(message)
            return [] if audio is None else [audio]
        found = self._read(message)
        if found and isinstance(found[-1], events.ModelLost):
            self._enter(SessionState.CLOSING)
        return found

    def lost(self, fault: events.ModelLost) -> list[AnyEvent]:
        """End the session for the reason in `fault`. Return the event, once."""
        if self.state is SessionState.CLOSING or self.state is SessionState.CLOSED:
            return []
        self._enter(SessionState.CLOSING)
        return [fault]

    def disconnected(self, code: int = 1006, reason: str = "") -> list[AnyEvent]:
        """Handle the end of the socket, with WebSocket's close `code` (1006: without a close)."""
        found = self.lost(error_mapping.on_close(code, reason))
        self._enter(SessionState.CLOSED)
        return found

    # --- called by the call -------------------------------------------------------------------

    def close(self) -> None:
        """End the session: it is no longer needed."""
        if self.state is not SessionState.CLOSED:
            self._enter(SessionState.CLOSING)

    def carry_out(self, command: AnyCommand) -> None:
        """Send a command to the model, or queue it until the session is ready. Ignored after the
        end.

        Raises `IllegalTransition` for a command that is not addressed to a model.
        """
        if not isinstance(command, ModelCommand):
            raise IllegalTransition(self.state.value, type(command).__name__)
        if self.state is SessionState.READY:
            self._send(self._translate(command))
        elif self.state is SessionState.CONNECTING or self.state is SessionState.CONFIGURING:
            self._backlog.add(command)

    def frames(self) -> list[bytes]:
        """Return the messages to send, in order, and clear the list."""
        frames, self._frames = self._frames, []
        return frames

    # --- out ----------------------------------------------------------------------------------

    def _send(self, message: ClientMessage) -> None:
        if self._logged_types:
            self._log_message(">", message)
        self._frames.append(messages.encode(message))

    def _translate(self, command: ModelCommand) -> ClientMessage:
        match command:
            case commands.SendCallerAudio():
                return messages.AudioAppend(command.payload)
            case commands.CommitCallerAudio():
                return messages.AudioCommit()
            case commands.RequestResponse():
                return self._response(command)
            case commands.CancelResponse():
                return messages.ResponseCancel(command.response_id)
            case commands.TruncateItem():
                return messages.ItemTruncate(command.item_id, command.audio_end_ms)
            case commands.DeleteItem():
                return messages.ItemDelete(command.item_id)
            case commands.AddMessage():
                line = command.message
                return messages.ItemCreate(messages.message_item(line.role, line.text))
        return messages.ItemCreate(messages.tool_output_item(command.call_id, command.output))

    def _response(self, command: commands.RequestResponse) -> messages.ResponseCreate:
        """Return the request. `response.instructions` replace the session's, so they are repeated.

        The additional instructions come last, where a model follows them best.
        """
        response: dict[str, object] = {}
        if command.instructions is not None:
            both = (self._setup.instructions, command.instructions)
            response["instructions"] = "\n\n".join(text for text in both if text)
        if command.tools in ("none", "required"):
            response["tool_choice"] = command.tools
        elif command.tools != "auto":
            response["tool_choice"] = {"type": "function", "name": command.tools}
        if not command.request_id:
            return messages.ResponseCreate(response)
        response["metadata"] = {_REQUEST: command.request_id}
        return messages.ResponseCreate(response, command.request_id)

    # --- in -----------------------------------------------------------------------------------

    def _read(self, message: ServerMessage) -> list[AnyEvent]:
        match message:
            case messages.TranscriptDelta():
                return self._in_turn(
                    message.response_id, events.AgentTranscribed(message.item_id, message.delta)
                )
            case messages.AudioDone():
                return self._in_turn(
                    message.response_id,
                    events.ModelAudioEnded(message.response_id, message.item_id),
                )
            case messages.SpeechStarted():
                return [events.CallerSpeechStarted(message.item_id)]
            case messages.SpeechStopped():
                return [events.CallerSpeechStopped(message.item_id)]
            case messages.InputTranscribed():
                return [events.CallerTranscribed(message.item_id, message.transcript.strip())]
            case messages.ResponseCreated():
                return self._response_created(message.response)
            case messages.OutputItemDone():
                return self._tool_call(message.item, message.response_id, sure=False)
            case messages.ResponseDone():
                return self._response_done(message.response)
            case messages.SessionCreated():
                self.session_id = message.session.id or ""
                return []
            case messages.SessionUpdated():
                return self._updated(message.session)
            case messages.ErrorRaised():
                return self._error(message.error)
            case messages.InputTranscriptionFailed():
                code = message.error.code or message.error.type or "unknown"
                text = message.error.message or "the caller's words could not be transcribed"
                return [events.ModelRefused(f"transcription_failed:{code}", text[:300], True)]
            case messages.Malformed():
                if self._unknown.add(f"malformed {message.type[:80]}"):
                    logger.warning(
                        "! unreadable message %.80r: %.200s", message.type, message.reason
                    )
                return []
            case messages.Unknown():
                if self._unknown.add(message.type[:80]):
                    logger.info("< unknown event %.80r: ignored", message.type)
                return []
            case messages.Ignored("mcp_list_tools.failed" | "response.mcp_call.failed" as failed):
                if self._unknown.add(failed):
                    logger.warning(
                        "! %s: the model's service cannot use a server of"
                        " agent.mcp(run_by='model'); check its URL, headers and allowed_tools",
                        failed,
                    )
                return []
            case _:
                return []

    def audio(self, message: messages.AudioDelta) -> events.ModelAudio | None:
        """Return the event for a delta of the agent's audio; None if the caller must not hear it.

        It is the most frequent message of the model, and never ends a session.
        """
        delta, response_id = message.delta, message.response_id
        size = payload_size(delta)
        if size <= 0 or len(delta) % 4 or not delta.isascii() or response_id in self._out_of_band:
            return self._unpadded_audio(message)
        return events.ModelAudio(response_id, message.item_id, delta, size)

    def _unpadded_audio(self, message: messages.AudioDelta) -> events.ModelAudio | None:
        """Return audio with the padding that its base64 lacks: the carrier may require it."""
        missing = -len(message.delta) % 4
        if missing not in (1, 2) or "=" in message.delta:
            return None
        padded = message.delta + "=" * missing
        return self.audio(msgspec.structs.replace(message, delta=padded))

    def _in_turn(self, response_id: str, event: AnyEvent) -> list[AnyEvent]:
        return [] if response_id in self._out_of_band else [event]

    def _updated(self, session: messages.SessionView) -> list[AnyEvent]:
        self.session_id = session.id or self.session_id
        heard, spoken = _format(session, "input"), _format(session, "output")
        if heard not in _MU_LAW or spoken not in _MU_LAW:
            text = (
                f"the model's session would take {heard or 'an unnamed format'} and speak"
                f" {spoken or 'an unnamed format'}, where telephone audio is {PCMU} both ways:"
                " the call is not bridged to it, since the caller would hear noise; choose a"
                " model and a URL that speak mu-law"
            )
            return [events.ModelLost(text, remedy="none")]
        if self.state is not SessionState.CONFIGURING:
            return []
        self._enter(SessionState.READY)
        for line in self._setup.history:
            self._send(messages.ItemCreate(messages.message_item(line.role, line.text)))
        for command in self._backlog.drain():
            self._send(self._translate(command))
        return [events.ModelReady(self.session_id)]

    def _error(self, error: messages.ErrorView) -> list[AnyEvent]:
        if self.state is SessionState.READY:
            return [error_mapping.on_error(error)]
        return [error_mapping.on_error_while_configuring(error)]

    def _response_created(self, response: messages.Response) -> list[AnyEvent]:
        if _is_out_of_band(response):
            self._out_of_band.add(response.id)
            return []
        return [events.ResponseStarted(response.id, _request_id(response))]

    def _response_done(self, response: messages.Response) -> list[AnyEvent]:
        found: list[AnyEvent] = tokens_used(response.usage)
        if response.id in self._out_of_band or _is_out_of_band(response):
            return found
        for item in response.output or ():
            found += self._tool_call(item, response.id, sure=response.status == "completed")
        found.append(_ended(response))
        return found

    def _tool_call(self, item: messages.Item, response_id: str, *, sure: bool) -> list[AnyEvent]:
        """Return the event for a tool call. `sure`: the response is complete, so its items are
        too."""
        whole = item.status == "completed" or (item.status is None and sure)
        if item.type != "function_call" or not whole or response_id in self._out_of_band:
            return []
        if not item.call_id or not item.name or not self._reported_calls.add(item.call_id):
            return []
        arguments = item.arguments or "{}"
        return [events.ToolCallRequested(item.call_id, item.name, arguments, response_id)]

    # --- helpers ------------------------------------------------------------------------------

    def _enter(self, state: SessionState) -> None:
        self.state = state
        self.takes_sound = state is SessionState.READY and not self._logged_types

    def _expect(self, state: SessionState, event: str) -> None:
        if self.state is not state:
            raise IllegalTransition(self.state.value, event)

    def _log_message(self, glyph: str, message: ServerMessage | ClientMessage) -> None:
        kind = messages.type_of(message)
        if kind in self._logged_types:
            logger.info("%s %s %s", self.session_id or "-", glyph, kind)


def _format(session: messages.SessionView, side: str) -> str | None:
    """Return the effective audio format of a side, in the GA or beta shape."""
    audio = session.audio
    half = getattr(audio, side) if audio is not None else None
    audio_format = half.format if half is not None else None
    if isinstance(audio_format, messages.Format):
        return audio_format.type
    beta = session.input_audio_format if side == "input" else session.output_audio_format
    return audio_format or beta


def _request_id(response: messages.Response) -> str:
    """Return the request id of a response; "" for the model's own responses."""
    metadata = response.metadata
    request_id = metadata.get(_REQUEST) if isinstance(metadata, dict) else None
    return request_id if isinstance(request_id, str) else ""


def _is_out_of_band(response: messages.Response) -> bool:
    """Return whether a response was requested outside of the conversation, by somebody else.

    Its `conversation_id` is null, and its metadata says who requested it. Some proxies write null
    for every response. So a response belongs to the conversation if it has no metadata, or the
    metadata of a request of this session.
    """
    metadata = response.metadata
    return response.conversation_id is None and bool(metadata) and not _request_id(response)


def _retry_seconds(error: messages.ErrorView) -> float:
    """Return the delay that a rate limit's text asks for."""
    if error.code not in _RATE_LIMITED:
        return 0.0
    found = _TRY_AGAIN.search(error.message or "")
    if found is None:
        return 0.0
    return float(found[1]) / (1000 if found[2].lower() == "ms" else 1)


def _ended(response: messages.Response) -> events.ResponseEnded:
    """Return how a response ended. The reason is a stable code wherever the API gives one."""
    details = response.status_details or messages.StatusDetails()
    error = details.error or messages.ErrorView()
    reason = error.code or details.reason or error.type or error.message or ""
    if reason.isdecimal() and error.message:
        # A proxy's code is an HTTP status, which many errors share.
        reason = f"{reason}: {error.message}"
    match response.status:
        case "completed" | "cancelled" | "failed" | "incomplete" as status:
            return events.ResponseEnded(response.id, status, reason[:300], _retry_seconds(error))
        case None:
            return events.ResponseEnded(response.id, "completed", reason[:300])
        case other:
            return events.ResponseEnded(response.id, "failed", reason[:300] or other[:80])
