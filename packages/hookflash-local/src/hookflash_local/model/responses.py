"""One response of the model: its output items and the server events for them. No I/O.

    in_progress -> completed | cancelled | failed | incomplete

    response.created, then for each item: output_item.added, conversation.item.added,
    content_part.added, deltas, their .done events, content_part.done, conversation.item.done,
    output_item.done; at the end response.done. The `.done` events are sent on interruption as well.

An out-of-band response (`conversation: "none"`) adds no item to the conversation and has no
`conversation.item.*` events. Every method returns the events to send. After the end of the response
it returns none, so late calls are harmless.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Literal

from hookflash_local.model.audio_formats import encoder
from hookflash_local.model.components import DialogueRequest
from hookflash_local.model.items import Entry, Ids, ItemList, turns
from hookflash_local.model.usage import Tokens, context_tokens, output_tokens, usage

Events = list[dict[str, Any]]
Ending = Literal["completed", "cancelled", "failed", "incomplete"]


class Response:
    """One response. `settings` is the session object with the response's own fields merged in.

    `context` are the items that it reads, `output` those that it has written. `items` is the
    conversation that it writes into, or None if it is out of band.
    """

    def __init__(
        self,
        ids: Ids,
        settings: dict[str, Any],
        context: Sequence[Entry],
        items: ItemList | None,
    ) -> None:
        self.id = ids.new("resp")
        self.status: str = "in_progress"
        self.settings = settings
        self.context = list(context)
        self.output: list[Entry] = []
        self._ids = ids
        self._items = items
        self._open: Entry | None = None
        self._encoder = encoder(settings["audio"]["output"]["format"])

    @property
    def running(self) -> bool:
        """Whether the response has not ended."""
        return self.status == "in_progress"

    @property
    def in_conversation(self) -> bool:
        """Whether its items go into the conversation; False if it is out of band."""
        return self._items is not None

    @property
    def writing(self) -> Entry | None:
        """The message being written, if one is open."""
        return self._open

    @property
    def speaks(self) -> bool:
        """Whether the output is audio rather than text."""
        modalities: list[str] = self.settings["output_modalities"]
        return "audio" in modalities

    @property
    def read(self) -> Tokens:
        """The number of text and audio tokens that it reads."""
        return context_tokens(self.settings, self.context)

    @property
    def full(self) -> bool:
        """Whether it has reached its `max_output_tokens`."""
        most = self.settings["max_output_tokens"]
        return bool(most != "inf" and sum(output_tokens(self.output)) >= most)

    def request(self) -> DialogueRequest:
        """Return the dialogue manager's input."""
        choice = self.settings["tool_choice"]
        instructions, own = self.settings["session_instructions"], self.settings["own_instructions"]
        # A response's instructions replace the session's, so clients repeat the session's first.
        added = own.removeprefix(instructions).strip() if own and instructions else own
        return DialogueRequest(
            instructions=instructions,
            conversation=turns(self.context),
            tools=[tool for tool in self.settings["tools"] if tool["type"] == "function"],
            tool_choice=choice if isinstance(choice, str) else str(choice.get("name", "auto")),
            added=added or None,
        )

    def created(self) -> Events:
        """Return the event that begins the response."""
        return [self._ids.event("response.created", response=self._body())]

    def open_message(self, item_id: str | None = None) -> Events:
        """Begin a message. Closes the previous one if it is open."""
        if not self.running:
            return []
        kind = "audio" if self.speaks else "text"
        empty = {"transcript": ""} if self.speaks else {"text": ""}
        events = self._add(
            {
                "id": item_id or self._ids.new("item"),
                "object": "realtime.item",
                "type": "message",
                "status": "in_progress",
                "role": "assistant",
                "content": [],
            }
        )
        self.output[-1].item["content"] = [{"type": f"output_{kind}", **empty}]
        return [*events, self._event("response.content_part.added", part={"type": kind, **empty})]

    def begin_sentence(self, text: str) -> None:
        """Note that a sentence begins here, so that a truncation knows which words were heard."""
        entry = self._open
        if entry is not None and not entry.cut and self.speaks:
            entry.spoken.append((text, entry.audio_ms))

    def add_transcript(self, text: str) -> Events:
        """Add a piece of the transcript, or of the text if the output is text."""
        if self._open is None or not self.running or not text:
            return []
        part = self._open.item["content"][0]
        if not self.speaks:
            part["text"] += text
            return [self._event("response.output_text.delta", delta=text)]
        if "transcript" in part:
            part["transcript"] += text
        return [self._event("response.output_audio_transcript.delta", delta=text)]

    def add_audio(self, audio: bytes) -> Events:
        """Add a piece of audio (mu-law), which is sent in the response's format."""
        if self._open is None or not self.running or not audio:
            return []
        if not self._open.cut:
            self._open.audio += audio
        return self._delta(self._encoder.feed(audio))

    def _delta(self, payload: bytes) -> Events:
        if not payload:
            return []
        delta = base64.b64encode(payload).decode("ascii")
        return [self._event("response.output_audio.delta", delta=delta)]

    def close_message(self, status: str = "completed") -> Events:
        """End the open message, if there is one."""
        entry = self._open
        if entry is None:
            return []
        part = entry.item["content"][0]
        events: Events = []
        if self.speaks:
            said = part.get("transcript", "")
            events += self._delta(self._encoder.flush()) if status == "completed" else []
            events.append(self._event("response.output_audio.done"))
            events.append(self._event("response.output_audio_transcript.done", transcript=said))
            shown = {"type": "audio", "transcript": said}
        else:
            events.append(self._event("response.output_text.done", text=part["text"]))
            shown = {"type": "text", "text": part["text"]}
        events.append(self._event("response.content_part.done", part=shown))
        return events + self._close(status)

    def call_tool(
        self, name: str, arguments: str, call_id: str | None = None, item_id: str | None = None
    ) -> Events:
        """Add a tool call; `arguments` is JSON text. Closes the open message."""
        if not self.running:
            return []
        call_id = call_id or self._ids.new("call")
        events = self._add(
            {
                "id": item_id or self._ids.new("item"),
                "object": "realtime.item",
                "type": "function_call",
                "status": "in_progress",
                "call_id": call_id,
                "name": name,
                "arguments": "",
            }
        )
        said = {"call_id": call_id}
        delta = "response.function_call_arguments.delta"
        events += [
            self._event(delta, delta=arguments[at : at + 24], with_content=False, **said)
            for at in range(0, len(arguments), 24)
        ]
        events.append(
            self._event(
                "response.function_call_arguments.done",
                name=name,
                arguments=arguments,
                with_content=False,
                **said,
            )
        )
        self.output[-1].item["arguments"] = arguments
        return events + self._close("completed")

    def finish(
        self,
        status: Ending = "completed",
        *,
        reason: str | None = None,
        error: dict[str, str] | None = None,
    ) -> Events:
        """End the response; `reason` and `error` go into its status details."""
        if not self.running:
            return []
        events = self.close_message("completed" if status == "completed" else "incomplete")
        self.status = status
        details: dict[str, Any] | None = None
        if status != "completed":
            details = {"type": status}
            details |= {"reason": reason} if reason else {}
            details |= {"error": error} if error else {}
        body = self._body(
            status_details=details,
            output=[json.loads(json.dumps(entry.item)) for entry in self.output],
            usage=usage(self.read, output_tokens(self.output), self.settings["already_read"]),
        )
        return [*events, self._ids.event("response.done", response=body)]

    def _body(self, **known: Any) -> dict[str, Any]:
        settings = self.settings
        outgoing = settings["audio"]["output"]
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": None,
            "output": [],
            "conversation_id": settings["conversation_id"] if self.in_conversation else None,
            "output_modalities": settings["output_modalities"],
            "max_output_tokens": settings["max_output_tokens"],
            "audio": {"output": {"format": outgoing["format"], "voice": outgoing["voice"]}},
            "usage": None,
            "metadata": settings["metadata"],
            **known,
        }

    def _add(self, item: dict[str, Any]) -> Events:
        events = self.close_message()
        entry = Entry(item)
        self.output.append(entry)
        self._open = entry if item["type"] == "message" else None
        events.append(self._item_event("response.output_item.added", entry))
        if self._items is not None:
            before = self._items.insert(entry)
            events.append(self._conversation_event("conversation.item.added", entry, before))
        return events

    def _close(self, status: str) -> Events:
        entry = self.output[-1]
        entry.item["status"] = status
        self._open = None
        events: Events = []
        # The client may have deleted the item while it was being written.
        if self._items is not None and self._items.get(entry.id) is not None:
            before = self._items.before(entry.id)
            events.append(self._conversation_event("conversation.item.done", entry, before))
        events.append(self._item_event("response.output_item.done", entry))
        return events

    def _conversation_event(self, kind: str, entry: Entry, before: str | None) -> dict[str, Any]:
        shown = json.loads(json.dumps(entry.item))
        return self._ids.event(kind, item=shown, previous_item_id=before)

    def _item_event(self, kind: str, entry: Entry) -> dict[str, Any]:
        return self._ids.event(
            kind,
            response_id=self.id,
            output_index=len(self.output) - 1,
            item=json.loads(json.dumps(entry.item)),
        )

    def _event(self, kind: str, *, with_content: bool = True, **fields: Any) -> dict[str, Any]:
        return self._ids.event(
            kind,
            response_id=self.id,
            item_id=self.output[-1].id,
            output_index=len(self.output) - 1,
            **({"content_index": 0} if with_content else {}),
            **fields,
        )
