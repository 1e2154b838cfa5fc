"""The machine of one Realtime session: messages in, events out; commands in, messages out.

No I/O: the shell (`link`) calls the methods and sends what `frames()` returns.

    CONNECTING --opened--> CONFIGURING --session.updated, in mu-law--> READY
        |                       |                                        |
        +-----------------------+------- close, or ModelLost ------------+--> CLOSING
        |                       |                                        |       |
        +-----------------------+------- disconnected -------------------+-------+--> CLOSED

Rules:
* CONNECTING sends nothing, CONFIGURING only the session.update. Commands are kept, in order;
  of the caller's audio the newest `backlog_seconds` are. READY sends the history, the commands
  and then the audio, so a greeting that was asked for comes before an answer to the audio.
* `ModelReady` comes once, and only if the effective formats are mu-law both ways. `ModelLost`
  comes at most once, and nothing after it; nothing at all comes after `close`.
* Only one response at a time speaks to the caller: responses outside the conversation are
  dropped with all that belongs to them.
* A tool call counts once its item is complete: one that was interrupted has cut-off arguments.
  It is reported once, whether `response.output_item.done` brings it or `response.done`.
* Nothing that a server sends raises.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from enum import Enum

from hookflash.core import commands, events
from hookflash.core.audio import BYTES_PER_MS, payload_size
from hookflash.core.commands import AnyCommand
from hookflash.core.events import AnyEvent
from hookflash.core.setup import ModelSetup
from hookflash.errors import IllegalTransition
from hookflash.models.openai import faults, messages
from hookflash.models.openai.messages import ClientMessage, ServerMessage
from hookflash.models.openai.options import PCMU, RealtimeOptions, session_config
from hookflash.models.openai.usage import tokens_used

logger = logging.getLogger("hookflash.model")

_MU_LAW = (PCMU, "g711_ulaw")
"""The format that we need, by its name of today and of the beta."""

_REMEMBERED = 256
"""How many ids of a kind are remembered: far more than a call has, far less than memory."""

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
"""The key of our id in a request's metadata, which comes back with its response."""

_TRY_AGAIN = re.compile(r"try again in ([0-9]+(?:\.[0-9]+)?)\s*(ms|s)\b", re.IGNORECASE)


class State(Enum):
    CONNECTING = "connecting"
    CONFIGURING = "configuring"
    READY = "ready"
    CLOSING = "closing"
    CLOSED = "closed"


class Backlog:
    """What waits for the session to be ready: commands in order, and bounded caller audio."""

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
        """Return all that waits, commands before audio, and forget it."""
        waiting = [*self._commands, *self._audio]
        self._commands.clear()
        self._audio.clear()
        self._size = 0
        return waiting


