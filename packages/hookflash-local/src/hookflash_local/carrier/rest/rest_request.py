"""REST requests as the resources receive them, their answers and errors. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from hookflash_local.carrier.exchange import Exchange
from hookflash_local.carrier.legs.leg import Leg

GONE = 21220
NOT_FOUND = 20404
DEFAULT_ON_A_PAGE = 50
MOST_ON_A_PAGE = 1000
_PAGING = ("Page", "PageSize", "PageToken")


class RestError(Exception):
    """An error body: Twilio's code, HTTP status and text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def body(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


def not_found(path: str) -> RestError:
    return RestError(404, NOT_FOUND, f"The requested resource {path} was not found")


@dataclass(frozen=True)
class Sound:
    """A WAV file instead of a JSON body."""

    data: bytes


Answer = tuple[int, dict[str, Any] | Sound | None]


@dataclass(frozen=True)
class RestRequest:
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
        """Find the call in the path. Raises RestError."""
        leg = self.exchange.live.legs.get(self.names["call"])
        if leg is None:
            raise self.gone()
        return leg

    def gone(self) -> RestError:
        return not_found(self.path)


@dataclass(frozen=True)
class Resource:
    """`fields` names the table of parameters, `faults` the list of faults that it takes from.
    `media`: without credentials too, if the account is set so."""

    method: str
    path: str
    work: Callable[[RestRequest], Answer]
    fields: str = ""
    faults: str = ""
    media: bool = False


def callback(request: RestRequest, url: str, method: str) -> tuple[str, str] | None:
    """Read a callback from two fields: its URL and its method."""
    fields = request.fields
    return (fields[url], fields.get(method, "POST")) if url in fields else None


def page(request: RestRequest, name: str, found: Sequence[dict[str, Any]]) -> Answer:
    """Return one page of a list: `Page` counts from 0, `PageSize` is 50 if not given, at most 1000.

    Source: Twilio, Requests to Twilio, Paging.
    """
    size = min(MOST_ON_A_PAGE, _whole(request.query.get("PageSize")) or DEFAULT_ON_A_PAGE)
    number = _whole(request.query.get("Page"))
    first, count = number * size, len(found)
    others = {key: value for key, value in request.query.items() if key not in _PAGING}

    def address(of_page: int) -> str:
        return f"{request.path}?{urlencode({**others, 'PageSize': size, 'Page': of_page})}"

    return 200, {
        name: list(found[first : first + size]),
        "end": max(first, min(first + size, count) - 1),
        "first_page_uri": address(0),
        "next_page_uri": address(number + 1) if first + size < count else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": address(number - 1) if number else None,
        "start": first,
        "uri": address(number),
    }


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
