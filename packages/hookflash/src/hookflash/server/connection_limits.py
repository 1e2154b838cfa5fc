"""Decide which connections stay open, and count what is refused. No I/O.

A connection is a stranger's until a request on it has a valid signature of Twilio or belongs to
somebody who has signed in. Only strangers' connections are limited.

    READING --request complete--> ANSWERING --answer sent--> IDLE --data--> READING
       |                              |
       +--------- refused ------------+--> REFUSED

A new connection is always READING. If there are too many, the oldest connections are closed instead
of the new one, which may be Twilio's. First those that are refused or idle are closed, then those
whose request is incomplete, then those that wait for an answer. Trusted connections are closed only
if they are idle and the process has too few descriptors. A connection that became a WebSocket is
not listed here, so it is never closed here.

Descriptors: the kernel gives a new connection the lowest free number. So if the number is high,
that many descriptors are in use, whatever they are used for. The highest numbers are reserved for
the sockets and files of calls.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from hookflash.carriers.twilio.urls import is_loopback
from hookflash.client_address import client_network
from hookflash.log_output import LineLimit
from hookflash.world import SYSTEM

TRUST = "trust_connection"
"""The key of an ASGI scope's `state` with the function that trusts the request's connection."""

_LINES = 2
"""How many lines a minute are logged about one kind of refusal."""

_RESERVED_SHARE, _MOST_RESERVED = 0.25, 256
"""How much of the descriptors is reserved for calls, and how many at most."""

_LEAST_FREE = 16
"""How many descriptors must be free for a new connection. A call needs about four."""


class ConnectionState(enum.Enum):
    READING = enum.auto()
    ANSWERING = enum.auto()
    IDLE = enum.auto()
    REFUSED = enum.auto()


_CLOSED_FIRST = (
    ConnectionState.REFUSED,
    ConnectionState.IDLE,
    ConnectionState.READING,
    ConnectionState.ANSWERING,
)
_CLOSED_FOR_SAME_ADDRESS = _CLOSED_FIRST[:3]


class Rejection(enum.Enum):
    """Why a connection or request was refused or closed: the label in the metrics."""

    REQUEST_LINE = "request_line"
    HEADER_COUNT = "header_count"
    HEADER_BYTES = "header_bytes"
    HEADER_SECONDS = "header_seconds"
    INVALID = "invalid"
    HANDSHAKE = "handshake"
    PIPELINED = "pipelined"
    STALLED = "stalled"
    PER_ADDRESS = "per_address"
    CONNECTIONS = "connections"
    DESCRIPTORS = "descriptors"


class ConnectionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one process. `keep_alive_seconds` is how long a connection may be idle.

    `header_bytes` limits the request line and the headers together. The same limit applies to the
    framing of the body. `connections` and `connections_per_address` are of strangers; 0 is no limit
    per address.
    """

    request_line_bytes: int = 8192
    header_count: int = 100
    header_bytes: int = 65_536
    header_seconds: float = 10.0
    keep_alive_seconds: int = 75
    connections: int = 1000
    connections_per_address: int = 100

    def status(self, refusal: Rejection) -> int:
        """Return the HTTP status of a refusal."""
        return _STATUS.get(refusal, 503)

    def sentence(self, refusal: Rejection) -> str:
        """Return what the client is told, as one sentence."""
        return _SENTENCES[refusal].format(limits=self)


