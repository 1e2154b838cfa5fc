"""What a call, and a session with a model, are configured with."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from hookflash.core.commands import Message
from hookflash.core.handoff_plan import Destination
from hookflash.core.interruption_settings import Interruption
from hookflash.core.model_options import ModelOptions
from hookflash.core.phrases import ENGLISH, Phrases

LEAST_CALL_SECONDS = 60
MOST_CALL_SECONDS = 24 * 3600
"""The range of a call's limit. Twilio ends every call after a day, or after four hours if the
account has no longer calls."""


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the model sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


class HostedServer(msgspec.Struct, frozen=True, kw_only=True):
    """An MCP server that the model's own service calls, without Hookflash.

    `headers` are sent with each request, `allowed_tools` None allows all tools.
    """

    label: str
    url: str
    headers: dict[str, str] = {}
    allowed_tools: tuple[str, ...] | None = None


class ModelSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How a session with a model is opened. `history` is the conversation so far, as heard.

    A session that only `listens` transcribes what it hears and never answers. `hosted` are MCP
    servers that the model's service calls by itself. `own` are the agent's options, where they
    differ from the line's.
    """

    instructions: str
    voice: str | None = None
    language: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    hosted: tuple[HostedServer, ...] = ()
    history: tuple[Message, ...] = ()
    safety_identifier: str | None = None
    listens: bool = False
    own: ModelOptions = ModelOptions()


class Consult(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent's call with a human knows of the caller's call that it belongs to."""

    parent_sid: str
    wave: int
    leg: int
    destination: str
    briefing: str


OnMachine = Literal["leave_message", "hang_up", "talk"]
"""What happens if a mailbox answers a call that the line has placed."""


class Outbound(msgspec.Struct, frozen=True, kw_only=True):
    """How a call is placed. `known` is what the agent knows of its purpose.

    `message` is left at a mailbox after its tone, word for word, with `on_machine`
    `leave_message`. The called party is rung for `ring_seconds`.
    """

    known: str = ""
    on_machine: OnMachine = "hang_up"
    message: str = ""
    ring_seconds: int = 30


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A live call that another application has, and that comes here for a human only.

    Afterwards `return_url` is asked what is next; empty: the call ends. `destination` is the key of
    the call's only destination.
    """

    destination: str
    reason: str
    summary: str
    return_url: str = ""


class CallSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How the owner configured a call. It does not change while the call lasts.

    `greeting` is what the agent says first. Empty: in its own words. None: the caller speaks first.
    A caller who says nothing for `away_timeout` seconds is asked whether they are there. Times are
    seconds. `lead_ms` is how far sent audio may run ahead of what was heard.

    `fallback` is the key of the destination that is rung when no model is available. The telephone
    key `key_to_human` asks for the destination `key_destination`. With `consult`, this is the
    agent's call with a human, not a caller's call. With `brought`, there is no agent: a human is
    rung at once. With `record` the call is recorded, once the caller has heard the line `consent`,
    if there is one.

    `tool_fillers` has the number of lines of its own for each tool that does not use the agent's
    fillers: 0 is none. `digits_shown`: the model and the journal get what the caller types, except
    secrets. `max_call_seconds` is how long the agent may talk with the caller; None is without a
    limit. `instructions` are those of this call, if the agent's depend on the call; the tools of
    `tools_left_out` are not offered in it. `language` (ISO 639-1) is that of `phrases`, which
    callers and humans hear from the carrier in its voice `carrier_voice`. Only telephone numbers
    that begin with one of `dial_prefixes` are rung; empty: every number. With `outbound` the line
    has placed the call. `colleagues` are the keys of agents that may take it.
    """

    agent: str = "agent"
    greeting: str | None = ""
    greeting_interruptible: bool = True
    destinations: tuple[Destination, ...] = ()
    colleagues: tuple[str, ...] = ()
    fallback: str | None = None
    key_to_human: str | None = None
    key_destination: str | None = None
    consult: Consult | None = None
    outbound: Outbound | None = None
    brought: Brought | None = None
    record: bool = False
    consent: str | None = None
    interruption: Interruption = Interruption()
    tool_fillers: dict[str, int] = {}
    digits_shown: bool = False
    max_call_seconds: float | None = None
    dial_prefixes: tuple[str, ...] = ()
    instructions: str | None = None
    tools_left_out: tuple[str, ...] = ()
    away_timeout: float | None = 20.0
    lead_ms: int = 5000
    chunk_ms: int = 1000
    farewell_seconds: float = 8.0
    move_seconds: float = 2.0
    stream_seconds: float = 15.0
    model_seconds: float = 10.0
    model_attempts: int = 3
    session_seconds: float = 3600.0
    language: str | None = None
    phrases: Phrases = ENGLISH
    carrier_voice: str | None = None
    apology: str = ENGLISH.apology
