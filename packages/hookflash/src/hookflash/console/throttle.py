"""Delay sign-in attempts after failures, longer each time. No I/O.

Failures are counted by name, so that a password cannot be guessed, and by peer, so that one peer
cannot try all names. Behind a proxy all clients are one peer, so a peer may fail more often. The
delay is bounded, so it cannot lock the real user out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

_FREE = {"name": 5, "peer": 20}
_LONGEST_SECONDS = 60.0
_FORGOTTEN_SECONDS = 900.0
_MAX_ENTRIES = 10_000


class _Failed(msgspec.Struct):
    times: int = 0
    at: float = 0.0


class Throttle:
    """The recent failures. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: OrderedDict[tuple[str, str], _Failed] = OrderedDict()

    def wait_seconds(self, name: str, peer: str) -> float:
        """Return how long this name or peer must wait before the next attempt; 0 means not at
        all."""
        return max(self._left(key) for key in _keys(name, peer))

    def failed(self, name: str, peer: str) -> None:
        for key in _keys(name, peer):
            failed = self._failed.pop(key, _Failed())
            if self._now() - failed.at > _FORGOTTEN_SECONDS:
                failed = _Failed()
            self._failed[key] = _Failed(failed.times + 1, self._now())
        while len(self._failed) > _MAX_ENTRIES:
            self._failed.popitem(last=False)

    def succeeded(self, name: str, peer: str) -> None:
        """Reset the failures of the name, but not those of the peer."""
        self._failed.pop(("name", name), None)

    def _left(self, key: tuple[str, str]) -> float:
        failed = self._failed.get(key)
        if failed is None:
            return 0.0
        over = failed.times - _FREE[key[0]]
        if over < 0:
            return 0.0
        seconds = min(2.0 ** min(over, 10), _LONGEST_SECONDS)
        return max(0.0, failed.at + seconds - self._now())


def _keys(name: str, peer: str) -> Sequence[tuple[str, str]]:
    return ("name", name), ("peer", peer)
