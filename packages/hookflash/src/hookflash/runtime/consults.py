"""Consultations: calls in which the agent talks with a human about a caller's call.

    parent call (the caller's)                     consult call (SID of the human's leg)
      HumanAsked -> OpenConsult ---------------------> CallArrived -> ConnectAgent
      ConsultDecided <------------- ReportConsult ---- the model has decided
      LegChanged completed --------------------------> CallCompleted
      the call ends ---------------------------------> CallCompleted

A consult call has its own driver, model session and journal, so the agent keeps talking with the
caller meanwhile. It has none of the owner's tools and no record, is not counted, and does not keep
the process alive. It runs in the process of its parent; restoring it restores the parent first.
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
    """Discards the record of a consult call: its parent call has one."""

    def put(self, record: CallRecord) -> None:
        return


class ConsultCalls:
    """Satisfies `ports.Consults`. `find` returns a call of this process; `start` starts a
    driver."""

    def __init__(self, find: Find, start: Begin) -> None:
        self._find = find
        self._start = start
        self._consults: dict[str, Driver] = {}
        """The consult calls that have not ended, by leg SID."""

    def open(self, parent_sid: str, wanted: OpenConsult) -> tuple[Instruction, ...]:
        """Start a consult call. A repeated request for a running one returns its instructions
        again."""
        parent = self._find(parent_sid)
        if parent is None:
            return (HangUp(),)
        facts = parent.call.info
        arrived = CallArrived(wanted.leg_sid, facts.caller, facts.called, "outbound")
        consult_driver = self._find(wanted.leg_sid)
        if consult_driver is None:
            consult_driver = self._start(arrived, _setup(parent.call.setup, parent_sid, wanted))
        return consult_driver.ask(arrived)

    def report(self, parent_sid: str, decided: ConsultDecided) -> None:
        parent = self._find(parent_sid)
        if parent is None:
            log.warning(
                "%s ! the result of a consultation came after the call had ended", parent_sid
            )
            return
        parent.post(decided)

    def add(self, consult_driver: Driver) -> None:
        """Register a consult call that was started or restored."""
        self._consults[consult_driver.call_sid] = consult_driver

    def call_ended(self, driver: Driver) -> None:
        """End the consult calls that belong to a call that has ended."""
        self._consults.pop(driver.call_sid, None)
        for consult_driver in list(self._consults.values()):
            consult = consult_driver.call.setup.consult
            if consult is not None and consult.parent_sid == driver.call_sid:
                consult_driver.post(CallCompleted())

    def leg_ended(self, leg_sid: str) -> None:
        """End the consult call on a human's leg, if there is one."""
        consult_driver = self._consults.get(leg_sid)
        if consult_driver is not None:
            consult_driver.post(CallCompleted())


def _setup(parent: CallSetup, parent_sid: str, wanted: OpenConsult) -> CallSetup:
    """Return the parent's setup without the options that only a caller is offered."""
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
