"""The names of the built-in tools, which the core carries out by itself."""

from __future__ import annotations

TRANSFER_TOOL = "transfer_to_human"
AGENT_TOOL = "transfer_to_agent"
END_TOOL = "end_call"
CANCEL_TOOL = "cancel_transfer"
CALLBACK_TOOL = "schedule_callback"
VOICEMAIL_TOOL = "take_voicemail"
STOP_RECORDING_TOOL = "stop_recording"
BUILTIN_TOOLS = frozenset(
    {
        TRANSFER_TOOL,
        AGENT_TOOL,
        END_TOOL,
        CANCEL_TOOL,
        CALLBACK_TOOL,
        VOICEMAIL_TOOL,
        STOP_RECORDING_TOOL,
    }
)
"""The tools of a caller's call; all other tools are the owner's."""

CONNECT_TOOL = "connect_caller"
DECLINE_TOOL = "decline"
LEFT_TOOL = "left_voicemail"
"""The tools of a consulting leg, where the agent talks with a human."""
