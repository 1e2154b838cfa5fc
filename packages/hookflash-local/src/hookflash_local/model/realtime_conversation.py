"""The state of one Realtime session: events change it, and it returns what to do. No I/O.

    effects = conversation.receive(client_event)     # one decoded JSON object
    effects = conversation.speech_started(at_ms)     # from the turn detector
    effects = conversation.speech_stopped(at_ms, audio)

An effect is either a server event (a dict, to send in this order) or a job for the session:
`FeedAudio`, `ConfigureTurnDetection`, `Transcribe`, `Respond` or `StopResponse`. A response is then
written with the methods of `responses.Response`, which return the events to send.

Rules: events are applied in order. One response at a time may write into the conversation. An
invalid client event is answered with an `error` and changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

import msgspec

from hookflash_local.model.audio_formats import decoder, encoded
from hookflash_local.model.client_events import checked_event
from hookflash_local.model.input_buffer import InputBuffer
from hookflash_local.model.items import Entry, Ids, ItemList
from hookflash_local.model.responses import Response
from hookflash_local.model.session_config import check_voice, default_session, updated_session
from hookflash_local.model.usage import rate_limits, text_tokens
from hookflash_local.model.validation import Refusal


class FeedAudio(msgspec.Struct, frozen=True):
    """Feed the caller's audio (mu-law) to the turn detector."""

    audio: bytes


class ConfigureTurnDetection(msgspec.Struct, frozen=True):
    """Use these turn detection settings from now on; None: the client commits turns itself."""

    turn_detection: dict[str, Any] | None


class Transcribe(msgspec.Struct, frozen=True):
    """Transcribe this item, which holds the caller's audio."""

    item_id: str


class Respond(msgspec.Struct, frozen=True):
    """Write this response, which has begun."""

    response_id: str


class StopResponse(msgspec.Struct, frozen=True):
    """Stop writing this response, which was cancelled."""

    response_id: str


Job = FeedAudio | ConfigureTurnDetection | Transcribe | Respond | StopResponse
Effect = dict[str, Any] | Job

_MOST_APPENDED_BYTES = 15 * 1024 * 1024


