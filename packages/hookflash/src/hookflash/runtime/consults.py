"""The agent's talks with humans: calls beside the calls that they belong to.

    parent (the caller's call)                     talk (under the SID of the human's leg)
      HumanAsked -> OpenConsult ---------------------> CallArrived -> ConnectAgent
      ConsultDecided <------------- ReportConsult ---- the model has decided
      LegChanged completed --------------------------> CallCompleted
      over ------------------------------------------> CallCompleted

A talk has a driver, a model and a journal of its own, so that the caller's agent goes on talking
meanwhile, and none of the owner's tools. It is nobody's call: it has no record, is not counted and
keeps no process alive. It is where its parent is; a restored one restores its parent first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from hookflash.core.commands import HangUp, Instruction, OpenConsult
from hookflash.core.events import CallArrived, CallCompleted, ConsultDecided
from hookflash.core.record import CallRecord
from hookflash.core.setup import CallSetup, Consult
from hookflash.runtime.driver import Driver

log = logging.getLogger("hookflash.call")

Find = Callable[[str], Driver | None]
Begin = Callable[[CallArrived, CallSetup], Driver]


class NoRecords:
    """Where the record of a talk goes: the call that it belongs to has one."""

    def put(self, record: CallRecord) -> None:
        return


class Consulting:
    """Satisfies `ports.Consults`. `find` gives a call that is known here, `begin` starts the driver
    of a new one."""

    def __init__(self, find: Find, begin: Begin) -> None:
        self._find = find
        self._begin = begin
        self._talks: dict[str, Driver] = {}
        """By leg SID, those that are not over."""

    def open(self, parent_sid: str, wanted: OpenConsult) -> tuple[Instruction, ...]:
        """Begin a talk; asked again for one that has begun, say the same again."""
        parent = self._find(parent_sid)
        if parent is None:
            return (HangUp(),)
        facts = parent.call.info
        arrived = CallArrived(wanted.leg_sid, facts.caller, facts.called, "outbound")
        talk = self._find(wanted.leg_sid)
        if talk is None:
            talk = self._begin(arrived, _setup(parent.call.setup, parent_sid, wanted))
        return talk.ask(arrived)

    def report(self, parent_sid: str, decided: ConsultDecided) -> None:
        parent = self._find(parent_sid)
        if parent is None:
            log.warning("%s ! what was settled with a human comes too late", parent_sid)
            return
        parent.post(decided)

    def begun(self, talk: Driver) -> None:
        """A talk is there, new or restored."""
        self._talks[talk.call_sid] = talk

    def over(self, driver: Driver) -> None:
        """A call is over: so are the talks that belong to it."""
        self._talks.pop(driver.call_sid, None)
        for talk in list(self._talks.values()):
            consult = talk.call.setup.consult
            if consult is not None and consult.parent_sid == driver.call_sid:
                talk.post(CallCompleted())

    def leg_over(self, leg_sid: str) -> None:
        """A human's leg is over: so is the talk on it, if there was one."""
        talk = self._talks.get(leg_sid)
        if talk is not None:
            talk.post(CallCompleted())


def _setup(parent: CallSetup, parent_sid: str, wanted: OpenConsult) -> CallSetup:
    """Return the parent's setup without what only a caller is offered."""
    return replace(
        parent,
        greeting=None,
        destinations=(),
        fallback=None,
        key_to_human=None,
        key_destination=None,
        consult=Consult(
            parent_sid=parent_sid,
            wave=wanted.wave,
            leg=wanted.leg,
            destination=wanted.destination,
            briefing=wanted.briefing,
        ),
    )
