"""Telephone keys that a call's tools press, and the tools that wait until they are pressed."""

from __future__ import annotations

import asyncio
import re
from random import Random

from hookflash.core.commands import ReportKeys
from hookflash.core.events import KeysWanted
from hookflash.errors import ConfigError, ToolError
from hookflash.runtime.ports import EventSink
from hookflash.runtime.tool_deadline import paused_deadline

_DIGITS = re.compile(r"[0-9*#w]{1,32}")


class PressedKeys:
    """The requests of one call. Use it in the event loop's thread."""

    def __init__(self, post: EventSink, *, entropy: Random) -> None:
        self._post = post
        self._entropy = entropy
        self._waiting: dict[str, asyncio.Future[bool]] = {}

    async def press(self, digits: str) -> None:
        """Press keys, and return when the agent has the call again. See `CallContext.press`."""
        if not isinstance(digits, str) or not _DIGITS.fullmatch(digits):
            raise ConfigError(
                "context.press: expected 1 to 32 of 0-9, *, # and w (which waits half a second),"
                f" such as '1w2', got {digits!r}"
            )
        press_id = f"K{self._entropy.randbytes(8).hex()}"
        pressed: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[press_id] = pressed
        with paused_deadline():
            try:
                self._post(KeysWanted(press_id, digits))
                done = await pressed
            finally:
                del self._waiting[press_id]
        if not done:
            raise ToolError(
                "The keys were not pressed: the call goes elsewhere, has ended, or was"
                " interrupted, or other keys are being pressed."
            )

    def report(self, command: ReportKeys) -> None:
        """Tell the tool that waits whether its keys were pressed. Ignored if none does."""
        pressed = self._waiting.get(command.press_id)
        if pressed is not None and not pressed.done():
            pressed.set_result(command.pressed)

    def close(self) -> None:
        """The call is released: no keys are pressed any more."""
        for press_id in list(self._waiting):
            self.report(ReportKeys(press_id, False))
