"""Decide whether a process takes another call, and what a refused caller hears.

    refused because of
    calls   as many calls are live in this process as the owner allows
    spend   the line has spent what the owner allows for today

Only new calls are refused. Live calls go on, and so do calls that come from another process. Each
process counts its own calls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from hookflash.core.commands import HangUp, Instruction, Speak

log = logging.getLogger("hookflash.call")

Reason = Literal["calls", "spend"]


class CallRefused(Exception):
    """A new call is not taken.

    Without `instructions` the carrier rejects it, and the caller hears a busy tone.
    """

    def __init__(self, reason: Reason, instructions: tuple[Instruction, ...]) -> None:
        super().__init__(reason)
        self.instructions = instructions


class CallLimits:
    """The limits of one process.

    `calls` is how many calls may be live at once; 0: no limit. `text` is said to callers who are
    refused; empty: they hear a busy tone. `spent` returns whether the limit of a day's spend is
    reached.
    """

    def __init__(
        self, *, calls: int = 0, text: str = "", spent: Callable[[], bool] = lambda: False
    ) -> None:
        self.refused: dict[Reason, int] = {"calls": 0, "spend": 0}
        self._calls = calls
        self._text = text
        self._spent = spent

    def check(self, call_sid: str, live: int, language: str | None) -> None:
        """Raise `CallRefused` if no call may be added to the `live` ones.

        `language` is the one in which the text is spoken.
        """
        if self._calls and live >= self._calls:
            log.warning(
                "%s ! refused: %d calls are live, and HOOKFLASH_MAX_CALLS is %d",
                *(call_sid, live, self._calls),
            )
            self._refuse("calls", language)
        if self._spent():
            log.warning(
                "%s ! refused: HOOKFLASH_MAX_DAILY_SPEND is spent until midnight UTC", call_sid
            )
            self._refuse("spend", language)

    def _refuse(self, reason: Reason, language: str | None) -> None:
        self.refused[reason] += 1
        said = (Speak(self._text, language), HangUp()) if self._text else ()
        raise CallRefused(reason, said)
