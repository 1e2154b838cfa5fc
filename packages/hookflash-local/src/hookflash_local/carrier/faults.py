"""Faults on purpose: a list that a test fills and the carrier uses up.

    carrier.faults.updates.append(Refused(500))          the next update answers 500
    carrier.faults.creates.extend([Refused(429)] * 3)    too many requests, three times
    carrier.faults.updates.append(Silent())              the next one is never answered
    carrier.faults.updates.append(Late(3.0))             done at once, answered 3 s later
    carrier.faults.requests.append(Refused(503))         the next REST request, whatever it is
    carrier.faults.webhooks.append(Twice("/action"))     the next POST to .../action comes twice
    carrier.faults.webhooks.append(Never("/status"))     the next callback to .../status is lost
    carrier.faults.webhooks.append(OutOfOrder("/st"))    the next one comes after its successor
    carrier.faults.returns_cleared_marks = False         like the carriers that forget them

A REST fault is used by one request (those for `requests` before those for one kind); a webhook
fault by the next `times` requests whose public URL contains `match`. Seconds are the carrier's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

_CODES = {
    401: (20003, "Authenticate"),
    404: (20404, "The requested resource was not found"),
    409: (20409, "The request conflicts with another one"),
    429: (20429, "Too Many Requests"),
    500: (20500, "An internal server error has occurred"),
    503: (20503, "The service is unavailable, please try again"),
}


@dataclass(frozen=True)
class Refused:
    """Answered with an error; nothing is done. `retry_after` is the header, in seconds."""

    status: int = 500
    code: int | None = None
    message: str | None = None
    retry_after: int | None = None

    @property
    def reason(self) -> tuple[int, str]:
        code, message = _CODES.get(self.status, (self.status, "Refused by a fault"))
        return self.code or code, self.message or message


@dataclass(frozen=True)
class Silent:
    """Never answered, and nothing is done: the client has to give up."""


@dataclass(frozen=True)
class Late:
    """Done at once, answered after `seconds`: the client may believe that it failed."""

    seconds: float


@dataclass(frozen=True)
class BrokenOff:
    """The connection breaks in the middle of the answer; `done` says whether it was carried out."""

    done: bool = False


RestFault = Refused | Silent | Late | BrokenOff


@dataclass
class Twice:
    """Delivered a second time, the same in every byte, `seconds` after the first was answered."""

    match: str = ""
    times: int = 1
    seconds: float = 0.0


@dataclass
class Delayed:
    """Sent `seconds` late: a callback by any time, a request for TwiML within its 15 seconds."""

    match: str = ""
    times: int = 1
    seconds: float = 1.0


@dataclass
class Dropped:
    """Never sent: to the carrier it looks like a peer that cannot be reached, so that it tries
    again (which is the next request)."""

    match: str = ""
    times: int = 1


@dataclass
class Never:
    """Lost with all its retries. A callback is lost silently; the answer to a request for TwiML
    is missing as if nobody could be reached."""

    match: str = ""
    times: int = 1


@dataclass
class OutOfOrder:
    """A callback that is held until the next one that matches was answered; it goes out alone if
    none came within `seconds`."""

    match: str = ""
    times: int = 1
    seconds: float = 10.0


WebhookFault = Twice | Delayed | Dropped | Never | OutOfOrder


@dataclass
class Faults:
    """`jitter_ms` adds up to so much, at random but in order, to each message of a stream.
    `cut_streams_after` breaks every stream so many seconds after its start, with no `stop`."""

    requests: deque[RestFault] = field(default_factory=deque)
    updates: deque[RestFault] = field(default_factory=deque)
    creates: deque[RestFault] = field(default_factory=deque)
    webhooks: list[WebhookFault] = field(default_factory=list)
    returns_cleared_marks: bool = True
    jitter_ms: float = 0.0
    cut_streams_after: float | None = None

    def of_rest(self, kind: str) -> RestFault | None:
        """Take the fault of the next REST request; `kind` is `creates`, `updates` or empty."""
        own: dict[str, deque[RestFault]] = {"creates": self.creates, "updates": self.updates}
        for line in (self.requests, own.get(kind)):
            if line:
                return line.popleft()
        return None

    def of_webhook(self, url: str, *kinds: type[WebhookFault]) -> WebhookFault | None:
        """Take the first fault that is meant for `url` (of these kinds, if some are given)."""
        for fault in self.webhooks:
            if fault.match in url and isinstance(fault, kinds or (object,)):
                fault.times -= 1
                if fault.times <= 0:
                    self.webhooks.remove(fault)
                return fault
        return None