_STATUS = {
    Rejection.REQUEST_LINE: 414,
    Rejection.HEADER_COUNT: 431,
    Rejection.HEADER_BYTES: 431,
    Rejection.HEADER_SECONDS: 408,
    Rejection.INVALID: 400,
    Rejection.HANDSHAKE: 400,
    Rejection.PIPELINED: 400,
}
_SENTENCES = {
    Rejection.REQUEST_LINE: ("The request line is longer than {limits.request_line_bytes} bytes."),
    Rejection.HEADER_COUNT: "The request has more than {limits.header_count} headers.",
    Rejection.HEADER_BYTES: (
        "The request line and headers are longer than {limits.header_bytes} bytes."
    ),
    Rejection.HEADER_SECONDS: (
        "The request was not complete within {limits.header_seconds:g} seconds."
    ),
    Rejection.INVALID: "This is not a valid HTTP/1.1 request.",
    Rejection.HANDSHAKE: "This is not a valid handshake of a WebSocket.",
    Rejection.PIPELINED: "Too many requests were sent before the first answer.",
    Rejection.STALLED: "The answer was not read in time.",
    Rejection.PER_ADDRESS: "Your address has too many open connections.",
    Rejection.CONNECTIONS: "The server has too many open connections.",
    Rejection.DESCRIPTORS: "The server has too many open connections.",
}
_REMEDIES = {
    Rejection.REQUEST_LINE: "if your client needs more, raise HOOKFLASH_MAX_REQUEST_LINE_BYTES",
    Rejection.HEADER_COUNT: "if your client needs more, raise HOOKFLASH_MAX_HEADERS",
    Rejection.HEADER_BYTES: "if your client needs more, raise HOOKFLASH_MAX_HEADER_BYTES",
    Rejection.HEADER_SECONDS: "if your client is slow, raise HOOKFLASH_HEADER_SECONDS",
    Rejection.INVALID: "a scanner, or a client that speaks TLS or another protocol to this port",
    Rejection.HANDSHAKE: (
        "a scanner, or a client whose upgrade is not a GET or has a header line of more than 8 KiB"
    ),
    Rejection.PIPELINED: "a client should wait for answers or open more connections",
    Rejection.STALLED: "a client did not read its answer; check the network between you and it",
    Rejection.PER_ADDRESS: (
        "if the address is a proxy of yours, raise HOOKFLASH_MAX_CONNECTIONS_PER_ADDRESS or set it"
        " to 0; otherwise block the address in your firewall"
    ),
    Rejection.CONNECTIONS: (
        "the oldest connections of strangers are closed; raise HOOKFLASH_MAX_CONNECTIONS, or limit"
        " connections in your proxy or firewall"
    ),
    Rejection.DESCRIPTORS: (
        "the process has few descriptors left; raise its limit (ulimit -n, or LimitNOFILE in"
        " systemd)"
    ),
}


class Connection:
    """An open connection, until it is closed or becomes a WebSocket.

    `close(reason)` closes it. The table calls it after it has removed the connection.
    """

    __slots__ = ("address", "close", "state", "trusted")

    def __init__(self, address: str, close: Callable[[Rejection], None]) -> None:
        self.address = address
        self.close = close
        self.state = ConnectionState.READING
        self.trusted = False


