"""Log and count what goes wrong with the model, so that no failure of it is silent.

    ModelRefused              the model's `error` event; the session goes on
    ResponseEnded             a response failed, or ended before its time
    ModelLost                 the session is lost
    CloseModel with a reason  the call gives the session up, because it is silent or of no use

Each line has the call's SID, the model's code and what to do. A call's lines of one kind are
limited, because a proxy of the model may repeat an error without end; the counts are complete.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from hookflash.core.commands import AnyCommand, CloseModel, OpenModel
from hookflash.core.events import AnyEvent, ModelLost, ModelRefused, ResponseEnded
from hookflash.log_output import LineLimit
from hookflash.models.openai.error_mapping import remedy_for
from hookflash.world import SYSTEM

log = logging.getLogger("hookflash.call.model")

MAX_CODES = 50
"""How many different codes are counted by name; all others count as `other`."""

_CODE = re.compile(r"[\w.:-]{1,64}", re.ASCII)
_TEXT_CHARACTERS = 300

_GIVEN_UP = {
    "silent": "it did not answer in time",
    "not-ready": "it was not ready in time",
    "responses-failed": "too many responses in a row failed or had no sound",
}
"""Why the call gives up a session, in words, by `CloseModel.reason`."""


class ModelFaults:
    """The faults of this process's sessions. Give `watch` to the `Switchboard`.

    `errors` are counted by code, `failed` responses by reason, `lost` sessions by cause. `now` is a
    clock in seconds.
    """

    def __init__(self, now: Callable[[], float] = SYSTEM.monotonic) -> None:
        self.errors: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self._limit = LineLimit(most=5, now=now)

    def watch(self, call_sid: str, event: AnyEvent | None, commands: Sequence[AnyCommand]) -> None:
        """Take an event (None: the timer) and the commands it caused."""
        kind = type(event)
        if kind is ModelRefused or kind is ResponseEnded or kind is ModelLost:
            self._take(call_sid, event)
        for command in commands:
            if type(command) is CloseModel and command.reason:
                self._given_up(call_sid, command.reason, commands)

    def _take(self, call_sid: str, event: AnyEvent | None) -> None:
        match event:
            case ModelRefused(code=code, benign=True):
                self._line(
                    logging.INFO,
                    call_sid,
                    ("error", count(self.errors, code)),
                    f"the model answered with the error {code}: a normal race, nothing to do",
                )
            case ModelRefused(code=code, message=message):
                self._line(
                    logging.WARNING,
                    call_sid,
                    ("error", count(self.errors, code)),
                    f"the model answered with the error {code}: {message}; {remedy_for(code)}",
                )
            case ResponseEnded(status="failed" | "incomplete" as status, reason=reason):
                self._line(
                    logging.WARNING,
                    call_sid,
                    ("response", count(self.failed, reason or status)),
                    f"a response of the model is {status}: {reason or 'it names no reason'};"
                    f" {remedy_for(reason)}",
                )
            case ModelLost(reason=reason, remedy=remedy):
                next_one = (
                    "another one is opened" if remedy == "rotate" else "no other one is opened"
                )
                self._line(
                    logging.WARNING,
                    call_sid,
                    ("session", count(self.lost, "lost")),
                    f"the session with the model is lost, {next_one}: {reason}",
                )

    def _given_up(self, call_sid: str, reason: str, commands: Sequence[AnyCommand]) -> None:
        replaced = any(type(each) is OpenModel for each in commands)
        what = "replaced" if replaced else "given up"
        self._line(
            logging.WARNING,
            call_sid,
            ("session", count(self.lost, reason)),
            f"the session with the model is {what}, because {_GIVEN_UP.get(reason, reason)}; if"
            " this repeats, check the model's status page and the network to HOOKFLASH_MODEL_URL",
        )

    def _line(self, level: int, call_sid: str, kind: tuple[str, str], text: str) -> None:
        ending = self._limit.ending((call_sid, *kind))
        if ending is not None:
            log.log(level, "%s ! %s%s", call_sid, text[:_TEXT_CHARACTERS], ending)


def count(table: dict[str, int], code: str) -> str:
    """Count `code`, or `other` if it is no plain name or there are too many different ones.

    Return what was counted.
    """
    if not _CODE.fullmatch(code) or (code not in table and len(table) >= MAX_CODES):
        code = "other"
    table[code] = table.get(code, 0) + 1
    return code