class Ids:
    """A bounded set of ids, the newest kept."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, name: str) -> bool:
        """Remember `name`; return whether it was unknown."""
        if name in self._ids:
            return False
        if len(self._ids) >= _REMEMBERED:
            del self._ids[next(iter(self._ids))]
        self._ids[name] = None
        return True

    def __contains__(self, name: str) -> bool:
        return name in self._ids


class RealtimeSession:
    """One session, from the first byte to the last; see the drawing above."""

    def __init__(self, setup: ModelSetup, options: RealtimeOptions) -> None:
        self.state = State.CONNECTING
        self.session_id = ""
        self._setup = setup
        self._options = options
        self._noted = options.log_event_types
        self._backlog = Backlog(options.backlog_seconds)
        self._frames: list[bytes] = []
        self._aside = Ids()
        self._called = Ids()
        self._unknown = Ids()

    # --- what the shell reports ---------------------------------------------------------------

    def opened(self) -> None:
        """The socket is open: configure the session."""
        if self.state is State.CLOSING:
            return
        self._expect(State.CONNECTING, "opened")
        self.state = State.CONFIGURING
        self._send(messages.SessionUpdate(session_config(self._setup, self._options)))

    def receive(self, data: bytes) -> list[AnyEvent]:
        """Take one message from the model; return what it means."""
        if self.state is State.CLOSING or self.state is State.CLOSED:
            return []
        message = messages.decode(data)
        if self._noted:
            self._note("<", message)
        if type(message) is messages.AudioDelta:
            # Most of what comes by far, and it ends no session.
            return self._audio(message)
        found = self._read(message)
        if found and isinstance(found[-1], events.ModelLost):
            self.state = State.CLOSING
        return found

    def lost(self, fault: events.ModelLost) -> list[AnyEvent]:
        """The shell cannot go on, for the reason in `fault`: report it, once."""
        if self.state is State.CLOSING or self.state is State.CLOSED:
            return []
        self.state = State.CLOSING
        return [fault]

    def disconnected(self, code: int = 1006, reason: str = "") -> list[AnyEvent]:
        """The socket is gone, with WebSocket's close `code` (1006: without a close)."""
        found = self.lost(faults.on_close(code, reason))
        self.state = State.CLOSED
        return found

    # --- what the call wants ------------------------------------------------------------------

    def close(self) -> None:
        """Nobody wants the session any more."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSING

    def carry_out(self, command: AnyCommand) -> None:
        """Send a command to the model, now or once it is ready; after the end, drop it.

        Raises `IllegalTransition` for a command that is not addressed to a model.
        """
        if not isinstance(command, ModelCommand):
            raise IllegalTransition(self.state.value, type(command).__name__)
        if self.state is State.READY:
            self._send(self._translate(command))
        elif self.state is State.CONNECTING or self.state is State.CONFIGURING:
            self._backlog.add(command)

    def hear(self, command: commands.SendCallerAudio) -> bytes | None:
        """Return the message for a piece of the caller's sound, to be sent at once.

        `carry_out` without its detours, for fifty times a second; None where there is nothing to
        send now.
        """
        if self.state is not State.READY or self._noted:
            self.carry_out(command)
            frames = self.frames()
            return frames[0] if frames else None
        return messages.encode_sound(command.payload)

    def frames(self) -> list[bytes]:
        """Return the messages to send, in order, and forget them."""
        frames, self._frames = self._frames, []
        return frames

    # --- out ----------------------------------------------------------------------------------

    def _send(self, message: ClientMessage) -> None:
        if self._noted:
            self._note(">", message)
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
        """`response.instructions` replace the session's, so the agent's own are repeated and
        what is added comes last, where a model heeds it most."""
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
            case messages.AudioDelta():
                return self._audio(message)
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
                    logger.info("< unknown event %.80r: passed over", message.type)
                return []
            case _:
                return []

    def _audio(self, message: messages.AudioDelta) -> list[AnyEvent]:
        delta, response_id = message.delta, message.response_id
        size = payload_size(delta)
        if size <= 0 or len(delta) % 4 or not delta.isascii() or response_id in self._aside:
            return []
        return [events.ModelAudio(response_id, message.item_id, delta, size)]

    def _in_turn(self, response_id: str, event: AnyEvent) -> list[AnyEvent]:
        return [] if response_id in self._aside else [event]

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
        if self.state is not State.CONFIGURING:
            return []
        self.state = State.READY
        for line in self._setup.history:
            self._send(messages.ItemCreate(messages.message_item(line.role, line.text)))
        for command in self._backlog.drain():
            self._send(self._translate(command))
        return [events.ModelReady(self.session_id)]

    def _error(self, error: messages.ErrorView) -> list[AnyEvent]:
        if self.state is State.READY:
            return [faults.on_error(error)]
        return [faults.on_error_while_configuring(error)]

    def _response_created(self, response: messages.Response) -> list[AnyEvent]:
        if response.conversation_id is None:
            self._aside.add(response.id)
            return []
        return [events.ResponseStarted(response.id, _request_id(response))]

    def _response_done(self, response: messages.Response) -> list[AnyEvent]:
        found: list[AnyEvent] = tokens_used(response.usage)
        if response.id in self._aside or response.conversation_id is None:
            return found
        for item in response.output or ():
            found += self._tool_call(item, response.id, sure=response.status == "completed")
        found.append(_ended(response))
        return found

    def _tool_call(self, item: messages.Item, response_id: str, *, sure: bool) -> list[AnyEvent]:
        """`sure`: the response is complete, so an item without a status of its own is too."""
        whole = item.status == "completed" or (item.status is None and sure)
        if item.type != "function_call" or not whole or response_id in self._aside:
            return []
        if not item.call_id or not item.name or not self._called.add(item.call_id):
            return []
        arguments = item.arguments or "{}"
        return [events.ToolCallRequested(item.call_id, item.name, arguments, response_id)]

    # --- ourselves ----------------------------------------------------------------------------

    def _expect(self, state: State, event: str) -> None:
        if self.state is not state:
            raise IllegalTransition(self.state.value, event)

    def _note(self, glyph: str, message: ServerMessage | ClientMessage) -> None:
        kind = messages.type_of(message)
        if kind in self._noted:
            logger.info("%s %s %s", self.session_id or "-", glyph, kind)


def _format(session: messages.SessionView, side: str) -> str | None:
    """Return the effective audio format of a side, whichever shape names it."""
    audio = session.audio
    half = getattr(audio, side) if audio is not None else None
    named = half.format if half is not None else None
    if isinstance(named, messages.Format):
        return named.type
    beta = session.input_audio_format if side == "input" else session.output_audio_format
    return named or beta


def _request_id(response: messages.Response) -> str:
    """Return which request of ours a response belongs to; empty for the model's own."""
    metadata = response.metadata
    named = metadata.get(_REQUEST) if isinstance(metadata, dict) else None
    return named if isinstance(named, str) else ""


def _retry_seconds(error: messages.ErrorView) -> float:
    """Return how long the model wants to be left alone, as the text of a rate limit says it."""
    if error.code != "rate_limit_exceeded":
        return 0.0
    found = _TRY_AGAIN.search(error.message or "")
    if found is None:
        return 0.0
    return float(found[1]) / (1000 if found[2].lower() == "ms" else 1)


def _ended(response: messages.Response) -> events.ResponseEnded:
    """Return how a response ended; a reason is a stable code wherever the API gives one."""
    details = response.status_details or messages.StatusDetails()
    error = details.error or messages.ErrorView()
    reason = error.code or details.reason or error.type or error.message or ""
    match response.status:
        case "completed" | "cancelled" | "failed" | "incomplete" as status:
            return events.ResponseEnded(response.id, status, reason[:300], _retry_seconds(error))
        case None:
            return events.ResponseEnded(response.id, "completed", reason[:300])
        case other:
            return events.ResponseEnded(response.id, "failed", reason[:300] or other[:80])
