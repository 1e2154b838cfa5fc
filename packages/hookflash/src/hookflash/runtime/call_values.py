"""What the owner's functions give one call: its instructions, its greeting, and its tools.

They are asked when the call arrives, all at once, before the carrier's webhook is answered. The
caller hears the telephone ring meanwhile, for at most `VALUES_SECONDS`. The values are part of the
call's setup, so a restored call has the same.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable

import msgspec

from hookflash.core.setup import CallSetup
from hookflash.runtime.agents import AgentLike
from hookflash.runtime.ask_function import ask_function
from hookflash.runtime.tool_runner import ToolThreads

_log = logging.getLogger("hookflash.call.values")

VALUES_SECONDS = 2.0
"""How long the functions of a call may take."""


class CallValues(msgspec.Struct, frozen=True, kw_only=True):
    """What the functions returned. UNSET: there is none, or the agent's fallback counts."""

    instructions: str | msgspec.UnsetType = msgspec.UNSET
    greeting: str | None | msgspec.UnsetType = msgspec.UNSET
    tools_left_out: tuple[str, ...] = ()

    def apply(self, setup: CallSetup) -> CallSetup:
        """Return the setup of the call with these values."""
        changes: dict[str, object] = {"tools_left_out": self.tools_left_out}
        if self.instructions is not msgspec.UNSET:
            changes["instructions"] = self.instructions
        if self.greeting is not msgspec.UNSET:
            changes["greeting"] = self.greeting
        return msgspec.structs.replace(setup, **changes)


async def values_of_call(
    agent: AgentLike, context: object, *, call_sid: str, threads: ToolThreads, seconds: float
) -> CallValues:
    """Ask the agent's functions, with `context`. Never raises.

    `seconds` are those of the event loop.
    """
    asked = {**agent.text_functions, **agent.tool_conditions}
    answers = await asyncio.gather(
        *(
            _ask(function, context, what, call_sid=call_sid, threads=threads, seconds=seconds)
            for what, function in asked.items()
        )
    )
    found = dict(zip(asked, answers, strict=True))
    instructions, greeting = found.get("instructions"), found.get("greeting", msgspec.UNSET)
    if "instructions" in found and not (isinstance(instructions, str) and instructions.strip()):
        _refuse(call_sid, "instructions", instructions, "a text")
        instructions = None
    if not isinstance(greeting, str | None | msgspec.UnsetType):
        _refuse(call_sid, "greeting", greeting, "a text, or None if the caller speaks first")
        greeting = msgspec.UNSET
    return CallValues(
        instructions=inspect.cleandoc(instructions)
        if isinstance(instructions, str)
        else msgspec.UNSET,
        greeting=inspect.cleandoc(greeting) if isinstance(greeting, str) else greeting,
        # A tool that nobody allowed is not offered.
        tools_left_out=tuple(name for name in agent.tool_conditions if found[name] is not True),
    )


async def _ask(
    function: Callable[..., object],
    context: object,
    what: str,
    *,
    call_sid: str,
    threads: ToolThreads,
    seconds: float,
) -> object:
    """Return the answer, or UNSET if there is none in time."""
    try:
        return await ask_function(function, context, threads=threads, seconds=seconds)
    except TimeoutError:
        _log.warning(
            "%s ! the function for %s said nothing within %g s: the fallback counts",
            *(call_sid, what, VALUES_SECONDS),
        )
    except Exception:
        # The function is the owner's and may raise anything.
        _log.exception("%s ! the function for %s failed: the fallback counts", call_sid, what)
    return msgspec.UNSET


def _refuse(call_sid: str, what: str, value: object, expected: str) -> None:
    if value is not msgspec.UNSET:
        _log.error(
            "%s ! the function for %s must return %s, got %s: the fallback counts",
            *(call_sid, what, expected, type(value).__name__),
        )
