"""The tools that an agent has without its owner writing them, as the model sees them.

The core carries them out (`core.builtin_tools` has their names). A model is offered only what some
plan of its agent can keep: a message where voicemail is taken, a call back where one is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
from hookflash.core.handoff_plan import Destination
from hookflash.core.setup import ToolSpec


def handoff_tools(destinations: Sequence[Destination]) -> tuple[ToolSpec, ...]:
    """Return the tools of an agent that can bring in humans; none without destinations."""
    if not destinations:
        return ()
    tools = [_transfer(destinations)]
    plans = [each.plan for each in destinations]
    if any(plan.stays for plan in plans):
        tools.append(_CANCEL)
    if any("voicemail" in (plan.otherwise, *plan.offers) for plan in plans):
        tools.append(_VOICEMAIL)
    if any("callback" in (plan.otherwise, *plan.offers) for plan in plans):
        tools.append(_CALLBACK)
    return tuple(tools)


def agent_tool(colleagues: Mapping[str, str]) -> tuple[ToolSpec, ...]:
    """Return the tool that gives the call to another agent; none without `colleagues`.

    `colleagues` are when to choose each, by key.
    """
    if not colleagues:
        return ()
    occasions = "\n".join(f"- {key}: {when}" for key, when in colleagues.items())
    parameters = _object(
        agent="Which agent is to take the call.",
        reason="Why, in a few words.",
        summary="What the other agent must know of what was said, in two or three sentences.",
    )
    parameters["properties"]["agent"]["enum"] = list(colleagues)
    description = (
        "Give the call to another assistant, who knows what was said and goes on in its own"
        f" voice. Say no goodbye. When to choose which:\n{occasions}"
    )
    return (ToolSpec(name=AGENT_TOOL, description=description, parameters=parameters),)


def _object(**texts: str) -> dict[str, Any]:
    """Return the schema of an object of texts, all of them needed, with what each is."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": what} for name, what in texts.items()
        },
        "required": list(texts),
        "additionalProperties": False,
    }


def _transfer(destinations: Sequence[Destination]) -> ToolSpec:
    occasions = "\n".join(f"- {each.key}: {each.when}" for each in destinations)
    parameters = _object(
        destination="Who is to take the call.",
        reason="Why the caller needs a human, in a few words.",
        summary=(
            "What the human must know: who is calling, what was said and what was already tried,"
            " in at most three sentences."
        ),
    )
    parameters["properties"]["destination"]["enum"] = [each.key for each in destinations]
    return ToolSpec(
        name=TRANSFER_TOOL,
        description=(
            "Bring a human onto this call. Tell the caller in one short sentence that you are"
            " connecting them, and call this in the same turn. Destinations, and when to choose"
            f" each:\n{occasions}"
        ),
        parameters=parameters,
    )


_CANCEL = ToolSpec(
    name=CANCEL_TOOL,
    description=(
        "Stop trying to reach a human. Use it when one is being rung and the caller does not want"
        " to wait any longer, or does not need a human any more."
    ),
    parameters=_object(),
)

_VOICEMAIL = ToolSpec(
    name=VOICEMAIL_TOOL,
    description=(
        "Record a message from the caller for the humans. Use it when nobody could be reached and"
        " the caller wants to leave a message."
    ),
    parameters=_object(),
)

_CALLBACK = ToolSpec(
    name=CALLBACK_TOOL,
    description=(
        "Note that the caller wants to be called back. Ask for the number and repeat it first, and"
        " call this when the caller has confirmed it."
    ),
    parameters=_object(
        number="The number to call back, as the caller said it, with its country code if known.",
        wish="What the call is to be about and when it suits the caller, in a few words.",
    ),
)

END_CALL = ToolSpec(
    name=END_TOOL,
    description=(
        "End the call. Use it only when the caller has said goodbye or wants nothing more; say"
        " goodbye first, in the same turn."
    ),
    parameters=_object(reason="Why the call ends, in a few words."),
)

STOP_RECORDING = ToolSpec(
    name=STOP_RECORDING_TOOL,
    description=(
        "Stop recording this call and delete what was recorded. Use it when the caller does not"
        " want to be recorded; the call itself goes on."
    ),
    parameters=_object(),
)

CONSULT_TOOLS = (
    ToolSpec(
        name=CONNECT_TOOL,
        description=(
            "Connect the caller with the human you are talking with. Use it as soon as they say"
            " that they take the call."
        ),
        parameters=_object(),
    ),
    ToolSpec(
        name=DECLINE_TOOL,
        description=(
            "The human does not take the call. Use it when they say no, or are not the right"
            " person, or want the caller to be told something instead."
        ),
        parameters=_object(
            reason="Why not, and what the caller may be told, in the human's words."
        ),
    ),
    ToolSpec(
        name=LEFT_TOOL,
        description=(
            "Nobody is there: a mailbox or a machine has answered. Say nothing to it, and use this"
            " at once."
        ),
        parameters=_object(),
    ),
)
"""What a model may do that talks with a human about a caller."""
