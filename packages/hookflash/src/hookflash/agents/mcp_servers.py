"""Which MCP servers an agent takes tools from, checked. Nothing here connects to them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from hookflash.agents.prepared_lines import checked_texts
from hookflash.core.setup import HostedServer
from hookflash.errors import ConfigError

Approval = Literal["human"] | Sequence[str] | None
"""Which tools a human approves: all, these, or none."""

_LABEL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_PREFIX = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}|")


class McpServer(msgspec.Struct, frozen=True, kw_only=True):
    """One MCP server of an agent.

    Exactly one of `url`, `command` and `program` is set. `program` is a server object of the `mcp`
    package in the same process. `approve` is True for all tools, or the names of those that a human
    approves. `filler` is as a tool's. Names of tools are the server's own, without the prefix.
    """

    label: str
    url: str = ""
    command: tuple[str, ...] = ()
    program: Any = None
    headers: dict[str, str] = {}
    env: dict[str, str] = {}
    folder: str | None = None
    allowed_tools: tuple[str, ...] | None = None
    prefix: str = ""
    timeout_seconds: float = 20.0
    filler: tuple[str, ...] | None = None
    approve: bool | tuple[str, ...] = False

    def __repr__(self) -> str:
        # Headers and the environment hold secrets, and arguments may.
        where = self.url or (self.command and self.command[0]) or "this program"
        return f"McpServer({self.label!r}, {where!r})"

    def needs_approval(self, tool: str) -> bool:
        """Return whether a human approves each call of the server's tool `tool`."""
        return self.approve if isinstance(self.approve, bool) else tool in self.approve

    @property
    def lines_key(self) -> str:
        """The key of the server's filler lines, before its tools are known. No tool has it."""
        return f"mcp {self.label}"


def make_server(
    server: Any,
    *,
    agent: str,
    command: Sequence[str] | None,
    label: str | None,
    allowed_tools: Sequence[str] | None,
    headers: Mapping[str, str] | None,
    env: Mapping[str, str] | None,
    folder: str | None,
    prefix: str,
    timeout_seconds: float,
    filler: str | Sequence[str] | bool | None,
    approve: Approval,
) -> McpServer:
    """Return the server, or raise `ConfigError`, which names what is wrong."""
    where = f"Agent {agent!r}: mcp"
    if (server is None) == (command is None):
        raise ConfigError(
            f"{where}: give the URL of a server, as in agent.mcp('https://...'), or the command"
            " that starts one, as in agent.mcp(command=['npx', '-y', 'some-server'])"
        )
    url = server if isinstance(server, str) else ""
    if isinstance(server, str):
        _check_url(url, where)
    if not isinstance(server, str | None) and not _is_program(server):
        raise ConfigError(
            f"{where}: expected the URL of a server, or an MCPServer of the package mcp, got"
            f" {type(server).__name__}"
        )
    if command is not None and not _are_texts(command):
        raise ConfigError(
            f"{where}: command must be a list of texts such as ['npx', '-y', 'some-server'],"
            f" got {command!r}"
        )
    if headers and not url:
        raise ConfigError(f"{where}: headers are for a URL; a command gets env=...")
    if (env or folder is not None) and command is None:
        raise ConfigError(f"{where}: env and folder are for a command; a URL gets headers=...")
    label = label if label is not None else _default_label(url, command, server)
    if not _LABEL.fullmatch(label):
        raise ConfigError(
            f"{where}: label is a letter and then at most 63 letters, digits, _ and -, such as"
            f" 'orders', got {label!r}"
        )
    where = f"{where} {label!r}"
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            f"{where}: prefix is at most 32 letters, digits, _ and -, such as 'orders_', got"
            f" {prefix!r}"
        )
    if allowed_tools is not None and not _are_texts(allowed_tools):
        raise ConfigError(
            f"{where}: allowed_tools must be a list of names such as ['order_status'], got"
            f" {allowed_tools!r}"
        )
    if approve not in (None, "human") and not _are_texts(approve):
        raise ConfigError(
            f"{where}: approve must be 'human' for all tools, a list of names, or None, got"
            f" {approve!r}"
        )
    if not timeout_seconds > 0:
        raise ConfigError(f"{where}: timeout_seconds must be more than 0, got {timeout_seconds}")
    lines: tuple[str, ...] | None = ()
    if filler is True:
        lines = None
    elif filler is not False and filler is not None:
        otherwise = ", or False for none, or True for the agent's own"
        lines = checked_texts(filler, f"{where}: filler", otherwise=otherwise)
    return McpServer(
        label=label,
        url=url,
        command=tuple(command or ()),
        program=None if isinstance(server, str) else server,
        headers=_texts(headers, f"{where}: headers"),
        env=_texts(env, f"{where}: env"),
        folder=folder,
        allowed_tools=None if allowed_tools is None else tuple(allowed_tools),
        prefix=prefix,
        timeout_seconds=timeout_seconds,
        filler=lines,
        approve=approve == "human" or tuple(approve or ()),
    )


def make_hosted(
    url: Any,
    *,
    agent: str,
    label: str | None,
    allowed_tools: Sequence[str] | None,
    headers: Mapping[str, str] | None,
    others: Mapping[str, bool],
) -> HostedServer:
    """Return a server that the model's own service calls, or raise `ConfigError`.

    `others` says which options were given that only servers have that Hookflash calls.
    """
    where = f"Agent {agent!r}: mcp(run_by='model')"
    if not isinstance(url, str):
        raise ConfigError(f"{where}: the model's service needs a URL that it can reach")
    for name, given in others.items():
        if given:
            raise ConfigError(
                f"{where}: {name} has no effect, because the model's service runs the tools;"
                f" remove {name}, or run_by='model'"
            )
    server = make_server(
        url,
        agent=agent,
        command=None,
        label=label,
        allowed_tools=allowed_tools,
        headers=headers,
        env=None,
        folder=None,
        prefix="",
        timeout_seconds=20.0,
        filler=True,
        approve=None,
    )
    return HostedServer(
        label=server.label,
        url=server.url,
        headers=server.headers,
        allowed_tools=server.allowed_tools,
    )


def _check_url(url: str, where: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise ConfigError(f"{where}: the URL cannot be read ({error})") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{where}: the URL of a server begins with https:// or http://")
    if parts.username or parts.password:
        raise ConfigError(f"{where}: the URL must hold no password; send it by headers=...")


def _is_program(server: Any) -> bool:
    """Return whether this may be a server of the package, or one of its transports."""
    return hasattr(server, "run") or hasattr(server, "__aenter__")


def _default_label(url: str, command: Sequence[str] | None, server: Any) -> str:
    own = getattr(server, "name", "program")
    name = urlsplit(url).hostname if url else command[-1] if command else own
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", str(name)).strip("_-")[:40]
    return name if _LABEL.fullmatch(name) else f"mcp_{name}".rstrip("_")


def _are_texts(value: Any) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence | set | frozenset):
        return False
    return bool(value) and all(isinstance(each, str) and each for each in value)


def _texts(value: Mapping[str, str] | None, where: str) -> dict[str, str]:
    given = dict(value or {})
    if not all(isinstance(each, str) for pair in given.items() for each in pair):
        raise ConfigError(f"{where} must map names to texts")
    return given
