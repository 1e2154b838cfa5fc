"""Which connections are closed when there are too many, as values: no socket and no clock."""

from __future__ import annotations

from typing import Any

import pytest

from hookflash.server.connection_limits import (
    Connection,
    ConnectionLimits,
    ConnectionState,
    ConnectionTable,
    Rejection,
    trust_connection,
)

READING, ANSWERING = ConnectionState.READING, ConnectionState.ANSWERING
IDLE, REFUSED = ConnectionState.IDLE, ConnectionState.REFUSED


class Visitors:
    """Connections by name, and which of them the table has closed, in order."""

    def __init__(self, **limits: Any) -> None:
        self.now = 1000.0
        self.lines: list[str] = []
        descriptors = limits.pop("descriptors", 0)
        self.table = ConnectionTable(
            ConnectionLimits(**limits),
            descriptors=descriptors,
            log=self.lines.append,
            now=lambda: self.now,
        )
        self.closed: list[tuple[str, Rejection]] = []
        self.open: dict[str, Connection] = {}

    def arrive(
        self,
        name: str,
        state: ConnectionState = READING,
        *,
        host: str = "192.0.2.7",
        descriptor: int = -1,
        trusted: bool = False,
    ) -> Rejection | None:
        def close(refusal: Rejection) -> None:
            self.closed.append((name, refusal))

        connection, refusal = self.table.opened(host, descriptor, close)
        self.open[name] = connection
        if trusted:
            self.table.trust(connection)
        self.table.move(connection, state)
        return refusal

    @property
    def names_closed(self) -> list[str]:
        return [name for name, _ in self.closed]


def test_the_oldest_idle_connection_goes_first_then_the_half_sent_then_the_waiting() -> None:
    visitors = Visitors(connections=5)
    for name, state in (
        *(("waits", ANSWERING), ("half 1", READING), ("half 2", READING)),
        *(("idle", IDLE), ("told off", REFUSED)),
    ):
        assert visitors.arrive(name, state, host=name) is None
    for number in range(5):
        assert visitors.arrive(f"new {number}", ANSWERING, host=f"new {number}") is None
    assert visitors.names_closed == ["told off", "idle", "half 1", "half 2", "waits"]
    assert {refusal for _, refusal in visitors.closed} == {Rejection.CONNECTIONS}
    assert visitors.table.strangers == 5


def test_idle_time_counts_from_the_last_answer() -> None:
    visitors = Visitors(connections=2)
    visitors.arrive("a", IDLE)
    visitors.arrive("b", IDLE)
    for state in (READING, ANSWERING, IDLE):
        visitors.table.move(visitors.open["a"], state)
    visitors.arrive("c")
    assert visitors.names_closed == ["b"]


def test_trusted_connections_count_for_no_limit_and_stay() -> None:
    visitors = Visitors(connections=1, connections_per_address=1)
    for name in ("twilio 1", "twilio 2", "twilio 3"):
        assert visitors.arrive(name, IDLE, trusted=True) is None
    for number in range(10):
        assert visitors.arrive(f"stranger {number}", host=f"198.51.100.{number}") is None
    assert visitors.names_closed == [f"stranger {number}" for number in range(9)]
    assert (visitors.table.strangers, visitors.table.trusted) == (1, 3)


def test_one_address_closes_its_own_connections_and_no_others() -> None:
    visitors = Visitors(connections_per_address=2)
    visitors.arrive("other", IDLE, host="198.51.100.1")
    visitors.arrive("first", READING)
    visitors.arrive("second", IDLE)
    assert visitors.arrive("third") is None
    assert visitors.arrive("fourth") is None
    assert visitors.closed == [
        ("second", Rejection.PER_ADDRESS),
        ("first", Rejection.PER_ADDRESS),
    ]


def test_one_address_whose_requests_are_all_being_answered_is_refused() -> None:
    visitors = Visitors(connections_per_address=2)
    visitors.arrive("first", ANSWERING)
    visitors.arrive("second", ANSWERING)
    assert visitors.arrive("third") is Rejection.PER_ADDRESS
    assert visitors.closed == []
    assert visitors.arrive("other", host="198.51.100.1") is None
    visitors.table.closed(visitors.open["first"])
    visitors.table.closed(visitors.open["third"])
    assert visitors.arrive("fourth") is None


@pytest.mark.parametrize("host", ["", "127.0.0.1", "::1", "127.9.9.9"])
def test_a_proxy_on_this_machine_has_no_limit_per_address(host: str) -> None:
    visitors = Visitors(connections_per_address=1)
    assert [visitors.arrive(f"{number}", host=host) for number in range(5)] == [None] * 5
    assert visitors.closed == []


def test_no_limit_per_address() -> None:
    visitors = Visitors(connections_per_address=0)
    assert [visitors.arrive(f"{number}") for number in range(500)] == [None] * 500
    assert visitors.closed == []


