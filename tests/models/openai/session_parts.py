"""Messages and sessions for the tests of the session's machine."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from openai.types.realtime import RealtimeClientEvent
from pydantic import TypeAdapter

from hookflash.core import commands, events
from hookflash.core.setup import ModelSetup, ToolSpec
from hookflash.models.openai.options import RealtimeOptions
from hookflash.models.openai.session import RealtimeSession

WIRE = Path(__file__).parents[2] / "wire" / "openai"
CLIENT: TypeAdapter[Any] = TypeAdapter(RealtimeClientEvent)
PCMU = {"type": "audio/pcmu"}
SETUP = ModelSetup(
    instructions="You answer for Acme.",
    tools=(ToolSpec(name="look_up", description="Look up.", parameters={"type": "object"}),),
)


def wire(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def updated(heard: Any = PCMU, spoken: Any = PCMU) -> bytes:
    audio = {"input": {"format": heard}, "output": {"format": spoken}}
    return wire(type="session.updated", session={"id": "sess_1", "audio": audio})


def error(code: str | None, **fields: Any) -> bytes:
    return wire(type="error", error={"code": code, "type": "invalid_request_error", **fields})


def sent(session: RealtimeSession) -> list[dict[str, Any]]:
    frames = session.frames()
    for frame in frames:
        CLIENT.validate_json(frame)
    return [json.loads(frame) for frame in frames]


def configuring(setup: ModelSetup = SETUP, **options: Any) -> RealtimeSession:
    session = RealtimeSession(setup, RealtimeOptions(**options))
    session.opened()
    session.frames()
    return session


def ready(setup: ModelSetup = SETUP, **options: Any) -> RealtimeSession:
    session = configuring(setup, **options)
    assert session.receive(updated()) == [events.ModelReady("sess_1")]
    session.frames()
    return session


def play(session: RealtimeSession, name: str) -> list[Any]:
    found: list[Any] = []
    for line in (WIRE / name).read_bytes().splitlines():
        found += session.receive(line)
    return found


def audio(size: int) -> commands.SendCallerAudio:
    return commands.SendCallerAudio(base64.b64encode(b"\x7f" * size).decode(), size)
