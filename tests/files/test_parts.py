"""What several nodes wrote of one call is joined."""

from __future__ import annotations

from hookflash.files.parts import join_journals, join_recordings
from hookflash.runtime.wav import HEADER_BYTES, header

QUIET = b"\xff"


def recording(*sounds: tuple[int, bytes]) -> bytes:
    """Return a recording of parts: how many samples of which sound, in both channels."""
    data = b"".join(sound * 2 * samples for samples, sound in sounds)
    return header(len(data) // 2) + data


def test_a_recording_has_what_each_node_recorded() -> None:
    first = recording((800, b"a"))
    second = recording((800, QUIET), (800, QUIET), (400, b"b"))
    third = recording((800, QUIET), (800, b"c"))
    joined = join_recordings([third, first, second])
    assert joined == recording((800, b"a"), (800, b"c"), (400, b"b"))


def test_nothing_that_was_recorded_is_replaced() -> None:
    longest = recording((1000, b"a"))
    assert join_recordings([recording((900, b"b")), longest]) == longest
    assert join_recordings([header(0), longest]) == longest
    assert len(join_recordings([header(0), header(0)])) == HEADER_BYTES


HEAD = b'{"journal":5,"call_sid":"CA1"}\n'
ONE = b'{"at":1790000001.5,"event":1}\n'
TWO = b'{"at":1790000002.5,"event":2}\n'
THREE = b'{"at":1790000003.5,"event":3}\n'


def test_a_journal_begins_with_its_first_line_and_goes_on_in_the_order_of_time() -> None:
    assert join_journals([TWO + THREE, HEAD + ONE]) == HEAD + ONE + TWO + THREE
    assert join_journals([THREE, TWO, HEAD + ONE]) == HEAD + ONE + TWO + THREE


def test_lines_that_two_nodes_have_are_there_once() -> None:
    whole = HEAD + ONE + TWO + THREE
    assert join_journals([HEAD + ONE, whole]) == whole
    assert join_journals([whole, HEAD + ONE + TWO]) == whole
    assert join_journals([whole, whole]) == whole


def test_a_line_that_a_crash_has_cut_short_stays_a_line() -> None:
    assert join_journals([HEAD + ONE[:9], b"\n" + TWO, b"?\n"]) == (
        HEAD + ONE[:9] + b"\n" + TWO + b"?\n"
    )
