"""Hookflash: an AI agent answers a phone line and brings a human onto the live call.

Everything that users need is imported from here:

    from hookflash import Agent, Target, Warm

Names are loaded when they are first used, so `import hookflash` loads no other module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hookflash.agents.agent import Agent
    from hookflash.agents.context import CallContext
    from hookflash.agents.directory import Directory
    from hookflash.agents.plans import Cold, Consult, Queue, Refer, Warm
    from hookflash.agents.view import CallView
    from hookflash.core.call_events import CallStarted, HandoffEnded, TranscriptLine
    from hookflash.core.delivery import Delivery
    from hookflash.core.disposition import Disposition
    from hookflash.core.frustration import Frustration
    from hookflash.core.handoff_plan import Target
    from hookflash.core.interruption_settings import Interruption
    from hookflash.core.model_options import SemanticVad, ServerVad
    from hookflash.core.phrases import Phrases
    from hookflash.core.record import (
        AgentTransfer,
        CallRecord,
        HandoffAttempt,
        HumanOutcome,
        ToolUse,
        Utterance,
    )
    from hookflash.errors import (
        CallNotPlaced,
        CarrierError,
        CarrierProtocolError,
        ConfigError,
        HookflashError,
        IllegalTransition,
        ModelError,
        ModelProtocolError,
        ProtocolError,
        ToolError,
    )
    from hookflash.runtime.calls_out import PlacedCall
    from hookflash.server.mounted_line import LineApp, asgi_app, bring_human
    from hookflash.server.running_line import RunningLine
    from hookflash.settings import Settings

__version__ = "0.1.0"
"""The version of this distribution, by <https://semver.org>."""

__all__ = [
    "Agent",
    "AgentTransfer",
    "CallContext",
    "CallNotPlaced",
    "CallRecord",
    "CallStarted",
    "CallView",
    "CarrierError",
    "CarrierProtocolError",
    "Cold",
    "ConfigError",
    "Consult",
    "Delivery",
    "Directory",
    "Disposition",
    "Frustration",
    "HandoffAttempt",
    "HandoffEnded",
    "HookflashError",
    "IllegalTransition",
    "HumanOutcome",
    "Interruption",
    "LineApp",
    "ModelError",
    "ModelProtocolError",
    "Phrases",
    "PlacedCall",
    "ProtocolError",
    "Queue",
    "Refer",
    "SemanticVad",
    "ServerVad",
    "RunningLine",
    "Settings",
    "Target",
    "ToolError",
    "ToolUse",
    "TranscriptLine",
    "Utterance",
    "Warm",
    "__version__",
    "asgi_app",
    "bring_human",
]

_HOMES = {
    "Agent": "agents.agent",
    "AgentTransfer": "core.record",
    "CallContext": "agents.context",
    "CallRecord": "core.record",
    "CallStarted": "core.call_events",
    "CallView": "agents.view",
    "Cold": "agents.plans",
    "Consult": "agents.plans",
    "Delivery": "core.delivery",
    "Directory": "agents.directory",
    "Disposition": "core.disposition",
    "Frustration": "core.frustration",
    "HandoffAttempt": "core.record",
    "HandoffEnded": "core.call_events",
    "HumanOutcome": "core.record",
    "Interruption": "core.interruption_settings",
    "LineApp": "server.mounted_line",
    "Phrases": "core.phrases",
    "Queue": "agents.plans",
    "Refer": "agents.plans",
    "SemanticVad": "core.model_options",
    "ServerVad": "core.model_options",
    "PlacedCall": "runtime.calls_out",
    "RunningLine": "server.running_line",
    "Settings": "settings",
    "Target": "core.handoff_plan",
    "ToolUse": "core.record",
    "TranscriptLine": "core.call_events",
    "Utterance": "core.record",
    "Warm": "agents.plans",
    "asgi_app": "server.mounted_line",
    "bring_human": "server.mounted_line",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'hookflash' has no attribute {name!r}")
    home = importlib.import_module(f"hookflash.{_HOMES.get(name, 'errors')}")
    value = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
