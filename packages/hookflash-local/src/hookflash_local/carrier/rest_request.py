"""One REST request as the resources see it, and what they answer. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.leg import Leg
from hookflash_local.carrier.rest_bodies import Refusal, not_found


@dataclass(frozen=True)
class Sound:
    """A WAV file instead of a JSON body."""

    data: bytes


Answer = tuple[int, dict[str, Any] | Sound | None]


@dataclass(frozen=True)
class Asked:
    """`names` are those in the path, `pairs` the form in its order."""

    exchange: Exchange
    path: str
    names: dict[str, str]
    query: dict[str, str]
    pairs: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> dict[str, str]:
        """The form, empty values left out; of repeated names the last counts."""
        return {name: value for name, value in self.pairs if value}

    def many(self, name: str) -> frozenset[str]:
        """Return all values of one name, which may be repeated or hold several words."""
        return frozenset(word for key, value in self.pairs if key == name for word in value.split())

    def leg(self) -> Leg:
        """Find the call in the path. Raises Refusal."""
        leg = self.exchange.live.legs.get(self.names["call"])
        if leg is None:
            raise self.gone()
        return leg

    def gone(self) -> Refusal:
        return not_found(self.path)


@dataclass(frozen=True)
class Resource:
    """`fields` names the table of parameters, `faults` the list of faults that it takes from.
    `media`: without credentials too, if the account is set so."""

    method: str
    path: str
    work: Callable[[Asked], Answer]
    fields: str = ""
    faults: str = ""
    media: bool = False


def report_to(asked: Asked, url: str, method: str) -> tuple[str, str] | None:
    """Read a callback from two fields: its URL and its method."""
    fields = asked.fields
    return (fields[url], fields.get(method, "POST")) if url in fields else None


def page(asked: Asked, name: str, found: Sequence[dict[str, Any]]) -> Answer:
    """Return a list as Twilio does, all on one page."""
    path = asked.path
    body = {name: list(found), "page": 0, "page_size": max(50, len(found)), "start": 0}
    ends = {"end": max(0, len(found) - 1), "uri": path, "first_page_uri": path}
    return 200, {**body, **ends, "next_page_uri": None, "previous_page_uri": None}
