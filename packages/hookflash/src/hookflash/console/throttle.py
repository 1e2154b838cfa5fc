"""Who tries passwords has to wait: longer after each try that failed. No I/O.

Counted by name, so that nobody's password can be tried out, and by peer, so that a peer cannot
try everybody's. Behind a proxy all peers are one: it may fail more often before it waits. A wait
is never long enough to keep the person themselves out for good.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence

import msgspec

_FREE = {"name": 5, "peer": 20}
_LONGEST_SECONDS = 60.0
_FORGOTTEN_SECONDS = 900.0
_KEPT = 10_000


class _Failed(msgspec.Struct):
    times: int = 0
    at: float = 0.0


class Throttle:
    """The failures of late. `now` is a clock in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failed: OrderedDict[tuple[str, str], _Failed] = OrderedDict()

    def wait_seconds(self, name: str, peer: str) -> float:
        """Return how long whoever this is has to wait before they may try; 0 is not at all."""
        return max(self._left(key) for key in _keys(name, peer))

    def failed(self, name: str, peer: str) -> None:
        for key in _keys(name, peer):
            failed = self._failed.pop(key, _Failed())
            if self._now() - failed.at > _FORGOTTEN_SECONDS:
                failed = _Failed()
            self._failed[key] = _Failed(failed.times + 1, self._now())
        while len(self._failed) > _KEPT:
            self._failed.popitem(last=False)

    def succeeded(self, name: str, peer: str) -> None:
        """The person themselves: forget how often their name failed, not how often the peer did."""
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
