"""OpenAI Realtime (GA, over a WebSocket), with telephone audio passed through as it came.

`options` and `messages` are values and their JSON, `faults` says what an error means, `session`
is the machine of one session, `stopwatch` measures it: none of these does I/O. `link` is the
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
