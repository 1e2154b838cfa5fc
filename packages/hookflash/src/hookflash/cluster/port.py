"""The cluster port: what the nodes of a line share while calls are live.

A node is one process of the line. The shared store has, for each call,

    owner      the node that has the call, and until when: a lease
    fence      the number of the newest lease; a lease of an older number is refused
    journal    what the call's owner has written of it, in order

and for the line

    nodes      the nodes that are up, with the addresses at which the others reach them
    used       tokens that must not be accepted twice

Each operation is one request to the store. It raises `StoreDown` if the store does not answer in
the adapter's time. It may have had its effect all the same: so each may be sent again. Times are
seconds. The adapters are `memory.MemoryStore` and `redis_store.RedisStore`; both pass
the tests in `tests/cluster/store_contract.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

JOURNAL_SECONDS = 6 * 3600.0
"""How long a journal stays in the store after its last line, if nobody retires it."""

JOURNAL_BYTES = 32 * 1024 * 1024
"""The longest journal that the store takes: several hours of a lively call."""


LOST, KEPT, AGAIN = range(3)
"""The result of renewing a lease (`ClusterStore.renew`)."""


class StoreDown(Exception):
    """The store did not answer in time, or refused the connection."""


class Lease(msgspec.Struct, frozen=True):
    """The right of `node` to act for a call. `number` is the fencing number: newer is higher."""

    call_sid: str
    node: str
    number: int


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node that is up. `address` is `http://host:port`, where the other nodes reach it.

    `host` names its machine, and `slot` counts the processes of one machine from 1. `live` is its
    number of live calls. A `draining` node gets no new calls.
    """

    name: str
    address: str
    host: str = ""
    slot: int = 1
    live: int = 0
    draining: bool = False


class Append(msgspec.Struct, frozen=True):
    """Bytes for the end of a journal that has `offset` bytes so far."""

    lease: Lease
    offset: int
    data: bytes


class Appended(msgspec.Struct, frozen=True):
    """The answer to an `Append`. `size` is the length of the journal in the store.

    outcome     written   because
    "done"      yes
    "gap"       no        the journal has another length than `offset`
    "fenced"    no        the lease is not valid any more
    "full"      no        the journal would be longer than `JOURNAL_BYTES`
    """

    outcome: str
    size: int = 0


class ClusterStore(Protocol):
    """The shared store, as one node uses it. Use it in the event loop's thread."""

    # --- ownership ----------------------------------------------------------------------------

    async def acquire(self, call_sid: str, *, seconds: float) -> Lease:
        """Return the call's lease: a new one of this node if the call has no owner, or whose it is.

        A lease that this node has already is prolonged to `seconds`.
        """
        ...

    async def renew(self, leases: Sequence[Lease], *, seconds: float) -> Sequence[int]:
        """Prolong leases of this node. Return for each: `LOST`, `KEPT`, or `AGAIN` if the store had
        lost everything of the call.

        A lease that has lapsed and that nobody else has taken since is valid again.
        """
        ...

    async def owner(self, call_sid: str) -> Lease | None:
        """Return the lease of a call, or None if no node has it."""
        ...

    async def pass_on(self, lease: Lease, node: str, *, seconds: float) -> Lease | None:
        """Give a call to another node. Return its lease; None if `lease` was not valid any more."""
        ...

    async def release(self, lease: Lease) -> None:
        """Give up a call, so that any node may take it at once. Ignored if the lease is not
        valid."""
        ...

    # --- journals -----------------------------------------------------------------------------

    async def append(self, appends: Sequence[Append], *, seconds: float) -> Sequence[Appended]:
        """Append to journals, and prolong their leases to `seconds`. Return an answer to each."""
        ...

    async def replace(self, lease: Lease, data: bytes, *, seconds: float) -> Appended:
        """Replace a whole journal, if the lease is valid."""
        ...

    async def journal(self, call_sid: str) -> bytes:
        """Return the journal of a call; empty if there is none."""
        ...

    async def retire(self, lease: Lease, *, seconds: float) -> None:
        """Give up a call that is over. Its journal stays for `seconds`, for late webhooks."""
        ...

    async def forget(self, call_sid: str) -> None:
        """Delete all that the store has of a call."""
        ...

    # --- nodes and tokens -------------------------------------------------------------------

    async def announce(self, node: Node, *, seconds: float) -> None:
        """Register this node, or update it. It counts as up for `seconds`."""
        ...

    async def leave(self) -> None:
        """Remove this node from the registry."""
        ...

    async def nodes(self) -> Sequence[Node]:
        """Return the nodes that are up, this one included, in the order of their names."""
        ...

    async def use_once(self, token: str, *, seconds: float) -> bool:
        """Return whether `token` is used for the first time in `seconds`."""
        ...

    async def close(self) -> None:
        """Close the connections. Leases stay until they lapse."""
        ...
