"""OpenAI Realtime (GA, over a WebSocket), with phone audio passed through unchanged.

Without I/O: `options` and `messages` are values and their JSON, `error_mapping` maps errors to
events, `session` is the state machine of one session, `turn_timing` measures it. `link` is the
shell that owns sockets and tasks.
"""

from __future__ import annotations

from hookflash.models.openai.link import OpenAIConnector, OpenAILink
from hookflash.models.openai.options import (
    CAPABILITIES,
    DEFAULT_MODEL,
    DEFAULT_URL,
    RealtimeOptions,
    RetentionRatio,
    SemanticVad,
    ServerVad,
)

__all__ = [
    "CAPABILITIES",
    "DEFAULT_MODEL",
    "DEFAULT_URL",
    "OpenAIConnector",
    "OpenAILink",
    "RealtimeOptions",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
]