class Conversation:
    """The state of one session. `session` is the session object, `items` the default conversation.

    `expires_at` is seconds since 1970; it is only sent to the client.
    """

    def __init__(self, ids: Ids, *, model: str, expires_at: int) -> None:
        self.ids = ids
        self.session = default_session(ids.new("sess"), model, expires_at)
        self.items = ItemList()
        self.input = InputBuffer(self.session["audio"]["input"]["format"])
        self.responses: dict[str, Response] = {}
        self._id = ids.new("conv")

    @property
    def active(self) -> Response | None:
        """The response that is writing into the conversation, if there is one."""
        running = (one for one in self.responses.values() if one.running and one.in_conversation)
        return next(running, None)

    @property
    def _has_spoken(self) -> bool:
        output = (entry for one in self.responses.values() for entry in one.output)
        return any(entry.audio or entry.cut for entry in output)

    @property
    def turn_detection(self) -> dict[str, Any] | None:
        """The session's turn detection settings; None if the client commits turns itself."""
        found: dict[str, Any] | None = self.session["audio"]["input"]["turn_detection"]
        return found

    def opened(self) -> list[Effect]:
        """Return the first effects of a session: `session.created`, and its turn detection."""
        shown = _copy(self.session)
        return [
            self.ids.event("session.created", session=shown),
            ConfigureTurnDetection(self.turn_detection),
        ]

    def receive(self, event: Any) -> list[Effect]:
        """Apply one client event. Never raises: an invalid event becomes an `error`."""
        try:
            checked = checked_event(event)
            receivers: dict[str, Callable[[dict[str, Any]], list[Effect]]] = {
                "session.update": self._update,
                "input_audio_buffer.append": self._append,
                "input_audio_buffer.commit": self._commit,
                "input_audio_buffer.clear": self._clear,
                "conversation.item.create": self._create_item,
                "conversation.item.retrieve": self._retrieve_item,
                "conversation.item.truncate": self._truncate_item,
                "conversation.item.delete": self._delete_item,
                "response.create": self._create_response,
                "response.cancel": self._cancel_response,
            }
            return receivers[checked["type"]](checked)
        except Refusal as refusal:
            event_id = event.get("event_id") if isinstance(event, dict) else None
            return [self.refused(refusal, event_id if isinstance(event_id, str) else None)]

    def refused(self, refusal: Refusal, event_id: str | None = None) -> dict[str, Any]:
        """Return the `error` event for a refusal."""
        return self.ids.event("error", error=refusal.body(event_id))

    # Results of the turn detector and the transcriber.

    def speech_started(self, at_ms: int) -> list[Effect]:
        """Note that the caller began to speak, at `at_ms` of the received audio."""
        item_id = self.input.speech_started(self.ids)
        started = "input_audio_buffer.speech_started"
        effects: list[Effect] = [self.ids.event(started, audio_start_ms=at_ms, item_id=item_id)]
        active = self.active
        if active is not None and (self.turn_detection or {}).get("interrupt_response"):
            effects += self._cancel(active, "turn_detected")
        return effects

    def speech_stopped(
        self, at_ms: int, audio: bytes, *, respond: bool | None = None
    ) -> list[Effect]:
        """Note that the caller has stopped; `audio` (mu-law) becomes an item.

        A response follows if the session says so; `respond` overrides that.
        """
        item_id = self.input.take_speech(self.ids)
        stopped = "input_audio_buffer.speech_stopped"
        effects: list[Effect] = [self.ids.event(stopped, audio_end_ms=at_ms, item_id=item_id)]
        effects += self._committed(item_id, audio)
        if respond is None:
            respond = bool((self.turn_detection or {}).get("create_response"))
        if respond:
            try:
                effects += self._create_response({})
            except Refusal as refusal:
                effects.append(self.refused(refusal))
        return effects

    def transcribed(self, item_id: str, text: str) -> list[Effect]:
        """Store the transcript of a caller's turn. Return events if the session asked for them."""
        entry = self.items.get(item_id)
        if entry is None:
            return []
        entry.understood = text
        wanted = self.session["audio"]["input"]["transcription"]
        if wanted is None:
            return []
        part = next(part for part in entry.item["content"] if part["type"] == "input_audio")
        part["transcript"] = text
        name = "conversation.item.input_audio_transcription"
        place = {"item_id": item_id, "content_index": 0}
        effects: list[Effect] = []
        if text:
            effects.append(self.ids.event(f"{name}.delta", **place, delta=text))
        heard, written = int(entry.audio_ms / 100), text_tokens(text)
        used: dict[str, Any] = {"type": "duration", "seconds": entry.audio_ms / 1000}
        if wanted.get("model") != "whisper-1":
            used = {
                "type": "tokens",
                "total_tokens": heard + written,
                "input_tokens": heard,
                "output_tokens": written,
                "input_token_details": {"text_tokens": 0, "audio_tokens": heard},
            }
        completed = self.ids.event(f"{name}.completed", **place, transcript=text, usage=used)
        return [*effects, completed]

    def transcription_failed(self, item_id: str) -> list[Effect]:
        """Return the event for a failed transcription, if the session asked for transcripts."""
        if self.items.get(item_id) is None or not self.session["audio"]["input"]["transcription"]:
            return []
        return [
            self.ids.event(
                "conversation.item.input_audio_transcription.failed",
                item_id=item_id,
                content_index=0,
                error={
                    "type": "server_error",
                    "code": "transcription_failed",
                    "message": "The audio could not be transcribed.",
                    "param": None,
                },
            )
        ]

    def respond(self) -> list[Effect]:
        """Begin a response as turn detection does."""
        return self.receive({"type": "response.create"})

    # Client events.

    def _update(self, event: dict[str, Any]) -> list[Effect]:
        before = self.session
        self.session = updated_session(before, event["session"], voice_locked=self._has_spoken)
        effects: list[Effect] = [
            self.ids.event("session.updated", session=_copy(self.session)),
        ]
        if self.turn_detection != before["audio"]["input"]["turn_detection"]:
            effects.append(ConfigureTurnDetection(self.turn_detection))
        self.input.use_format(self.session["audio"]["input"]["format"])
        return effects

    def _append(self, event: dict[str, Any]) -> list[Effect]:
        audio = self.input.append(_decoded(event["audio"], "audio"), self.turn_detection is None)
        return [FeedAudio(audio)]

    def _commit(self, event: dict[str, Any]) -> list[Effect]:
        audio = self.input.commit()
        return self._committed(self.input.take_speech(self.ids), audio)

    def _committed(self, item_id: str, audio: bytes) -> list[Effect]:
        entry = Entry(
            {
                "id": item_id,
                "object": "realtime.item",
                "type": "message",
                "status": "completed",
                "role": "user",
                "content": [{"type": "input_audio", "transcript": None}],
            },
            bytearray(audio),
        )
        before = self.items.last_id
        committed = "input_audio_buffer.committed"
        effects: list[Effect] = [
            self.ids.event(committed, item_id=item_id, previous_item_id=before)
        ]
        return [*effects, *self._add(entry), Transcribe(item_id)]

    def _clear(self, event: dict[str, Any]) -> list[Effect]:
        self.input.clear()
        return [self.ids.event("input_audio_buffer.cleared")]

    def _create_item(self, event: dict[str, Any]) -> list[Effect]:
        entry = self._entry(event["item"])
        effects = self._add(entry, event.get("previous_item_id"))
        return [*effects, Transcribe(entry.id)] if entry.is_caller_audio else effects

    def _add(self, entry: Entry, after: str | None = None) -> list[Effect]:
        before = self.items.insert(entry, after)
        return [
            self.ids.event(kind, item=_copy(entry.item), previous_item_id=before)
            for kind in ("conversation.item.added", "conversation.item.done")
        ]

    def _entry(self, given: dict[str, Any]) -> Entry:
        item = {"id": self.ids.new("item"), "object": "realtime.item", **_copy(given)}
        item["status"] = "completed"
        if item["type"] == "function_call":
            item.setdefault("call_id", self.ids.new("call"))
        entry = Entry(item)
        for part in item.get("content", []):
            if part["type"] == "input_audio":
                payload = _decoded(part.pop("audio"), "item.content.audio")
                entry.audio += decoder(self.session["audio"]["input"]["format"]).feed(payload)
                part.setdefault("transcript", None)
        return entry

    def _retrieve_item(self, event: dict[str, Any]) -> list[Effect]:
        entry = self.items.find(event["item_id"], "retrieve", "retrieving")
        item = _copy(entry.item)
        for part in item.get("content", []):
            if part["type"] in ("input_audio", "output_audio"):
                side = part["type"].removesuffix("_audio")
                sound = encoded(bytes(entry.audio), self.session["audio"][side]["format"])
                part["audio"] = base64.b64encode(sound).decode("ascii")
        return [self.ids.event("conversation.item.retrieved", item=item)]

    def _truncate_item(self, event: dict[str, Any]) -> list[Effect]:
        entry = self.items.find(event["item_id"], "truncate", "truncating")
        entry.truncate(event["audio_end_ms"])
        said = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        return [self.ids.event("conversation.item.truncated", **said)]

    def _delete_item(self, event: dict[str, Any]) -> list[Effect]:
        self.items.delete(event["item_id"])
        return [self.ids.event("conversation.item.deleted", item_id=event["item_id"])]

    def _create_response(self, event: dict[str, Any]) -> list[Effect]:
        own = event.get("response") or {}
        aside = own.get("conversation") == "none"
        active = self.active
        if active is not None and not aside:
            raise Refusal(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {active.id}. "
                "Wait until the response is finished before creating a new one.",
            )
        context = list(self.items)
        if "input" in own:
            context = [self._input(item) for item in own["input"]]
        settings = self._settings(own)
        response = Response(self.ids, settings, context, None if aside else self.items)
        self.responses[response.id] = response
        limits = rate_limits(sum(response.read))
        return [
            *response.created(),
            self.ids.event("rate_limits.updated", rate_limits=limits),
            Respond(response.id),
        ]

    def _input(self, item: dict[str, Any]) -> Entry:
        if item["type"] == "item_reference":
            return self.items.find(item["id"], "reference", "referencing")
        return self._entry(item)

    def _settings(self, own: dict[str, Any]) -> dict[str, Any]:
        """Return the session object with a response's own fields merged in."""
        session = self.session
        outgoing = {**session["audio"]["output"], **own.get("audio", {}).get("output", {})}
        check_voice(session, outgoing["voice"], "response.audio.output.voice", self._has_spoken)
        last = next(reversed(self.responses.values()), None)
        return {
            **session,
            **own,
            "audio": {**session["audio"], "output": outgoing},
            "metadata": own.get("metadata"),
            "conversation_id": self._id,
            "session_instructions": session["instructions"],
            "own_instructions": own.get("instructions"),
            "already_read": last.read if last is not None else (0, 0),
        }

    def _cancel_response(self, event: dict[str, Any]) -> list[Effect]:
        response_id = event.get("response_id")
        response = self.responses.get(response_id) if response_id else self.active
        if response is None or not response.running:
            raise Refusal(
                "response_cancel_not_active", "Cancellation failed: no active response found"
            )
        return self._cancel(response, "client_cancelled")

    def _cancel(self, response: Response, reason: str) -> list[Effect]:
        return [*response.finish("cancelled", reason=reason), StopResponse(response.id)]


def _copy(value: Any) -> Any:
    """Return a copy of plain data, so that sent events do not change afterwards."""
    return json.loads(json.dumps(value))


def _decoded(payload: str, path: str) -> bytes:
    try:
        audio = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(
            "invalid_value", f"Invalid '{path}': expected base64-encoded audio bytes.", path
        ) from None
    if len(audio) > _MOST_APPENDED_BYTES:
        raise Refusal("invalid_value", f"Invalid '{path}': at most 15 MiB at once.", path)
    return audio
