"""Delay sign-in attempts after failures, longer each time. No I/O.

    key             free failures   so that
    name and peer   5               one peer cannot guess a password
    peer            20              one peer cannot try all names
    name            100             many peers cannot guess a password together

A peer is a client's address (`client_address`). Strangers must not lock the real user out. So the
failures of others by name do not count for a peer from which that user has signed in before, and
every delay is bounded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

_FREE = {"both": 5, "peer": 20, "name": 100}
_LONGEST_SECONDS = 60.0
_FORGOTTEN_SECONDS = 900.0
_MAX_ENTRIES = 10_000

_Key = tuple[str, str, str]


class _Failed(msgspec.Struct):
    times: int = 0
    at: float = 0.0


class Throttle:
    """The recent failures. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: OrderedDict[_Key, _Failed] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait_seconds(self, name: str, peer: str) -> float:
        """Return how long this name or peer must wait before the next attempt; 0 means not at
        all."""
        keys = _keys(name, peer)
        if (name, peer) in self._known:
            keys = keys[:2]
        return max(self._left(key) for key in keys)

    def failed(self, name: str, peer: str) -> None:
        for key in _keys(name, peer):
            failed = self._failed.pop(key, _Failed())
            if self._now() - failed.at > _FORGOTTEN_SECONDS:
                failed = _Failed()
            self._failed[key] = _Failed(failed.times + 1, self._now())
        while len(self._failed) > _MAX_ENTRIES:
            self._failed.popitem(last=False)

    def succeeded(self, name: str, peer: str) -> None:
        """Reset the failures of the name at this peer, but not those of the peer or of others."""
        both, _, _ = _keys(name, peer)
        self._failed.pop(both, None)
        self._known.pop((name, peer), None)
        self._known[name, peer] = None
        if len(self._known) > _MAX_ENTRIES:
            self._known.popitem(last=False)

    def _left(self, key: _Key) -> float:
        failed = self._failed.get(key)
        if failed is None:
            return 0.0
        over = failed.times - _FREE[key[0]]
        if over < 0:
            return 0.0
        seconds = min(2.0 ** min(over, 10), _LONGEST_SECONDS)
        return max(0.0, failed.at + seconds - self._now())


def _keys(name: str, peer: str) -> Sequence[_Key]:
    return ("both", name, peer), ("peer", "", peer), ("name", name, "")
