from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookflash.core.audio import ms, payload_end, payload_size, split_payload


@given(st.binary(max_size=50))
def test_the_size_of_a_payload_is_known_without_decoding_it(sound: bytes) -> None:
    assert payload_size(base64.b64encode(sound).decode()) == len(sound)


@given(st.binary(min_size=1, max_size=200), st.integers(3, 100))
def test_the_pieces_of_a_payload_are_the_whole(sound: bytes, chunk_bytes: int) -> None:
    payload = base64.b64encode(sound).decode()
    pieces = split_payload(payload, len(sound), chunk_bytes)
    assert b"".join(base64.b64decode(piece) for piece, _ in pieces) == sound
    for piece, size in pieces:
        assert payload_size(piece) == size
        assert 0 < size <= max(3, chunk_bytes + 2)


@pytest.mark.parametrize(
    ("size", "chunk_bytes", "sizes"),
    [
        (160, 160, [160]),
        (161, 160, [81, 80]),
        (400, 160, [135, 135, 130]),
        (8, 3, [3, 3, 2]),
    ],
)
def test_a_payload_is_cut_into_pieces_of_like_size(
    size: int, chunk_bytes: int, sizes: list[int]
) -> None:
    sound = bytes(number % 251 for number in range(size))
    pieces = split_payload(base64.b64encode(sound).decode(), size, chunk_bytes)
    assert [size for _, size in pieces] == sizes
    assert b"".join(base64.b64decode(piece) for piece, _ in pieces) == sound
    assert split_payload("", size, chunk_bytes) == [("", size) for size in sizes]


@given(st.integers(1, 100_000), st.integers(160, 8000))
def test_a_payload_that_was_left_out_is_cut_into_the_same_sizes(size: int, chunk: int) -> None:
    there = split_payload(base64.b64encode(bytes(size)).decode(), size, chunk)
    left_out = split_payload("", size, chunk)
    assert [size for _, size in there] == [size for _, size in left_out]


@pytest.mark.parametrize(("size", "lasts"), [(8, 1.0), (160, 20.0), (0, 0.0)])
def test_a_millisecond_has_eight_bytes(size: int, lasts: float) -> None:
    assert ms(size) == lasts


def test_the_end_of_a_payload_is_cut_to_the_byte() -> None:
    sound = bytes(range(100))
    whole = base64.b64encode(sound).decode()
    assert payload_end(whole, 100, 100) == whole
    assert payload_end(whole, 7, 100) == base64.b64encode(sound[-7:]).decode()
    assert payload_end("", 7, 100) == "", "a journal stores only sizes"


def test_a_payload_that_is_no_base64_is_cut_all_the_same() -> None:
    assert payload_end("A!!!" * 41, 30, 123) == "A!!!" * 10