def test_a_client_with_ipv6_has_a_whole_network() -> None:
    visitors = Visitors(connections_per_address=1)
    visitors.arrive("first", host="2001:db8:1:2:aaaa::1")
    visitors.arrive("another", host="2001:db8:1:3:aaaa::1")
    visitors.arrive("the first again", host="2001:db8:1:2:bbbb::9")
    assert visitors.closed == [("first", Rejection.PER_ADDRESS)]


def test_descriptors_are_left_for_calls() -> None:
    """Of 256 descriptors 64 are reserved: from the number 192 on, connections are closed."""
    visitors = Visitors(descriptors=256)
    for number in range(5):
        visitors.arrive(f"old {number}", host=f"old {number}", descriptor=187 + number)
    assert visitors.closed == []
    assert visitors.arrive("new", host="new", descriptor=192) is None
    assert visitors.names_closed == ["old 0"]
    # Calls use more descriptors: all that are too many are closed, not just one.
    assert visitors.arrive("newer", host="newer", descriptor=194) is None
    assert visitors.names_closed == ["old 0", "old 1", "old 2", "old 3"]
    assert {refusal for _, refusal in visitors.closed} == {Rejection.DESCRIPTORS}


def test_trusted_connections_are_closed_for_descriptors_if_they_are_idle() -> None:
    visitors = Visitors(descriptors=256)
    visitors.arrive("busy", ANSWERING, trusted=True)
    visitors.arrive("idle", IDLE, trusted=True)
    visitors.arrive("new", descriptor=200)
    assert visitors.names_closed == ["idle"]


def test_without_descriptors_for_a_call_a_new_connection_is_refused() -> None:
    visitors = Visitors(descriptors=256)
    visitors.arrive("busy", ANSWERING, trusted=True)
    assert visitors.arrive("the last", ANSWERING, trusted=True, descriptor=239) is None
    assert visitors.arrive("one more", descriptor=240) is Rejection.DESCRIPTORS


def test_a_large_limit_of_descriptors_reserves_no_more_than_calls_need() -> None:
    visitors = Visitors(descriptors=65_536, connections=100_000)
    visitors.arrive("old", descriptor=50)
    visitors.arrive("new", host="new", descriptor=65_536 - 257)
    assert visitors.closed == []
    visitors.arrive("newer", host="newer", descriptor=65_536 - 256)
    assert visitors.names_closed == ["old"]


def test_a_connection_that_is_gone_is_in_no_list() -> None:
    visitors = Visitors(connections=1, connections_per_address=1)
    visitors.arrive("gone")
    gone = visitors.open["gone"]
    visitors.table.closed(gone)
    visitors.table.closed(gone)
    visitors.table.move(gone, IDLE)
    visitors.table.trust(gone)
    assert (visitors.table.strangers, visitors.table.trusted) == (0, 0)
    assert visitors.arrive("next") is None
    assert visitors.closed == []


def test_trust_is_given_once() -> None:
    visitors = Visitors()
    visitors.arrive("twilio", trusted=True)
    visitors.table.trust(visitors.open["twilio"])
    assert (visitors.table.strangers, visitors.table.trusted) == (0, 1)
    visitors.table.move(visitors.open["twilio"], IDLE)
    visitors.table.closed(visitors.open["twilio"])
    assert visitors.table.trusted == 0


def test_a_scope_of_another_server_has_nothing_to_trust() -> None:
    trusted: list[bool] = []
    trust_connection({})
    trust_connection({"state": {}})
    trust_connection({"state": {"trust_connection": lambda: trusted.append(True)}})
    assert trusted == [True]


def test_lines_about_one_kind_of_refusal_are_limited_and_have_the_remedy() -> None:
    visitors = Visitors()
    for _ in range(5):
        visitors.table.count(Rejection.HEADER_SECONDS, "192.0.2.7")
    visitors.table.count(Rejection.INVALID, "")
    visitors.now += 60
    visitors.table.count(Rejection.HEADER_SECONDS, "192.0.2.8")
    assert visitors.table.refused == {
        Rejection.HEADER_SECONDS: 6,
        Rejection.INVALID: 1,
    }
    first, second, invalid, later = visitors.lines
    assert first.startswith("! connection from 192.0.2.7 refused or closed: The request was not")
    assert first.endswith("raise HOOKFLASH_HEADER_SECONDS")
    assert "more such lines are left out" in second
    assert "from this machine" in invalid
    assert "192.0.2.8" in later and later.endswith("(3 such lines were left out before)")


@pytest.mark.parametrize("refusal", Rejection)
def test_each_refusal_has_a_status_a_sentence_and_a_remedy(refusal: Rejection) -> None:
    visitors = Visitors()
    limits = visitors.table.limits
    assert limits.status(refusal) in (400, 408, 414, 431, 503)
    sentence = limits.sentence(refusal)
    assert sentence.endswith(".") and "{" not in sentence
    visitors.table.count(refusal, "192.0.2.7")
    assert sentence in visitors.lines[0]
    assert visitors.lines[0].partition("Remedy: ")[2]
