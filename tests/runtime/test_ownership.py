"""Only the node that has a call orders anything at the carrier, or stores its record."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from hookflash.core.commands import HangUp, RingHuman
from hookflash.core.handoff_plan import Target
from hookflash.core.record import CallRecord
from hookflash.errors import CarrierError
from hookflash.runtime.ownership import OwnedControl, OwnedRecords

RECORD = CallRecord(
    call_sid="CA1",
    agent="shop",
    caller="+15550100",
    called="+15550101",
    disposition="handled_by_agent",
    arrived_at=0.0,
    seconds=1.0,
)


@dataclass
class Ownership:
    valid: bool = True
    confirmed: bool = False
    asked: int = 0

    def is_valid(self, call_sid: str) -> bool:
        return self.valid

    async def confirm(self, call_sid: str) -> bool:
        self.asked += 1
        await asyncio.sleep(0.1)
        return self.confirmed


@dataclass
class Control:
    done: list[str] = field(default_factory=list)

    async def move(self, call_sid: str, instructions: object, *, seconds: float) -> None:
        self.done.append("move")

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        self.done.append("ring")
        return "CA2"

    async def limit(self, call_sid: str, seconds: int) -> None:
        self.done.append("limit")

    async def pause_recording(self, call_sid: str, *, paused: bool) -> bool:
        self.done.append("pause")
        return True

    async def end_leg(self, leg_sid: str) -> None:
        self.done.append("end")


async def order_all(control: OwnedControl) -> list[str]:
    """Order everything once; return what was refused."""
    orders = {
        "move": control.move("CA1", (HangUp(),), seconds=1),
        "ring": control.ring("CA1", RingHuman(1, 0, Target.phone("+15550102"), 20), seconds=1),
        "limit": control.limit("CA1", 60),
        "pause": control.pause_recording("CA1", paused=True),
        "end": control.end_leg("CA2"),
    }
    refused = []
    for name, order in orders.items():
        try:
            await order
        except CarrierError:
            refused.append(name)
    return refused


async def test_the_owner_s_orders_are_sent_without_asking() -> None:
    ownership, control = Ownership(), Control()
    assert await order_all(OwnedControl(control, ownership, "CA1")) == []
    assert control.done == ["move", "ring", "limit", "pause", "end"]
    assert ownership.asked == 0


@pytest.mark.parametrize("confirmed", [True, False])
async def test_orders_wait_for_a_lease_that_is_in_doubt(confirmed: bool) -> None:
    ownership, control = Ownership(valid=False, confirmed=confirmed), Control()
    refused = await order_all(OwnedControl(control, ownership, "CA1"))
    everything = ["move", "ring", "limit", "pause", "end"]
    assert (control.done, refused) == ((everything, []) if confirmed else ([], everything))
    assert ownership.asked == 5


@pytest.mark.parametrize(
    ("valid", "confirmed", "stored"),
    [(True, False, True), (False, True, True), (False, False, False)],
)
async def test_a_record_is_stored_by_the_owner_only(
    valid: bool, confirmed: bool, stored: bool
) -> None:
    class Records:
        put_records: list[CallRecord] = []

        def put(self, record: CallRecord) -> None:
            self.put_records.append(record)

    records = Records()
    records.put_records = []
    owned = OwnedRecords(records, Ownership(valid=valid, confirmed=confirmed))
    owned.put(RECORD)
    await owned.aclose()
    assert records.put_records == ([RECORD] if stored else [])
