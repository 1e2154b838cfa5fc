"""Connection overrides in a webhook's URL fragment. No I/O.

`https://h/p?x=1#ct=2000&rt=5000&tt=9000&rc=3&rp=all`: connect, read and total milliseconds, how
often to try again, and after what. The fragment is neither sent nor signed. Values out of their
range are taken as the nearest allowed one, unknown keys are left alone.
Source: Twilio, Webhooks connection overrides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

TOTAL_SECONDS = 15.0
"""The hard limit of any call-related webhook."""

Cause = Literal["4xx", "5xx", "ct", "rt"]


@dataclass(frozen=True)
class Policy:
    """Seconds of the carrier; `retry_on` names the causes after which a request is repeated."""

    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = TOTAL_SECONDS
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})

    def repeats(self, cause: Cause) -> bool:
        return "all" in self.retry_on or cause in self.retry_on


def _bounded(text: str, low: int, high: int, otherwise: float) -> float:
    return float(min(high, max(low, int(text)))) if text.isdecimal() else otherwise


def policy_of(url: str) -> Policy:
    """Read the fragment of `url`."""
    given = dict(parse_qsl(url.partition("#")[2]))
    return Policy(
        connect_seconds=_bounded(given.get("ct", ""), 100, 10_000, 5000.0) / 1000,
        read_seconds=_bounded(given.get("rt", ""), 100, 15_000, 15_000.0) / 1000,
        total_seconds=_bounded(given.get("tt", ""), 100, 15_000, 15_000.0) / 1000,
        retries=int(_bounded(given.get("rc", ""), 0, 5, 1.0)),
        retry_on=frozenset(given["rp"].split(",")) if "rp" in given else frozenset({"ct"}),
    )
