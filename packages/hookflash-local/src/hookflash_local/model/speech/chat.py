"""A dialogue manager that uses any OpenAI-compatible chat endpoint: streaming, with tools.

Sentences are spoken as soon as they are complete; tool calls follow at the end of the stream. If
the endpoint fails or is too slow, the caller hears an apology and the log gets a line.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec

from hookflash_local.model.components import CallTool, DialogueRequest, Say, Turn
from hookflash_local.model.speech.response_instructions import quoted_sentence
from hookflash_local.model.speech.sentences import complete_sentences

_log = logging.getLogger("hookflash.call.dialogue_manager")

APOLOGY = "I am sorry, I cannot answer right now. Please try again in a moment."

_SPEECH_STYLE = (
    "You are on the telephone. What you write is spoken aloud: use short plain sentences, no lists"
    " and no markup."
)
_MARKUP = re.compile(r"[*_`#]+")
_EXACTLY = re.compile(r"\bword for word\b|\bsay exactly\b", re.IGNORECASE)
_UNANSWERED = "There is no answer yet."


class _CallDelta(msgspec.Struct):
    """One tool call, assembled from its deltas."""

    name: str = ""
    arguments: str = ""

    def add(self, function: dict[str, Any]) -> None:
        """Add a delta. Some endpoints repeat the name in each, or send arguments as an object."""
        name = function.get("name") or ""
        if name != self.name:
            self.name = name if name.startswith(self.name) else self.name + name
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            arguments = msgspec.json.encode(arguments).decode()
        self.arguments += arguments


class _CallDeltas:
    """The tool calls of one answer, in the order in which they begin.

    A delta belongs to the call of its `index`, else of its `id`, else to the last one.
    """

    def __init__(self) -> None:
        self._calls: dict[object, _CallDelta] = {}

    def add(self, piece: dict[str, Any]) -> None:
        key = next((piece[name] for name in ("index", "id") if piece.get(name) is not None), None)
        if key is None:
            key = next(reversed(self._calls), 0)
        self._calls.setdefault(key, _CallDelta()).add(piece.get("function") or {})

    def complete(self) -> list[CallTool]:
        """Return the calls that have a name."""
        return [CallTool(c.name, c.arguments or "{}") for c in self._calls.values() if c.name]


class ChatDialogueManager:
    """A `DialogueManager` with a language model at `url`, such as `http://127.0.0.1:11434/v1`.

    `connect_seconds` limits the connection, `wait_seconds` each wait for more text.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        key: str | None = None,
        connect_seconds: float = 5.0,
        wait_seconds: float = 20.0,
    ) -> None:
        self._url = url.rstrip("/") + "/chat/completions"
        # For the log: a URL may have a name and a password.
        self._shown_url = re.sub(r"//[^/@]*@", "//", self._url)
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(wait_seconds, connect=connect_seconds)
        # Loading the certificates takes longer than a request, so it is done once.
        self._tls = httpx.create_ssl_context()

    async def answer(self, request: DialogueRequest) -> AsyncIterator[Say | CallTool]:
        """Yield sentences and tool calls as the model generates them. Does not raise."""
        if (text := _exact_text(request.added or "")) is not None:
            yield Say(text)
            return
        answered = False
        try:
            async with httpx.AsyncClient(timeout=self._timeout, verify=self._tls) as client:
                async with client.stream(
                    "POST", self._url, json=self._body(request), headers=self._headers
                ) as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise httpx.HTTPStatusError(
                            f"status {response.status_code}: {response.text[:200]}",
                            request=response.request,
                            response=response,
                        )
                    async for each in _read(response.aiter_lines()):
                        answered = True
                        yield each
        except (httpx.HTTPError, httpx.InvalidURL, msgspec.MsgspecError) as error:
            _log.warning("! %s failed: %s: %s", self._shown_url, type(error).__name__, error)
            yield Say(APOLOGY)
            return
        if not answered:
            _log.warning("! %s failed: the answer was empty", self._shown_url)
            yield Say(APOLOGY)

    def _body(self, request: DialogueRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "messages": _messages(request),
        }
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
            body["tool_choice"] = (
                request.tool_choice
                if request.tool_choice in ("auto", "none", "required")
                else {"type": "function", "function": {"name": request.tool_choice}}
            )
        return body


def _exact_text(added: str) -> str | None:
    """Return the text to speak exactly, or None. A model would change it and take longer."""
    return quoted_sentence(added) if _EXACTLY.search(added) else None


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """Convert a Realtime tool (flat) to a chat tool (nested)."""
    known = {key: tool[key] for key in ("name", "description", "parameters") if key in tool}
    return {"type": "function", "function": known}


def _messages(request: DialogueRequest) -> list[dict[str, Any]]:
    system = f"{request.instructions}\n\n{_SPEECH_STYLE}".strip()
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    messages += _conversation(request.conversation)
    if request.added:
        messages.append({"role": "system", "content": request.added})
    return messages


def _conversation(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return the chat messages. Chat requires each tool's answer directly after its call."""
    outputs = {turn.call_id: turn.text for turn in turns if turn.role == "tool_output"}
    messages: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "tool_call":
            function = {"name": turn.name, "arguments": turn.arguments or "{}"}
            call = {"id": turn.call_id, "type": "function", "function": function}
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
            answer = outputs.get(turn.call_id, _UNANSWERED)
            messages.append({"role": "tool", "tool_call_id": turn.call_id, "content": answer})
        elif turn.role != "tool_output" and turn.text:
            messages.append({"role": turn.role, "content": turn.text})
    return messages


async def _read(lines: AsyncIterator[str]) -> AsyncIterator[Say | CallTool]:
    """Read server-sent events (`data: {...}` lines) into sentences, then tool calls."""
    text = ""
    calls = _CallDeltas()
    async for line in lines:
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or data in ("", "[DONE]"):
            continue
        event = msgspec.json.decode(data, type=dict[str, Any])
        if error := event.get("error"):
            raise msgspec.ValidationError(f"the endpoint reports {error}")
        for choice in (event.get("choices") or [])[:1]:
            delta = choice.get("delta") or {}
            text = _without_thoughts(text + (delta.get("content") or ""))
            for piece in delta.get("tool_calls") or []:
                calls.add(piece)
        if not text.lstrip().startswith("<think>"):
            complete, text = complete_sentences(text)
            for sentence in complete:
                if spoken := _spoken(sentence):
                    yield Say(spoken)
    if spoken := _spoken(text.removeprefix("<think>")):
        yield Say(spoken)
    for call in calls.complete():
        yield call


def _without_thoughts(text: str) -> str:
    """Remove the thoughts that small reasoning models write before the answer."""
    start = text.find("<think>")
    end = text.find("</think>")
    return text[:start] + text[end + len("</think>") :] if 0 <= start < end else text


def _spoken(sentence: str) -> str:
    return _MARKUP.sub("", sentence).strip()