class ConnectionTable:
    """The open connections of one process.

    `descriptors` is how many descriptors the process may open; 0 is unknown. `is_proxy` returns
    whether many clients may share an address, which then has no limit. `log` gets one line at a
    time. `now` is a clock in seconds.
    """

    def __init__(
        self,
        limits: ConnectionLimits | None = None,
        *,
        descriptors: int = 0,
        is_proxy: Callable[[str], bool] = is_loopback,
        log: Callable[[str], object] = lambda line: None,
        now: Callable[[], float] = SYSTEM.monotonic,
    ) -> None:
        self.limits = limits or ConnectionLimits()
        self.refused: dict[Rejection, int] = {}
        """How many connections and requests were refused or closed, by reason."""
        self._descriptors = descriptors
        self._usable = descriptors - min(int(descriptors * _RESERVED_SHARE), _MOST_RESERVED)
        self._is_proxy = is_proxy
        self._log = log
        self._limit = LineLimit(most=_LINES, now=now)
        self._strangers: dict[ConnectionState, dict[Connection, None]] = {
            state: {} for state in ConnectionState
        }
        self._trusted: dict[ConnectionState, dict[Connection, None]] = {
            state: {} for state in ConnectionState
        }
        self._by_address: dict[str, dict[Connection, None]] = {}

    @property
    def strangers(self) -> int:
        """Return how many connections are of strangers."""
        return sum(map(len, self._strangers.values()))

    @property
    def trusted(self) -> int:
        """Return how many connections are of Twilio or of people who have signed in."""
        return sum(map(len, self._trusted.values()))

    # --- the life of a connection ---------------------------------------------------------------

    def opened(
        self, host: str, descriptor: int, close: Callable[[Rejection], None]
    ) -> tuple[Connection, Rejection | None]:
        """Add a new connection from `host`. If there are too many, close others first.

        `descriptor` is its number, -1 if unknown. Refuse the new connection if a `Rejection` is
        returned with it.
        """
        connection = Connection(self._address_of(host), close)
        refusal = self._make_room(connection.address, descriptor)
        self._list(connection)
        return connection, refusal

    def move(self, connection: Connection, state: ConnectionState) -> None:
        """Set the state of a connection, if it is still listed."""
        if connection.state is state:
            return
        table = self._trusted if connection.trusted else self._strangers
        if connection in table[connection.state]:
            del table[connection.state][connection]
            connection.state = state
            table[state][connection] = None

    def trust(self, connection: Connection) -> None:
        """Exempt a connection from the limits: a request on it is signed, or from a user."""
        if connection in self._strangers[connection.state]:
            del self._strangers[connection.state][connection]
            self._forget_address(connection)
            connection.trusted = True
            self._trusted[connection.state][connection] = None

    def closed(self, connection: Connection) -> None:
        """Remove a connection that is closed or has become a WebSocket."""
        table = self._trusted if connection.trusted else self._strangers
        table[connection.state].pop(connection, None)
        self._forget_address(connection)

    # --- too many -------------------------------------------------------------------------------

    def _make_room(self, address: str, descriptor: int) -> Rejection | None:
        """Close connections until there is room. Return why the new one is refused, or None."""
        most = self.limits.connections_per_address
        same = self._by_address.get(address, {})
        if address and 0 < most <= len(same):
            if not self._close(1, Rejection.PER_ADDRESS, _oldest(same)):
                return Rejection.PER_ADDRESS
        too_many = self.strangers + 1 - self.limits.connections
        if too_many > 0:
            self._close(too_many, Rejection.CONNECTIONS, self._oldest_strangers())
        if 0 < self._usable <= descriptor:
            closed = self._close(
                descriptor + 1 - self._usable, Rejection.DESCRIPTORS, self._oldest_of_all()
            )
            if not closed and descriptor >= self._descriptors - _LEAST_FREE:
                return Rejection.DESCRIPTORS
        return None

    def _close(self, most: int, refusal: Rejection, found: Iterable[Connection]) -> int:
        """Close up to `most` of the connections found. Return how many were closed."""
        chosen = list(islice(found, most))
        for connection in chosen:
            self.closed(connection)
            self.count(refusal, connection.address)
            connection.close(refusal)
        return len(chosen)

    def _oldest_strangers(self) -> Iterator[Connection]:
        for state in _CLOSED_FIRST:
            yield from self._strangers[state]

    def _oldest_of_all(self) -> Iterator[Connection]:
        yield from self._oldest_strangers()
        yield from self._trusted[ConnectionState.IDLE]

    # --- addresses ------------------------------------------------------------------------------

    def _address_of(self, host: str) -> str:
        """Return the address that the limit per address counts; "" if it has no limit."""
        if not host or self._is_proxy(host):
            return ""
        return client_network(host)

    def _list(self, connection: Connection) -> None:
        self._strangers[connection.state][connection] = None
        if connection.address:
            self._by_address.setdefault(connection.address, {})[connection] = None

    def _forget_address(self, connection: Connection) -> None:
        same = self._by_address.get(connection.address)
        if same is not None:
            same.pop(connection, None)
            if not same:
                del self._by_address[connection.address]

    # --- counting and logging -------------------------------------------------------------------

    def count(self, refusal: Rejection, host: str) -> None:
        """Count a refusal. Log it, unless there were too many such lines."""
        self.refused[refusal] = self.refused.get(refusal, 0) + 1
        ending = self._limit.ending(refusal)
        if ending is not None:
            self._log(
                f"! connection from {host or 'this machine'} refused or closed:"
                f" {self.limits.sentence(refusal)} Remedy: {_REMEDIES[refusal]}{ending}"
            )


def trust_connection(scope: Mapping[str, Any]) -> None:
    """Exempt the connection of a request from the limits. `scope` is the request's ASGI scope."""
    trust = scope.get("state", {}).get(TRUST)
    if trust is not None:
        trust()


def _oldest(connections: Iterable[Connection]) -> Iterator[Connection]:
    """Yield the connections of one address that may be closed in favour of a new one."""
    found = list(connections)
    for state in _CLOSED_FOR_SAME_ADDRESS:
        yield from (connection for connection in found if connection.state is state)
