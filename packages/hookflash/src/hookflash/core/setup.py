"""What a model's session and a call are set up with: plain data, the same for every model."""

from __future__ import annotations

from typing import Any

import msgspec

from hookflash.core.commands import Message
from hookflash.core.handoff_plan import Destination
from hookflash.core.interruption import Interruption


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as the model sees it. `parameters` is a JSON schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ModelSetup(msgspec.Struct, frozen=True, kw_only=True):
    """A model session before it is opened. `history` is the conversation so far, as heard.

    One that only `listens` writes down what it hears and never answers.
    """

    instructions: str
    voice: str | None = None
    language: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    history: tuple[Message, ...] = ()
    safety_identifier: str | None = None
    listens: bool = False


class Consult(msgspec.Struct, frozen=True, kw_only=True):
    """What a consulting leg knows of the call that it belongs to."""

    parent_sid: str
    wave: int
    leg: int
    destination: str
    briefing: str


class CallSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a call knows from its first moment: all that its owner decided beforehand.

    `greeting` is what the agent says first: empty, in its own words; None, the caller speaks first.
    A caller who says nothing for `away_timeout` seconds is asked whether they are there. Times are
    seconds, `lead_ms` is how far sent audio may run ahead of what was heard.
    `fallback` is the key of the destination that is rung when no model can be had, `key_to_human`
    the key of a telephone that asks for `key_destination`. `consult` makes it the agent's talk
    with a human instead of a caller's call. With `record` the call's sound is kept, once the caller
    has heard the line `consent`, if there is one.
    """

    agent: str = "agent"
    greeting: str | None = ""
    greeting_interruptible: bool = True
    destinations: tuple[Destination, ...] = ()
    fallback: str | None = None
    key_to_human: str | None = None
    key_destination: str | None = None
    consult: Consult | None = None
    record: bool = False
    consent: str | None = None
    interruption: Interruption = Interruption()
    away_timeout: float | None = 20.0
    lead_ms: int = 5000
    chunk_ms: int = 1000
    farewell_seconds: float = 8.0
    move_seconds: float = 2.0
    stream_seconds: float = 15.0
    model_seconds: float = 10.0
    model_attempts: int = 3
    session_seconds: float = 3600.0
    apology: str = (
        "I am sorry, we cannot take your call right now because of a technical problem."
        " Please call again later."
    )
