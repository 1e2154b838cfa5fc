"""A tool of an MCP server, as the runtime runs it, and its answer as text for the model."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from mcp_types import CallToolResult, ContentBlock, EmbeddedResource, ResourceLink, TextContent
from mcp_types import Tool as ListedTool

from hookflash.agents.context import CallContext
from hookflash.agents.mcp_servers import McpServer
from hookflash.agents.schema import written_out
from hookflash.core.setup import ToolSpec
from hookflash.errors import ConfigError, ToolError

log = logging.getLogger("hookflash.mcp")

CallTool = Callable[[str, dict[str, Any]], Awaitable[CallToolResult]]
"""(name, arguments) -> the server's answer. Raises `ToolError`."""

_APPROVE_SECONDS = 60.0
_DESCRIPTION_CHARS = 4000
_SCHEMA_CHARS = 32_000
_NAME_CHARS = 64
_YES = re.compile(r"\s*(?:yes|y|ok|okay|approved?)\b", re.IGNORECASE)


class McpTool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool of a connected server. `name` is the one that the model sees."""

    name: str
    remote_name: str
    spec: ToolSpec
    server: McpServer
    call: CallTool
    blocking: bool = False

    @property
    def timeout_seconds(self) -> float:
        return self.server.timeout_seconds

    @property
    def filler(self) -> tuple[str, ...] | None:
        return self.server.filler

    def bind(self, arguments: str, context: CallContext) -> Callable[[], object]:
        """Return the call, ready to be made. Raises `ToolError` if the arguments are no object.

        The server itself checks the arguments against the tool's schema.
        """
        try:
            given = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError as error:
            raise ToolError(f"The arguments are not valid JSON ({error}).") from error
        if not isinstance(given, dict):
            raise ToolError("The arguments must be a JSON object.")
        return functools.partial(self._run, given, context)

    async def _run(self, arguments: dict[str, Any], context: CallContext) -> str:
        if self.server.needs_approval(self.remote_name):
            await self._approved(arguments, context)
        result = await self.call(self.remote_name, arguments)
        text = answer_text(result)
        if result.is_error:
            raise ToolError(text)
        return text

    async def _approved(self, arguments: dict[str, Any], context: CallContext) -> None:
        """Ask a human. Raises `ToolError` unless they approve."""
        shown = msgspec.json.encode(arguments).decode()[:500]
        answer = await context.ask_human(
            f"May the agent use {self.name} with {shown}? Answer yes to approve.",
            seconds=_APPROVE_SECONDS,
        )
        if not _YES.match(answer):
            raise ToolError(f"{self.name} was not used, because no human approved it: {answer}")


def make_tool(listed: ListedTool, server: McpServer, call: CallTool) -> McpTool | None:
    """Return a listed tool, or None, with a warning in the log, if no model can use it."""
    where = f"MCP server {server.label!r}: tool {listed.name!r}"
    # A server may use characters that the name of a function must not have.
    name = server.prefix + re.sub(r"[^A-Za-z0-9_-]", "_", listed.name)
    if not listed.name or len(name) > _NAME_CHARS:
        log.warning("! %s is not offered: its name has no or too many characters", where)
        return None
    try:
        parameters = _parameters(listed.input_schema, where)
    except (ConfigError, RecursionError) as error:
        log.warning("! %s is not offered: its schema cannot be used (%s)", where, error)
        return None
    if len(msgspec.json.encode(parameters)) > _SCHEMA_CHARS:
        log.warning("! %s is not offered: its schema has over %d bytes", where, _SCHEMA_CHARS)
        return None
    description = (listed.description or listed.title or listed.name)[:_DESCRIPTION_CHARS]
    spec = ToolSpec(name=name, description=description, parameters=parameters)
    return McpTool(name=name, remote_name=listed.name, spec=spec, server=server, call=call)


def _parameters(schema: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a schema of type object without references, which some models do not follow."""
    if schema.get("type") != "object":
        raise ConfigError("it is not of type object")
    definitions = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    own = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    try:
        written: dict[str, Any] = written_out(own, definitions, (), where)
    except KeyError as error:
        raise ConfigError(f"it refers to {error}, which it does not define") from None
    return {"properties": {}, **written}


def answer_text(result: CallToolResult) -> str:
    """Return what the model reads of an answer: its texts, or its structured content as JSON."""
    texts = [text for text in map(_block_text, result.content) if text]
    if not texts and result.structured_content is not None:
        return msgspec.json.encode(result.structured_content).decode()
    return "\n".join(texts) or ("The tool failed." if result.is_error else "Done.")


def _block_text(block: ContentBlock) -> str:
    match block:
        case TextContent():
            return block.text
        case EmbeddedResource():
            text = getattr(block.resource, "text", None)
            return text if isinstance(text, str) else f"[a file: {block.resource.uri}]"
        case ResourceLink():
            return f"{block.name}: {block.uri}"
        case _:
            # Sound and pictures are nothing that an agent can say.
            return f"[{block.type} content of type {block.mime_type}, not shown]"


def without_doubles(tools: Sequence[McpTool], taken: set[str]) -> dict[str, McpTool]:
    """Return tools by name. One whose name is in `taken`, or comes twice, is left out."""
    found: dict[str, McpTool] = {}
    for tool in tools:
        if tool.name in taken or tool.name in found:
            log.warning(
                "! MCP server %r: tool %r is not offered, because another tool has its name; pass"
                " prefix= to agent.mcp",
                *(tool.server.label, tool.remote_name),
            )
        else:
            found[tool.name] = tool
    return found
