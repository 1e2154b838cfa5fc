"""A mind on any OpenAI-compatible chat endpoint: streaming, with tools.

Sentences are said as soon as they are complete; tool calls follow when the stream has ended. An
endpoint that fails, or takes too long, is a spoken apology and a line in the log: the caller is
never left in silence.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx
import msgspec

from hookflash_local.model.parts import CallTool, MindRequest, Say, Turn
from hookflash_local.model.speech.directions import quoted
from hookflash_local.model.speech.sentences import complete_sentences

_log = logging.getLogger("hookflash.call.mind")

APOLOGY = "I am sorry, I cannot answer right now. Please try again in a moment."

_SPOKEN = (
    "You are on the telephone. What you write is spoken aloud: use short plain sentences, no lists"
    " and no markup."
)
_MARKUP = re.compile(r"[*_`#]+")
_UNANSWERED = "There is no answer yet."


class _CallDelta(msgspec.Struct):
    """One tool call, put together from its pieces."""

    name: str = ""
    arguments: str = ""


class ChatMind:
    """A `Mind` that asks a language model at `url` (such as `http://127.0.0.1:11434/v1`).

    `connect_seconds` and `wait_seconds` bound the connection and each wait for more text.
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
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout = httpx.Timeout(wait_seconds, connect=connect_seconds)
        # Reading the certificates takes longer than a request: once is enough.
        self._tls = httpx.create_ssl_context()

    async def answer(self, request: MindRequest) -> AsyncIterator[Say | CallTool]:
        """Yield sentences and tool calls as the model makes them."""
        if (text := _dictated(request.added or "")) is not None:
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
            _log.warning("! chat endpoint failed: %s: %s", type(error).__name__, error)
            yield Say(APOLOGY)
            return
        if not answered:
            _log.warning("! chat endpoint answered with nothing")
            yield Say(APOLOGY)

    def _body(self, request: MindRequest) -> dict[str, Any]:
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


def _dictated(added: str) -> str | None:
    """Return the text that is to be said as it stands: a model would only change it, and later."""
    return quoted(added) if added.startswith("Say exactly:") else None


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    """Realtime tools are flat; those of chat are nested."""
    known = {key: tool[key] for key in ("name", "description", "parameters") if key in tool}
    return {"type": "function", "function": known}


def _messages(request: MindRequest) -> list[dict[str, Any]]:
    system = f"{request.instructions}\n\n{_SPOKEN}".strip()
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    messages += _conversation(request.conversation)
    if request.added:
        messages.append({"role": "system", "content": request.added})
    return messages


def _conversation(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Chat wants every tool's answer right behind its call, whatever was said in between."""
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
    calls: dict[int, _CallDelta] = {}
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
                call = calls.setdefault(piece.get("index", len(calls)), _CallDelta())
                function = piece.get("function") or {}
                call.name += function.get("name") or ""
                call.arguments += function.get("arguments") or ""
        if not text.lstrip().startswith("<think>"):
            complete, text = complete_sentences(text)
            for sentence in complete:
                if spoken := _spoken(sentence):
                    yield Say(spoken)
    if spoken := _spoken(text.removeprefix("<think>")):
        yield Say(spoken)
    for _, call in sorted(calls.items()):
        if call.name:
            yield CallTool(call.name, call.arguments or "{}")


def _without_thoughts(text: str) -> str:
    """Drop what small reasoning models write before they answer."""
    start = text.find("<think>")
    end = text.find("</think>")
    return text[:start] + text[end + len("</think>") :] if 0 <= start < end else text


def _spoken(sentence: str) -> str:
    return _MARKUP.sub("", sentence).strip()
