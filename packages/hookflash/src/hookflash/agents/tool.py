"""A function that the model may call, and the names that are taken."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from hookflash.agents.context import CallContext
from hookflash.agents.prepared_lines import checked_texts
from hookflash.agents.schema import ToolSignature, read_signature
from hookflash.core.builtin_tools import (
    AGENT_TOOL,
    CALLBACK_TOOL,
    CANCEL_TOOL,
    CONNECT_TOOL,
    DECLINE_TOOL,
    END_TOOL,
    LEFT_TOOL,
    STOP_RECORDING_TOOL,
    TRANSFER_TOOL,
    VOICEMAIL_TOOL,
)
from hookflash.core.setup import ToolSpec
from hookflash.errors import ConfigError

RESERVED_TOOLS = (
    TRANSFER_TOOL,
    AGENT_TOOL,
    CANCEL_TOOL,
    VOICEMAIL_TOOL,
    CALLBACK_TOOL,
    END_TOOL,
    STOP_RECORDING_TOOL,
    CONNECT_TOOL,
    DECLINE_TOOL,
    LEFT_TOOL,
)
"""Tools that every agent may have without writing them; the core carries them out."""

DEFAULT_TIMEOUT_SECONDS = 20.0

# What the Realtime API takes as the name of a function.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One tool of an agent: what the model sees of it, and how it is called.

    `filler` has the lines that a waiting caller hears, in turn. Empty: a tone. None: the agent's
    own fillers.
    """

    name: str
    description: str
    function: Callable[..., Any]
    signature: ToolSignature
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    filler: tuple[str, ...] | None = None

    @property
    def spec(self) -> ToolSpec:
        """The tool as the model sees it."""
        return ToolSpec(
            name=self.name, description=self.description, parameters=self.signature.schema()
        )

    @property
    def blocking(self) -> bool:
        """Whether it must run in a thread, because it is not a coroutine function."""
        return not inspect.iscoroutinefunction(self.function)

    def bind(self, arguments: str, context: CallContext) -> Callable[[], object]:
        """Return the call, ready to be made, with the model's `arguments` (JSON text) decoded.

        Raises `ToolError`, with a text for the model, when they are wrong.
        """
        values = self.signature.decode(arguments)
        if self.signature.context_parameter is not None:
            values[self.signature.context_parameter] = context
        return functools.partial(self.function, **values)


def make_tool(
    function: Callable[..., Any],
    *,
    agent: str,
    name: str | None,
    description: str | None,
    timeout_seconds: float,
    filler: str | Sequence[str] | bool | None,
) -> Tool:
    """Read `function` as a tool of the agent named `agent`, or raise `ConfigError`."""
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise ConfigError(
            f"Agent {agent!r}: @agent.tool expected a function, got {type(function).__name__}"
        )
    name = function.__name__ if name is None else name
    where = f"Agent {agent!r}: tool {name!r} ({_place(function)})"
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{where}: a tool's name is a letter or _ and then at most 63 letters, digits, _"
            " and -; pass name="
        )
    if name in RESERVED_TOOLS:
        raise ConfigError(
            f"{where}: {' and '.join(RESERVED_TOOLS)} are the agent's own; choose another name"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ConfigError(f"{where}: a generator cannot answer once; return a value instead")
    if not timeout_seconds > 0:
        raise ConfigError(f"{where}: timeout_seconds must be more than 0, got {timeout_seconds}")
    signature = read_signature(function, where)
    text = inspect.cleandoc(description) if description is not None else signature.description
    if not text:
        raise ConfigError(
            f"{where}: it has no description, by which the model chooses it; write a docstring"
            " or pass description="
        )
    lines: tuple[str, ...] | None = ()
    if filler is True:
        lines = None
    elif filler is not False and filler is not None:
        otherwise = ", or False for none, or True for the agent's own"
        lines = checked_texts(filler, f"{where}: filler", otherwise=otherwise)
    return Tool(
        name=name,
        description=text,
        function=function,
        signature=signature,
        timeout_seconds=timeout_seconds,
        filler=lines,
    )


def _place(function: Callable[..., Any]) -> str:
    code = inspect.unwrap(function).__code__
    file = code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{file}, line {code.co_firstlineno}"
