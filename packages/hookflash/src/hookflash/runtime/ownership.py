"""Let only the node that has a call change something outside: at the carrier, and in the database.

A process that stood still, or was cut off, may not know yet that another node has its calls. So the
carrier's REST API and the store of records are behind these two, which ask for the call's lease.
Asking takes no time while the lease is valid.

    resource     acquired                                released
    a task       put(), if the lease must be confirmed   its end, or aclose()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from hookflash.core.commands import Instruction, RingHuman
from hookflash.core.record import CallRecord
from hookflash.errors import CarrierError
from hookflash.runtime.ports import CarrierControl, RecordSink

log = logging.getLogger("hookflash.call")


class Ownership(Protocol):
    """Which calls this node may act for (`cluster.leases.Leases`)."""

    def is_valid(self, call_sid: str) -> bool:
        """Return whether this node may act for a call now, as far as it knows."""
        ...

    async def confirm(self, call_sid: str) -> bool:
        """Return whether this node may act for a call; ask the others if it is not certain."""
        ...


class OwnedControl:
    """The carrier's REST API for the call `owned`: a `CarrierControl`.

    Raises `CarrierError` if another node has the call.
    """

    def __init__(self, control: CarrierControl, ownership: Ownership, owned: str) -> None:
        self._control = control
        self._ownership = ownership
        self._owned = owned

    async def move(
        self, call_sid: str, instructions: Sequence[Instruction], *, seconds: float
    ) -> None:
        await self._check()
        await self._control.move(call_sid, instructions, seconds=seconds)

    async def ring(self, call_sid: str, what: RingHuman, *, seconds: float) -> str:
        await self._check()
        return await self._control.ring(call_sid, what, seconds=seconds)

    async def limit(self, call_sid: str, seconds: int) -> None:
        await self._check()
        await self._control.limit(call_sid, seconds)

    async def pause_recording(self, call_sid: str, *, paused: bool) -> bool:
        await self._check()
        return await self._control.pause_recording(call_sid, paused=paused)

    async def end_leg(self, leg_sid: str) -> None:
        await self._check()
        await self._control.end_leg(leg_sid)

    async def _check(self) -> None:
        owned = self._owned
        if not (self._ownership.is_valid(owned) or await self._ownership.confirm(owned)):
            raise CarrierError("nothing was requested: another node has the call")


class OwnedRecords:
    """Stores the records of this node's calls only: a `RecordSink`."""

    def __init__(self, records: RecordSink, ownership: Ownership) -> None:
        self._records = records
        self._ownership = ownership
        self._tasks: set[asyncio.Task[None]] = set()

    def put(self, record: CallRecord) -> None:
        """Store a record, at once or as soon as it is certain that this node has the call."""
        if self._ownership.is_valid(record.call_sid):
            self._records.put(record)
            return
        task = asyncio.get_running_loop().create_task(self._put_if_ours(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Wait until all records were stored or dropped."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _put_if_ours(self, record: CallRecord) -> None:
        if await self._ownership.confirm(record.call_sid):
            self._records.put(record)
        else:
            log.warning(
                "%s ! its record is not stored here: another node has the call", record.call_sid
            )
